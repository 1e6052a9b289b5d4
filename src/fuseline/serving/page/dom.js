// Elements are made of text alone: nothing that comes from a model or a visitor is read as HTML.

/** Make an element.
 * @param {string} tag
 * @param {Object} attributes; `class`, `on<event>` functions, properties such as `hidden`
 * @param {...(Node|string|null)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);

/** A share as people read it. */
export function percent(share) {
  if (share > 0.9995) return "> 99.9 %";
  if (share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** A share that stands in a sentence. */
export const about = (share) => `${Number((100 * share).toFixed(1))} %`;

/** Say something to those who do not see the page. */
export function say(text) {
  find("status").textContent = text;
}

/** Show or hide a message; the fields that it describes are marked. */
export function tell(element, message, field = null) {
  element.textContent = message;
  element.hidden = !message;
  if (field) {
    if (message) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

const NAMES = { text: "Text", image: "Picture", audio: "Sound", video: "Video", tabular: "Table" };

/** What people call a modality. */
export const named = (kind) => NAMES[kind] ?? kind;

/** A list in a sentence. */
export function listed(words, last = "and") {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}
