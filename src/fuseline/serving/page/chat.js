// Holds a conversation with the service. What is said stays in this page and on the server.

import { find, make, percent, say, tell } from "./dom.js";
import { ask, readModel, useKey } from "./server.js";

const HANDED_OVER = {
  wish: "A person takes over, as you asked.",
  complaint: "A person takes over your complaint.",
  intent: "A person answers this.",
  nothing_found: "Nothing was found to this. A person takes over.",
  unsure: "This was not understood. A person takes over.",
};
const NO_CONVERSATIONS =
  "This server holds no conversations. Start it with fuseline serve --service service.yaml.";

const state = { session: null, isKeyed: false, isAsking: false };

async function start() {
  let facts;
  try {
    facts = await readModel((message) => tell(find("lead"), message));
  } catch (error) {
    if (error.status === 401) askForKey();
    else tell(find("lead"), error.message);
    return;
  }
  find("unlock").hidden = true;
  tell(
    find("lead"),
    facts.converses
      ? "It answers from its own texts and names them, asks back where it is in doubt, and passes you on to a person where it does not know."
      : NO_CONVERSATIONS,
  );
  find("room").hidden = !facts.converses;
  if (facts.converses) find("message").focus({ preventScroll: true });
}

function askForKey() {
  const wrong = state.isKeyed ? "The server does not know this key." : "";
  tell(find("lead"), "");
  tell(find("key-error"), wrong, find("key"));
  find("unlock").hidden = false;
  find("key").value = "";
  find("key").focus();
  say(wrong);
}

async function send(message) {
  if (state.isAsking) return;
  if (!message.trim()) {
    complain("Write something first.");
    return;
  }
  complain("");
  wait(true);
  try {
    const reply = await replyTo(message);
    state.session = reply.session;
    find("message").value = "";
    show(userTurn(message));
    show(serviceTurn(reply));
  } catch (error) {
    if (error.status === undefined) throw error;
    if (error.status === 401) {
      state.isKeyed = true;
      askForKey();
    } else complain(error.message + (error.retry ? ` Here: ${error.retry} s.` : ""));
  } finally {
    wait(false);
  }
  find("message").focus({ preventScroll: true });
}

/** The reply to a message; where the server has forgotten the conversation, of a new one. */
async function replyTo(message) {
  const body = state.session ? { message, session: state.session } : { message };
  const options = {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  };
  try {
    return await (await ask("v1/chat", options)).json();
  } catch (error) {
    if (error.status !== 404 || !state.session) throw error;
    state.session = null;
    show(noteTurn("The conversation so far is forgotten: a new one begins here."));
    return replyTo(message);
  }
}

function show(turn) {
  find("turns").append(turn);
  find("turns").scrollTop = find("turns").scrollHeight;
}

function turnOf(kind, who, text, ...rest) {
  const said = make("p", { class: "said", dir: "auto" }, text);
  return make("div", { class: `turn ${kind}` }, make("p", { class: "who" }, who), said, ...rest);
}

const userTurn = (message) => turnOf("user", "You", message);
const noteTurn = (text) => make("div", { class: "turn" }, make("p", { class: "hint" }, text));

function serviceTurn(reply) {
  return turnOf(
    "service",
    "Service",
    reply.text,
    sourcesOf(reply),
    factsOf(reply),
    choicesOf(reply),
    reply.reason ? make("p", { class: "notice" }, HANDED_OVER[reply.reason]) : null,
  );
}

function sourcesOf({ sources }) {
  if (!sources.length) return null;
  const items = sources.map(({ source, question }) =>
    make("li", {}, `Source: ${source}`, make("span", { class: "hint" }, ` · ${question}`)),
  );
  return make("ul", { class: "sources", "aria-label": "Sources" }, ...items);
}

/** What was understood, and how surely. */
function factsOf({ intent, confidence, by }) {
  if (!intent) {
    return by === "knowledge"
      ? make("p", { class: "facts" }, "Found by the words and the meaning of your message.")
      : null;
  }
  const sure =
    confidence === null
      ? null
      : make("span", { class: "pill sure" }, `${percent(confidence)} sure`);
  return make("p", { class: "facts" }, `Understood: ${intent.replaceAll("_", " ")}`, sure);
}

function choicesOf({ choices }) {
  if (!choices.length) return null;
  const buttons = choices.map(({ name }) =>
    make("button", { type: "button", class: "quiet", onclick: (event) => choose(event, name) }, name),
  );
  return make("div", { class: "row choices", role: "group", "aria-label": "Which do you mean?" }, ...buttons);
}

/** Answer what was asked back; it is asked once. */
function choose(event, name) {
  if (state.isAsking) return;
  event.target.closest(".choices").remove();
  send(name);
}

function complain(message) {
  tell(find("message-error"), message, find("message"));
  say(message);
  if (message) find("message").focus();
}

function wait(is) {
  state.isAsking = is;
  find("send").setAttribute("aria-disabled", String(is));
  find("turns").setAttribute("aria-busy", String(is));
  find("send").textContent = is ? "Sending …" : "Send";
}

find("say").addEventListener("submit", (event) => {
  event.preventDefault();
  send(find("message").value);
});

find("message").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send(find("message").value);
});

find("anew").addEventListener("click", () => {
  state.session = null;
  find("turns").replaceChildren();
  complain("");
  say("A new conversation.");
  find("message").focus();
});

find("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(find("key").value);
  state.isKeyed = true;
  start();
});

start();
