// Asks for lists for people: known ones, or whoever has the history that is put together here.

import { find, make, say, tell } from "./dom.js";
import { ask, readModel, useKey } from "./server.js";
import { pictureOf, show, wordsOf } from "./why.js";

const NOTHING =
  "This server recommends nothing: the first task of its export is not recommendation.";
// Typing goes on for so long before the server is asked.
const PAUSE_MS = 250;

const state = { chosen: [], isKeyed: false, isAsking: false, timer: 0, search: 0 };

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
  find("desk").hidden = !facts.recommends;
  tell(
    find("lead"),
    facts.recommends
      ? "Items for a person by what the person used, by what is popular, and by what the items are. Each says why it is listed."
      : NOTHING,
  );
}

function askForKey() {
  const wrong = state.isKeyed ? "The server does not know this key." : "";
  tell(find("lead"), "");
  tell(find("key-error"), wrong, find("key"));
  find("desk").hidden = true;
  find("unlock").hidden = false;
  find("key").value = "";
  find("key").focus();
  say(wrong);
}

/** What goes wrong on the way to an answer. */
function fail(error) {
  if (error.status === undefined) throw error;
  if (error.status === 401) {
    state.isKeyed = true;
    askForKey();
  } else complain(error.message + (error.retry ? ` Here: ${error.retry} s.` : ""));
}

async function search() {
  const query = find("query").value.trim();
  const number = ++state.search;
  if (!query) {
    find("found").replaceChildren();
    return;
  }
  try {
    const items = await (await ask(`v1/items?query=${encodeURIComponent(query)}`)).json();
    // Answers to what was typed before may come late.
    if (number !== state.search) return;
    find("found").replaceChildren(...items.map(foundItem));
    say(items.length ? `${items.length} items found.` : "No item found.");
    if (!items.length) find("found").append(make("li", {}, "No item has this in its title."));
  } catch (error) {
    fail(error);
  }
}

function foundItem(item) {
  const label = `Add ${item.text || item.id}`;
  const button = make("button", { type: "button", class: "quiet", "aria-label": label, onclick: () => add(item) }, "Add");
  return make("li", {}, pictureOf(item.id), wordsOf(item), button);
}

function add(item) {
  state.chosen.push(item);
  showChosen();
  say(`${item.text || item.id} added.`);
}

function showChosen() {
  const rows = state.chosen.map((item, place) => {
    const label = `Remove ${item.text || item.id}`;
    const button = make("button", { type: "button", class: "quiet", "aria-label": label, onclick: () => remove(place) }, "Remove");
    return make("li", {}, pictureOf(item.id), wordsOf(item), button);
  });
  find("chosen").replaceChildren(...rows);
  find("chosen-none").hidden = state.chosen.length > 0;
}

function remove(place) {
  const [item] = state.chosen.splice(place, 1);
  showChosen();
  say(`${item.text || item.id} removed.`);
  const buttons = find("chosen").querySelectorAll("button");
  (buttons[Math.min(place, buttons.length - 1)] ?? find("query")).focus();
}

const isUser = () => document.querySelector("[name=who]:checked").value === "user";

function body() {
  const where = find("where").value.split(";").map((one) => one.trim()).filter(Boolean);
  const who = isUser() ? { user: find("user").value.trim() } : { history: state.chosen.map(({ id }) => id) };
  return { ...who, where, diversity: Number(find("diversity").value), include_seen: find("seen").checked };
}

async function send() {
  if (state.isAsking) return;
  if (isUser() && !find("user").value.trim()) {
    complain("Write the id of a user.", find("user"));
    return;
  }
  complain("");
  wait(true);
  try {
    const options = { method: "POST", body: JSON.stringify(body()), headers: { "Content-Type": "application/json" } };
    const answer = await (await ask("v1/recommend", options)).json();
    show(answer);
    say(`${answer.items.length} items listed.`);
    find("answer-heading").focus();
  } catch (error) {
    fail(error);
  } finally {
    wait(false);
  }
}

function complain(message, field = null) {
  find("user").removeAttribute("aria-invalid");
  tell(find("ask-error"), message, field);
  field?.focus();
}

function wait(is) {
  state.isAsking = is;
  find("send").setAttribute("aria-disabled", String(is));
  find("send").textContent = is ? "Asking …" : "Recommend";
}

for (const one of document.querySelectorAll("[name=who]")) {
  one.addEventListener("change", () => {
    find("for-user").hidden = !isUser();
    find("for-history").hidden = isUser();
    complain("");
  });
}

find("query").addEventListener("input", () => {
  clearTimeout(state.timer);
  state.timer = setTimeout(search, PAUSE_MS);
});

find("query").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  clearTimeout(state.timer);
  search();
});

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

find("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(find("key").value);
  state.isKeyed = true;
  start();
});

start();
