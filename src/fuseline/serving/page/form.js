// The form: a field for everything that a row of the model may hold.

import { make, named, say, tell } from "./dom.js";

const MEDIA = ["image", "audio", "video"];
const VIEWERS = {
  image: (source) => make("img", { src: source, alt: "Preview of the picture" }),
  audio: (source) => make("audio", { src: source, controls: true, "aria-label": "Preview" }),
  video: (source) => make("video", { src: source, controls: true, "aria-label": "Preview" }),
};

/** The fields of a model's rows, in their order. */
export class Fields {
  constructor(facts, place, changed) {
    this.changed = changed;
    const texts = facts.fields.filter(({ kind }) => kind === "text").length;
    this.all = facts.fields.map((one, number) => this.build(one, number, facts.limits, texts));
    const cells = this.all.filter(({ kind }) => kind === "cell");
    place.append(...this.all.filter(({ kind }) => kind !== "cell").map(({ element }) => element));
    if (cells.length) {
      const legend = make("legend", {}, named("tabular"));
      const grid = make("div", { class: "cells" }, ...cells.map(({ element }) => element));
      place.append(make("fieldset", {}, legend, grid));
    }
    this.takeDrops();
  }

  build(fact, number, limits, texts) {
    const id = `field-${number}`;
    if (fact.kind === "text") return new TextField(fact, id, texts, this.changed);
    if (fact.kind === "cell") return new CellField(fact, id, this.changed);
    return new MediaField(fact, id, limits[`max_${fact.kind}_bytes`], this.changed);
  }

  /** Files that are dropped beside a field, or pasted, go where they fit. */
  takeDrops() {
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (event.defaultPrevented) return;
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
    document.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) this.take(event.clipboardData.files);
    });
  }

  take(files) {
    for (const file of files) {
      const fitting = this.all.filter(({ kind }) => file.type.startsWith(`${kind}/`));
      const field = fitting.find((one) => !one.file) ?? fitting[0];
      if (field) field.choose(file);
      else say(`The model takes no files such as ${file.name}.`);
    }
  }

  /** What is filled in, as parts of a form: `[name, text or file]`. */
  get parts() {
    const media = MEDIA.flatMap((kind) => placed(this.of(kind)));
    return [...this.texts, ...media, ...this.of("cell").flatMap((one) => one.parts)];
  }

  get texts() {
    const texts = this.of("text");
    return texts.some((one) => one.value) ? texts.map((one) => ["text", one.value]) : [];
  }

  of(kind) {
    return this.all.filter((one) => one.kind === kind);
  }

  clear() {
    for (const field of this.all) field.fill(null);
  }

  /** Fill in a row as `/v1/predict` takes it. */
  fill(row) {
    const texts = [row.text ?? []].flat();
    const given = { image: [row.image ?? []].flat(), audio: [row.audio], video: [row.video] };
    this.of("text").forEach((field, place) => field.fill(texts[place] ?? null));
    for (const kind of MEDIA) {
      this.of(kind).forEach((field, place) => field.fill(given[kind][place] ?? null));
    }
    for (const field of this.of("cell")) field.fill(row.cells?.[field.name] ?? null);
  }

  /** The field that a failure is about, if it says so. */
  fieldOf({ reason, message }) {
    const said = `${reason} ${reason ? "" : message}`;
    const kinds = { text: /text|personal_data|harmful/, image: /image/, audio: /audio/ };
    const patterns = { ...kinds, video: /video/, cell: /\bcell/ };
    const kind = Object.keys(patterns).find((name) => patterns[name].test(said));
    const fields = this.of(kind);
    return fields.find((one) => one.isGiven) ?? fields[0] ?? null;
  }

  hush() {
    for (const field of this.all) field.tell("");
  }
}

/** Files of one kind by their places; an empty one stands where none was chosen before the last. */
function placed(fields) {
  const last = fields.findLastIndex((one) => one.file);
  return fields.slice(0, last + 1).map(({ kind, file }) => [kind, file ?? new File([], "")]);
}

class Field {
  constructor(fact, id) {
    this.kind = fact.kind;
    this.name = fact.name;
    this.error = make("p", { id: `${id}-error`, class: "error", hidden: true });
  }

  tell(message) {
    tell(this.error, message, this.input);
  }

  focus() {
    this.input.focus();
  }
}

class TextField extends Field {
  constructor(fact, id, texts, changed) {
    super(fact, id);
    const rows = texts > 1 ? 2 : 3;
    const described = { "aria-describedby": `${id}-error` };
    this.input = make("textarea", { id, rows, dir: "auto", oninput: changed, ...described });
    const label = make("label", { for: id }, texts > 1 ? fact.name : named("text"));
    this.element = make("div", { class: "field" }, label, this.input, this.error);
  }

  /** As a form sends it: places in the answer count from there. */
  get value() {
    return this.input.value.replace(/\r?\n/g, "\r\n");
  }

  get isGiven() {
    return Boolean(this.input.value);
  }

  fill(text) {
    this.input.value = text ?? "";
  }
}

const INPUTS = {
  number: { type: "text", inputmode: "decimal" },
  date: { type: "date" },
  time: { type: "datetime-local", step: 1 },
};

class CellField extends Field {
  constructor(fact, id, changed) {
    super(fact, id);
    const described = { "aria-describedby": `${id}-hint ${id}-error`, autocomplete: "off" };
    this.input = make("input", { id, ...INPUTS[fact.values], ...described, oninput: changed });
    if (fact.values === "category") {
      this.input = make("select", { id, onchange: changed, ...described });
      this.input.append(make("option", { value: "" }, "not known"));
      this.input.append(...fact.choices.map((one) => make("option", { value: one }, one)));
    }
    const hint = make("p", { id: `${id}-hint`, class: "hint" });
    if (fact.range) hint.textContent = `${short(fact.range[0])} to ${short(fact.range[1])}`;
    const label = make("label", { for: id }, fact.name);
    this.element = make("div", { class: "field" }, label, this.input, hint, this.error);
  }

  get isGiven() {
    return Boolean(this.input.value);
  }

  get parts() {
    return this.isGiven ? [["cell", `${this.name}=${this.input.value}`]] : [];
  }

  fill(value) {
    this.input.value = value ?? "";
  }
}

class MediaField extends Field {
  constructor(fact, id, limit, changed) {
    super(fact, id);
    Object.assign(this, { limit, changed, source: "" });
    const described = `${id}-hint ${id}-error`;
    this.input = make("input", {
      id,
      type: "file",
      accept: `${fact.kind}/*`,
      onchange: () => this.show(),
      "aria-describedby": described,
    });
    this.preview = make("div", { class: "preview", hidden: true });
    const noun = named(fact.kind).toLowerCase();
    this.remover = make(
      "button",
      { type: "button", class: "quiet", hidden: true, onclick: () => this.remove() },
      `Remove the ${noun}`,
    );
    const hint = make("p", { id: `${id}-hint`, class: "hint" });
    hint.textContent = `Choose a ${noun}, or drop one here; up to ${bytes(limit)}.`;
    const label = make("label", { for: id }, fact.name ?? named(fact.kind));
    const parts = [this.input, hint, this.preview, this.remover];
    this.zone = make("div", { class: "drop" }, ...parts);
    this.element = make("div", { class: "field" }, label, this.zone, this.error);
    this.takeDrops();
  }

  takeDrops() {
    const over = (is) => () => this.zone.classList.toggle("over", is);
    this.zone.addEventListener("dragenter", over(true));
    this.zone.addEventListener("dragover", over(true));
    this.zone.addEventListener("dragleave", over(false));
    this.zone.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false)();
      if (event.dataTransfer.files.length) this.choose(event.dataTransfer.files[0]);
    });
  }

  get file() {
    return this.input.files[0] ?? null;
  }

  get isGiven() {
    return this.file !== null;
  }

  choose(file) {
    const held = new DataTransfer();
    if (file) held.items.add(file);
    this.input.files = held.files;
    this.show();
  }

  remove() {
    this.choose(null);
    this.focus();
  }

  /** Take a medium as `/v1/predict` does. */
  fill(medium) {
    if (!medium) return this.choose(null);
    const content = Uint8Array.from(atob(medium.base64), (one) => one.charCodeAt(0));
    return this.choose(new File([content], medium.name ?? `sample-${this.kind}`));
  }

  show() {
    if (this.source) URL.revokeObjectURL(this.source);
    this.source = "";
    this.tell("");
    if (this.file?.size > this.limit) {
      const size = `${this.file.name} has ${bytes(this.file.size)}`;
      this.input.value = "";
      this.tell(`${size}: more than the ${bytes(this.limit)} that the model was trained to take.`);
    }
    this.preview.replaceChildren(...(this.file ? [this.viewer()] : []));
    this.preview.hidden = this.remover.hidden = !this.file;
    this.changed();
  }

  viewer() {
    this.source = URL.createObjectURL(this.file);
    const viewer = VIEWERS[this.kind](this.source);
    viewer.addEventListener("error", () => {
      const said = make("p", { class: "hint" }, "This browser has no preview of it.");
      viewer.replaceWith(said);
    });
    return viewer;
  }
}

/** A number with as many digits as say something. */
const short = (number) => Number(number.toPrecision(4)).toLocaleString("en");

function bytes(count) {
  const [unit, size] = count >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${Number((count / size).toPrecision(3))}\u00a0${unit}`;
}
