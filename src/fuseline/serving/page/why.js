// Shows a list and why each item is in it.

import { about, find, listed, make, named } from "./dom.js";
import { thumbnail } from "./server.js";

// Parts below it say nothing that a person could act on.
const LEAST = 0.005;

const titleOf = ({ id, text }) => text || id;

/** A small picture; its place stays empty until it comes, and goes where there is none. */
export function pictureOf(id) {
  const place = make("div", { class: "thumb", "aria-hidden": "true" });
  thumbnail(id).then((address) => {
    if (address) place.append(make("img", { src: address, alt: "" }));
    else place.remove();
  });
  return place;
}

/** A title, and the id where it is something else. */
export function wordsOf(item, ...more) {
  const id = item.text ? make("p", { class: "hint" }, item.id) : null;
  return make("div", { class: "words" }, make("p", { class: "text", dir: "auto" }, titleOf(item)), id, ...more);
}

export function show(answer) {
  const { items, history, num_events: count, unknown, basis } = answer;
  const parts = [];
  if (unknown.length) {
    parts.push(notice(`Left out, as the server has no such item: ${listed(unknown.slice(0, 5))}.`));
  }
  if (basis === "popularity") {
    parts.push(notice("No history: ranked by what is popular and by the items' own worth."));
  } else parts.push(historyOf(history, count));
  if (!items.length) parts.push(notice("No item is left to list. Loosen what items must have."));
  parts.push(make("ol", { class: "listed", "aria-label": "Recommended items" }, ...items.map(itemOf)));
  find("shown").replaceChildren(...parts);
}

const notice = (text) => make("p", { class: "notice" }, text);

function historyOf(history, count) {
  const rows = history.map((one) => {
    const day = new Date(1000 * one.time).toISOString().slice(0, 10);
    return make("li", {}, pictureOf(one.id), wordsOf(one, make("p", { class: "hint" }, day)));
  });
  const more = count > history.length ? `, the last ${history.length} shown` : "";
  const what = `History: ${count} ${count === 1 ? "event" : "events"}${more}, newest first`;
  const list = make("ol", { class: "picks past", tabindex: "0", "aria-label": "History" }, ...rows);
  return make("details", {}, make("summary", {}, what), list);
}

function itemOf(item) {
  const { rank, score } = item;
  const words = make(
    "div",
    { class: "words" },
    make("h3", { dir: "auto" }, titleOf(item)),
    make("p", { class: "hint" }, `${item.text ? `${item.id} · ` : ""}score ${score.toFixed(3)}`),
  );
  const head = make("div", { class: "item" }, make("span", { class: "rank" }, `${rank}.`), pictureOf(item.id), words);
  return make("li", {}, head, ...reasonsOf(item.why));
}

function reasonsOf({ history, others, popularity, constant, modalities }) {
  const spoke = [
    ...history.map((one) => [titleOf(one), one]),
    ["The rest of the history", others],
    ["Popularity and trend", popularity],
    ["The item itself", constant],
  ].filter(([, { share }]) => Math.abs(share) >= LEAST);
  const says = Object.entries(modalities).map(([kind, part]) => [named(kind), part]);
  return [...barsOf("What spoke for it", spoke), ...barsOf("What each part of it says alone", says)];
}

function barsOf(title, parts) {
  if (!parts.length) return [];
  return [make("h4", {}, title), make("ul", { class: "bars" }, ...parts.map(barOf))];
}

function barOf([name, { share }]) {
  const against = share < 0;
  const fill = make("span");
  fill.style.width = `${100 * Math.abs(share)}%`;
  return make(
    "li",
    {},
    make("span", { dir: "auto" }, name),
    make("span", { class: against ? "bar against" : "bar", "aria-hidden": "true" }, fill),
    make("span", { class: "number" }, `${against ? "− " : ""}${about(Math.abs(share))}`,
      against ? make("span", { class: "unseen" }, " against it") : null),
  );
}
