// Shows an answer: a view for each kind of task, then what all of them share.

import { about, listed, make, named, percent } from "./dom.js";
import { thumbnail } from "./server.js";

// Labels, and training rows, that are shown at once; the rest is folded.
const FIRST_LABELS = 5;
const FIRST_NEIGHBOURS = 4;
// Labels of a prediction set that are named.
const MOST_OF_SET = 6;

/** @returns {{view: Node, said: string}} what is shown, and one sentence of it */
export function viewOf(answer, facts, asked) {
  const tasks = facts.tasks.map((task, place) => viewOfTask(answer, facts, task, place, asked));
  const parts = [
    outside(answer),
    ...tasks.map(({ view }) => view),
    known(facts, asked),
    changes(answer),
    neighbours(answer),
  ];
  const scope = answer.in_scope === false ? "Unlike anything it was trained on. " : "";
  const said = `Answer. ${scope}${tasks.map((one) => one.said).join(" ")}`;
  const view = make("div", {}, ...parts);
  return { view, said };
}

function viewOfTask(answer, facts, task, place, asked) {
  const prefix = place ? `${task.name}.` : "";
  const own = (name) => answer[`${prefix}${name}`];
  const isAlone = facts.tasks.length === 1;
  const level = isAlone ? "h3" : "h4";
  const { view, said } = VIEWS[task.kind]({ own, task, facts, first: !place, asked, level });
  if (isAlone) return { view, said };
  const heading = make("h3", { class: "task" }, task.name);
  const section = make("section", { "aria-label": task.name }, heading, view);
  return { view: section, said: `${task.name}: ${said}` };
}

const VIEWS = {
  classification: classes,
  multilabel: names,
  regression: number,
  ranking: rating,
  token_classification: entities,
  generation: written,
  retrieval: vectors,
  recommendation: content,
};

function classes({ own, facts, first, level }) {
  const certainty = first ? facts.certainty : null;
  const sure = certainty ? own("sure") : null;
  const head = make("div", { class: "verdict" });
  head.append(
    make("p", { class: "big" }, own("label")),
    make("p", { class: "share" }, percent(own("probability"))),
  );
  if (sure !== null) head.append(pill(sure ? "sure" : "unsure", sure ? "Sure" : "Not sure"));
  const view = make(
    "div",
    {},
    head,
    sure === false ? doubt(own("set"), certainty) : null,
    make(level, {}, "How likely each label is"),
    ...bars(ranked(own("probabilities")), "labels"),
    alone(own, facts),
  );
  const spoken = sure === null ? "" : sure ? ", sure" : ", not sure";
  return { view, said: `${own("label")}, ${percent(own("probability"))}${spoken}.` };
}

function doubt(set, { threshold, target_risk: risk, coverage }) {
  const bound =
    threshold > 1
      ? `No answer counts as sure: at no threshold were at most ${about(risk)} of the answers to` +
        " development rows wrong."
      : `An answer counts as sure from ${about(threshold)} on: of such answers to development` +
        ` rows at most ${about(risk)} were wrong.`;
  const rest = set.length - MOST_OF_SET;
  const shown = rest > 0 ? [...set.slice(0, MOST_OF_SET), `${rest} more`] : set;
  const holds = `One of ${listed(shown, "or")} is right for ${about(coverage)} of rows.`;
  return make("p", { class: "notice" }, bound, set.length > 1 ? ` ${holds}` : "");
}

/** The label that an example has in the data. */
function known({ tasks: [{ labels }] }, { label }) {
  if (!labels.includes(label)) return null;
  return make("p", { class: "hint" }, "In the data its label is ", strong(label));
}

/** What each modality says by itself. */
function alone(own, facts) {
  const given = facts.modalities.filter((name) => own(`${name}_label`) !== undefined);
  const there = given.filter((name) => own(`${name}_label`) !== null);
  if (!there.length) return null;
  const rows = there.map((name) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, named(name)),
      make("td", {}, own(`${name}_label`)),
      make("td", { class: "bar-cell" }, bar(own(`${name}_probability`))),
      make("td", { class: "number" }, percent(own(`${name}_probability`))),
    ),
  );
  return tableOf("What each part says alone", rows);
}

function names({ own, level }) {
  const chosen = own("labels");
  const head = make("ul", { class: "chips" }, ...chosen.map((one) => make("li", {}, one)));
  const none = make("p", { class: "big" }, "None of the names");
  const view = make("div", {}, chosen.length ? head : none);
  view.append(
    make(level, {}, "How likely each name is; above 50 % it is given"),
    ...bars(ranked(own("probabilities")), "names"),
  );
  return { view, said: `${listed(chosen) || "None of the names"}.` };
}

function number({ own, task }) {
  const value = own("value").toLocaleString("en", { maximumSignificantDigits: 5 });
  const head = make("p", { class: "big" }, value);
  const what = make("p", { class: "hint" }, `${task.name}, in the unit of the data`);
  return { view: make("div", {}, head, what), said: `${value}.` };
}

function rating({ own }) {
  const score = own("score");
  const head = make("p", { class: "big" }, score.toFixed(3));
  const line = make("div", { class: "line" }, bar(score));
  const what = make("p", { class: "hint" }, "From 0 to 1: rows are put in order by it.");
  return { view: make("div", {}, head, line, what), said: `${score.toFixed(3)}.` };
}

function entities({ own, asked }) {
  const found = own("entities");
  const said = found.map(({ text, type }) => `${text}: ${type}`).join(", ");
  if (!found.length) return { view: make("p", {}, "Nothing is marked."), said: "No entities." };
  return { view: marked(asked.text, found) ?? listing(found), said: `${said}.` };
}

/** The text with its entities marked; null where it is not the text that was read. */
function marked(text, found) {
  // The places count characters, which JavaScript counts by halves where they are rare.
  const characters = Array.from(text);
  const view = make("p", { class: "marked", dir: "auto" });
  let end = 0;
  for (const one of found) {
    const own = characters.slice(one.start, one.end).join("");
    if (own !== one.text || one.start < end) return null;
    view.append(characters.slice(end, one.start).join(""));
    view.append(make("mark", {}, own, make("span", { class: "type" }, ` ${one.type}`)));
    end = one.end;
  }
  view.append(characters.slice(end).join(""));
  return view;
}

function listing(found) {
  const items = found.map(({ text, type }) =>
    make("li", {}, make("mark", {}, text, make("span", { class: "type" }, ` ${type}`))),
  );
  return make("ul", { class: "plain" }, ...items);
}

function written({ own }) {
  const refused = own("refused");
  const text = make("blockquote", { dir: "auto" }, own("text") || "(an empty text)");
  const flag = refused ? pill("unsure", `Refuses: ${own("refusal")}`) : null;
  return { view: make("div", {}, text, flag), said: own("text") };
}

function vectors({ own, facts }) {
  const found = facts.modalities
    .map((name) => [name, own(`${name}_vector`)])
    .filter(([, vector]) => vector);
  if (!found.length) return { view: make("p", {}, "No part of it has a vector."), said: "No vector." };
  const [[, first]] = found;
  const parts = listed(found.map(([name]) => named(name).toLowerCase()));
  const what = `A vector of ${first.length} numbers each: ${parts}.`;
  const command = make("code", {}, "fuseline search");
  const view = make("div", {}, make("p", {}, `${what} `, command, " finds rows by them."));
  const pairs = found.flatMap(([one, left], place) =>
    found.slice(place + 1).map(([other, right]) => [`${named(one)}, ${named(other)}`, dot(left, right)]),
  );
  if (pairs.length) {
    const rows = pairs.map(([name, value]) => {
      const cell = make("td", { class: "number" }, value.toFixed(3));
      return make("tr", {}, make("th", { scope: "row" }, name), cell);
    });
    view.append(tableOf("How alike the parts of this row are: scaled similarities", rows));
  }
  for (const [name, vector] of found) {
    view.append(numbers(vector, `Numbers: ${named(name)}`));
  }
  return { view, said: what };
}

/** Lists of people are made on another page; here stands what the content of one item says. */
function content({ own }) {
  const vector = own("content_vector");
  const what = `A vector of ${vector.length} numbers: what the content of this item says.`;
  const link = make("a", { href: "recommend" }, "Lists for people");
  const view = make("div", {}, make("p", {}, `${what} `, link, " are made of it."));
  view.append(numbers(vector, "Numbers"));
  return { view, said: what };
}

function numbers(vector, name) {
  const said = vector.map((value) => value.toFixed(4)).join(" ");
  const box = make("pre", { tabindex: 0, role: "region", "aria-label": name }, said);
  return make("details", {}, make("summary", {}, name), box);
}

const dot = (left, right) => left.reduce((sum, value, place) => sum + value * right[place], 0);

function tableOf(title, rows) {
  return make("table", {}, make("caption", {}, title), make("tbody", {}, ...rows));
}

const ranked = (shares) => Object.entries(shares).sort((one, other) => other[1] - one[1]);

/** Bars of labels: read as text, drawn beside it. */
function bars(pairs, noun) {
  const items = pairs.map(([label, share]) =>
    make(
      "li",
      {},
      make("span", { class: "name" }, label),
      bar(share),
      make("span", { class: "number" }, percent(share)),
    ),
  );
  const shown = make("ol", { class: "bars" }, ...items.slice(0, FIRST_LABELS));
  return [shown, folded(items.slice(FIRST_LABELS), "bars", noun)];
}

/** The rest of a list behind a line to open. */
function folded(items, kind, noun) {
  if (!items.length) return "";
  const summary = make("summary", {}, `${items.length} more ${noun}`);
  return make("details", {}, summary, make("ol", { class: kind }, ...items));
}

function bar(share) {
  const inner = make("span");
  inner.style.width = `${100 * share}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, inner);
}

const pill = (kind, text) => make("p", { class: `pill ${kind}` }, text);
const strong = (text) => make("strong", {}, text);

function outside(answer) {
  if (answer.in_scope !== false) return null;
  const share = about(answer.out_of_scope);
  const why = `It lies farther from all that was learnt than ${share} of the development rows do.`;
  const head = strong("Unlike anything it was trained on.");
  return make("div", { class: "notice strong" }, make("p", {}, head, ` ${why} `, "Do not rely on the answer."));
}

function changes({ sanitised }) {
  if (!sanitised?.length) return null;
  const what = sanitised.map((one) => one.replace(":", ": ")).join("; ");
  return make("p", { class: "hint" }, `Changed before it was read, as in training: ${what}`);
}

function neighbours({ neighbours: found }) {
  if (!found?.length) return null;
  const items = found.map(neighbour);
  const first = make("ol", { class: "near" }, ...items.slice(0, FIRST_NEIGHBOURS));
  const heading = make("h3", {}, "Nearest rows that it has learnt from");
  return make("section", {}, heading, first, folded(items.slice(FIRST_NEIGHBOURS), "near", "rows"));
}

function neighbour({ example_id: id, label, text, distance }) {
  const place = make("span", { class: "thumb", "aria-hidden": "true" });
  thumbnail(id).then((source) => {
    if (source) place.append(make("img", { src: source, alt: "" }));
    else place.remove();
  });
  const words = make("div", { class: "words" });
  if (label !== null) words.append(make("p", { class: "label" }, label));
  if (text) words.append(make("p", { class: "text", dir: "auto" }, text));
  words.append(make("p", { class: "hint" }, `${id} · distance ${distance.toFixed(3)}`));
  return make("li", {}, place, words);
}
