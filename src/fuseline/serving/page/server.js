// Asks the server's routes. The key is held here and nowhere else.

let key = "";

export function useKey(given) {
  key = given.trim();
}

/** What went wrong, and what the server says of it. */
export class Failure extends Error {
  constructor(status, message, { reason = "", retry = 0 } = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retry = retry;
  }
}

export const addressOf = (path) => new URL(path, document.baseURI).href;

/** An answer of the server.
 * @throws {Failure} it cannot be reached, or sends the request away
 */
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(addressOf(path), { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The server cannot be reached. See whether it still runs, then ask again.");
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

async function failureOf(response) {
  const retry = Number(response.headers.get("retry-after")) || 0;
  let content = {};
  try {
    content = await response.json();
  } catch {
    // Something between here and the server has answered.
  }
  const refused = content.answers?.[0]?.refused;
  if (refused) return new Failure(response.status, refused.detail, { reason: refused.reason });
  const said = content.error ?? `The server answered with status ${response.status}.`;
  return new Failure(response.status, said, { retry });
}

/** The facts of the model; waits while it is being loaded. */
export async function readModel(waiting) {
  for (;;) {
    try {
      return await (await ask("v1/model")).json();
    } catch (error) {
      if (error.status !== 503) throw error;
      waiting(error.message);
      await new Promise((done) => setTimeout(done, 1000 * (error.retry || 1)));
    }
  }
}

/** The small picture of a training row as an address of the page's own, or null. */
export async function thumbnail(id) {
  try {
    const response = await ask(`v1/thumbnail?id=${encodeURIComponent(id)}`);
    return response.status === 200 ? URL.createObjectURL(await response.blob()) : null;
  } catch {
    return null; // an answer is whole without it
  }
}
