// Joins the parts of the page.

import { viewOf } from "./answer.js";
import { curlOf } from "./curl.js";
import { find, listed, make, named, say, tell } from "./dom.js";
import { Fields } from "./form.js";
import { addressOf, ask, readModel, useKey } from "./server.js";

const SAYS = {
  classification: ({ labels }) => `says which of ${labels.length} labels fits`,
  multilabel: ({ labels }) => `says which of ${labels.length} names apply`,
  regression: ({ name }) => `estimates ${name}`,
  ranking: ({ name }) => `rates ${name}`,
  token_classification: ({ name }) => `marks ${name} in the text`,
  generation: ({ name }) => `writes ${name}`,
  retrieval: () => "makes vectors by which rows are found",
  recommendation: () => "makes vectors of items, by which lists are made for people",
};

// Kinds of tasks whose labels are named before the first answer, and how many of each.
const CHOOSING = ["classification", "multilabel"];
const MOST_LABELS = 24;

// Of an example's text, on its button.
const MOST_CHARACTERS = 100;

const state = { facts: null, fields: null, isKeyed: false, label: null, asking: null, before: [] };

async function start() {
  try {
    state.facts = await readModel((message) => tell(find("lead"), message));
  } catch (error) {
    if (error.status === 401) askForKey();
    else tell(find("lead"), error.message);
    return;
  }
  find("unlock").hidden = true;
  introduce(state.facts);
  find("talk").hidden = !state.facts.converses;
  state.fields = new Fields(state.facts, find("fields"), changed);
  find("room").hidden = find("about").hidden = false;
  changed();
  if (state.isKeyed) find("fields").querySelector("textarea, input, select")?.focus();
  await offerSamples();
}

function askForKey() {
  const wrong = state.isKeyed ? "The server does not know this key." : "";
  tell(find("lead"), "");
  tell(find("key-error"), wrong, find("key"));
  find("unlock").hidden = false;
  find("key").focus();
  say(wrong);
}

function introduce(facts) {
  const kinds = new Set(facts.fields.map(({ kind }) => kind));
  const parts = [...kinds].map((kind) =>
    kind === "cell" ? "cells of a table" : `a ${named(kind).toLowerCase()}`,
  );
  const some = parts.length > 1 ? " Leave out what you do not have." : "";
  const does = listed(facts.tasks.map((task) => SAYS[task.kind](task)));
  tell(find("lead"), `It reads ${listed(parts)}, and ${does}.${some}`);
  const choosing = facts.tasks.filter(({ kind }) => CHOOSING.includes(kind));
  find("shown").append(...choosing.map((task) => labelsOf(task, facts.tasks.length > 1)));
  state.before = [...find("shown").childNodes];
  find("card").textContent = facts.card;
  const { model, ...hashes } = facts.origin;
  const lines = { model, format: facts.format, ...hashes };
  for (const [name, value] of Object.entries(lines)) {
    find("origin").append(make("dt", {}, name), make("dd", {}, value));
  }
}

/** What a task may say; of many labels the first. */
function labelsOf({ name, labels }, isOneOfMany) {
  const rest = labels.length - MOST_LABELS;
  const shown = labels.slice(0, MOST_LABELS).join(", ");
  const head = isOneOfMany ? `Labels of ${name}` : "Labels";
  return make("p", { class: "hint" }, `${head}: ${shown}${rest > 0 ? `, and ${rest} more` : ""}.`);
}

async function offerSamples() {
  let samples = [];
  try {
    samples = await (await ask("v1/samples")).json();
  } catch {
    // The form can be filled in without them.
  }
  const items = samples.map((sample, place) => make("li", {}, sampleButton(sample, place)));
  find("samples").querySelector("ul").replaceChildren(...items);
  find("samples").hidden = !items.length;
}

function sampleButton({ row, label }, place) {
  const text = [row.text ?? []].flat()[0] ?? `Example ${place + 1}`;
  const button = make("button", { type: "button", class: "sample" });
  const picture = [row.image ?? []].flat().find(Boolean);
  if (picture) {
    const content = Uint8Array.from(atob(picture.base64), (one) => one.charCodeAt(0));
    button.append(make("img", { src: URL.createObjectURL(new Blob([content])), alt: "" }));
  }
  button.append(make("span", { dir: "auto" }, text.slice(0, MOST_CHARACTERS)));
  button.addEventListener("click", () => {
    state.fields.fill(row);
    changed();
    state.label = label;
    send();
  });
  return button;
}

/** Something was filled in: it is no example any more, and the command is another. */
function changed() {
  if (!state.fields) return;
  state.label = null;
  find("curl").textContent = curlOf(addressOf("v1/predict"), state.fields.parts, state.isKeyed);
}

async function send() {
  const { fields, facts } = state;
  hush();
  const parts = fields.parts;
  if (!parts.length) {
    refuse({ message: "Fill in something first." });
    return;
  }
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, value);
  form.append("probabilities", "true");
  form.append("neighbours", "true");
  const texts = parts.filter(([name]) => name === "text").map(([, value]) => value);
  const asked = { text: texts.length === 1 ? texts[0] : "", label: state.label };
  wait(true);
  state.asking?.abort();
  const asking = (state.asking = new AbortController());
  try {
    const options = { method: "POST", body: form, signal: asking.signal };
    const { answers, origin } = await (await ask("v1/predict", options)).json();
    answer(viewOf(answers[0], facts, asked), origin);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === undefined) throw error;
    refuse(error);
  } finally {
    if (asking === state.asking) wait(false);
  }
}

function answer({ view, said }, origin) {
  if (origin.weights !== state.facts.origin.weights) {
    const note = "Another model has taken over since. Reload this page to see what it takes.";
    view.append(make("p", { class: "notice" }, note));
  }
  show([view]);
  say(said);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const top = find("answer").getBoundingClientRect().top;
  if (top < 0 || top > 0.6 * innerHeight) {
    find("answer").scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  }
}

/** Put something in the answer's place. */
function show(nodes) {
  for (const image of find("shown").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  find("shown").replaceChildren(...nodes);
}

/** Say what is wrong where it is wrong, and take back what was said before. */
function refuse(error) {
  show(state.before);
  const field = error.status === 422 ? state.fields.fieldOf(error) : null;
  const said = error.message + (error.retry ? ` Here: ${error.retry} s.` : "");
  if (error.status === 401) {
    state.isKeyed = true;
    find("key").value = "";
    askForKey();
  } else if (field) {
    field.tell(said);
    field.focus();
  } else {
    tell(find("form-error"), said);
    find("form-error").focus();
  }
  say(said);
}

function hush() {
  tell(find("form-error"), "");
  state.fields.hush();
}

/** The button stays where it is, for whoever has it in focus. */
function wait(is) {
  find("send").setAttribute("aria-disabled", String(is));
  find("answer").setAttribute("aria-busy", String(is));
  find("send").textContent = is ? "Answering …" : "Answer";
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (find("send").getAttribute("aria-disabled") !== "true") send();
});

find("ask").addEventListener("reset", (event) => {
  event.preventDefault();
  hush();
  state.fields.clear();
  changed();
  show(state.before);
  say("The form is empty.");
});

find("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(find("key").value);
  state.isKeyed = true;
  find("unlock").hidden = true;
  if (state.fields) send();
  else start();
});

find("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(find("curl").textContent);
    say("Copied.");
    find("copy").textContent = "Copied";
  } catch {
    // A clipboard is given to pages of this machine or of HTTPS alone.
    getSelection().selectAllChildren(find("curl"));
    say("Marked: copy it with Ctrl and C.");
    find("copy").textContent = "Marked: Ctrl+C copies";
  }
  setTimeout(() => (find("copy").textContent = "Copy"), 3000);
});

start();
