// What will be trained on, the button that trains, and its settings.

import { get, post } from "./api.js";
import { el, fill } from "./dom.js";
import { count, t } from "./texts.js";
import { makeSettings } from "./train_settings.js";

/** Return the form: {element, refresh(), busy(is)}. `refresh` asks the studio what there is to train on; `onstart`: a training was begun. */
export function makeForm({ onstart }) {
  const settings = makeSettings();
  const table = el("div", { class: "scroll" });
  const about = el("div", {});
  const error = el("p", { class: "bad-text", role: "alert" });
  const note = el("p", { class: "note", id: "train-busy" });
  const button = el("button", { type: "submit", class: "primary train-button", disabled: true }, t("train.start"));
  let ready = false;
  let busy = false;
  let asking = null;
  const element = el(
    "form",
    { class: "card", novalidate: true, onsubmit: start },
    el("h2", {}, t("train.what")),
    table,
    about,
    el("div", { class: "row" }, button, note),
    error,
    settings.element,
  );
  return { element, refresh, busy: setBusy };

  function setBusy(is) {
    busy = is;
    show();
  }

  function show() {
    button.disabled = busy || !ready;
    fill(note, busy ? t("train.busy") : "");
  }

  /** Ask once more what there is; calls that come meanwhile are answered by one more question. */
  function refresh() {
    if (asking) {
      asking.again = true;
      return asking.done;
    }
    asking = { again: false };
    asking.done = ask().finally(() => {
      const again = asking.again;
      asking = null;
      if (again) refresh();
    });
    return asking.done;
  }

  async function ask() {
    const [now, told] = await Promise.all([get("/api/train/ready"), get("/api/train/settings")]);
    ready = now.ready;
    settings.offer(told);
    fill(table, now.classes.length ? classes(now) : null);
    fill(
      about,
      now.pending ? el("p", { class: "note" }, `${count("train.pending", now.pending)}.`) : null,
      now.problems.map((sentence) => el("p", { class: "warn" }, sentence)),
      now.problems.length ? el("p", {}, el("a", { class: "button", href: "#collect" }, t("train.collect"))) : null,
      hints(now.hints, about.querySelector("details")?.open),
    );
    show();
  }

  async function start(event) {
    event.preventDefault();
    fill(error);
    if (button.disabled) return;
    button.disabled = true;
    try {
      await post("/api/train/start", { settings: settings.values() });
      onstart();
    } catch (problem) {
      fill(error, problem.message);
      show();
    }
  }
}

function classes({ classes: all, photos, usable }) {
  const row = (name, one, Cell = "td") =>
    el("tr", {}, el("th", { scope: "row" }, el("span", { class: "label" }, name)), el(Cell, { class: "number" }, number(one.photos)), el(Cell, { class: "number" }, number(one.usable)));
  const heads = ["class", "photos", "usable"].map((key) => el("th", { scope: "col" }, t(`train.${key}`)));
  return el(
    "table",
    { class: "classes" },
    el("thead", {}, el("tr", {}, heads)),
    el("tbody", {}, all.map((one) => row(one.label, one))),
    all.length > 1 ? el("tfoot", {}, row(t("train.total"), { photos, usable })) : null,
  );
}

function hints(sentences, open) {
  if (!sentences.length) return null;
  return el(
    "details",
    { open: Boolean(open) },
    el("summary", {}, count("train.better", sentences.length)),
    el("ul", { class: "sentences" }, sentences.map((sentence) => el("li", {}, sentence))),
  );
}

function number(value) {
  return value.toLocaleString("en");
}
