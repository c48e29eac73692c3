// All runs, the newest first: choose one to be shown, two to be compared, continue or remove one.

import { post } from "./api.js";
import { el, fill } from "./dom.js";
import { notice, problem } from "./notices.js";
import { count, t } from "./texts.js";
import { about, accuracy, interval, valueOf } from "./runs_words.js";

const FIRST = 12; // runs that are shown before a click for more

/**
 * Return the list: {element, update({runs, shown, compared, job})}. `onshow(name)`: show a run; `oncompare(names)`: which are chosen, two at
 * most, the ones chosen last.
 */
export function makeRunsList({ onshow, oncompare }) {
  const items = el("ul", { class: "runs" });
  const none = el("p", { class: "note" }, t("train.runs.none"));
  const more = el("button", { type: "button", hidden: true, onclick: () => ((all = true), update(now)) });
  const element = el("section", { class: "all-runs" }, el("h2", {}, t("train.runs.title")), none, items, more);
  let all = false;
  let now = null;
  let known = "";
  return { element, update };

  function update(told) {
    now = told;
    const { runs, shown, compared, job } = told;
    const working = job && ["running", "cancelling"].includes(job.state) ? job.run : null;
    const state = JSON.stringify([runs, shown, compared, working, all]);
    if (state === known) return;
    known = state;
    const focused = items.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    none.hidden = runs.length > 0;
    const visible = all ? runs : runs.slice(0, FIRST);
    fill(items, visible.map((run) => item(run, { shown, compared, working })));
    more.hidden = visible.length === runs.length;
    fill(more, count("train.runs.more", runs.length - visible.length));
    if (focused) [...items.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus();
  }

  function item(run, { shown, compared, working }) {
    const finished = run.state === "finished";
    const inWork = working === run.name;
    const changed = Object.entries(run.changed).map(([name, value]) => `${name} ${valueOf(value)}`);
    const state = inWork && !finished ? t("train.runs.running") : finished ? null : t("train.runs.unfinished");
    const button = (key, attributes) =>
      el(
        "button",
        { type: "button", "aria-label": t(`train.runs.${key}Of`, { run: run.name }), data: { key: `${key} ${run.name}` }, ...attributes },
        key === "continue" ? t("train.resume") : t(`train.runs.${key}`),
      );
    return el(
      "li",
      { class: run.name === shown ? "card run shown" : "card run", data: { run: run.name } },
      el("h3", {}, run.name, state ? el("span", { class: "state" }, state) : null),
      el("p", { class: "note" }, about(run), run.of_this_dataset ? null : ` · ${t("train.runs.other", { dataset: run.dataset })}`),
      finished ? el("p", {}, run.accuracy === null ? t("train.runs.unmeasured") : t("train.runs.accuracy", { accuracy: accuracy(run), interval: interval(run) })) : null,
      changed.length ? el("p", { class: "note" }, t("train.runs.changed", { settings: changed.join(", ") })) : null,
      el(
        "div",
        { class: "row" },
        finished ? button("show", { onclick: () => onshow(run.name), "aria-pressed": String(run.name === shown) }) : null,
        !finished && !inWork ? button("continue", { class: "primary", disabled: Boolean(working), onclick: (event) => goOn(run, event.currentTarget) }) : null,
        inWork ? null : button("remove", { onclick: () => remove(run) }),
        finished ? choice(run, compared) : null,
      ),
    );
  }

  function choice(run, compared) {
    const box = el("input", {
      type: "checkbox",
      checked: compared.includes(run.name),
      "aria-label": t("train.runs.compareOf", { run: run.name }),
      data: { key: `compare ${run.name}` },
      onchange: () => oncompare(box.checked ? [...compared, run.name].slice(-2) : compared.filter((name) => name !== run.name)),
    });
    return el("label", { class: "choice" }, box, t("train.runs.compare"));
  }
}

async function goOn(run, button) {
  button.disabled = true;
  try {
    await post("/api/train/resume", { run: run.name });
  } catch (error) {
    button.disabled = false;
    problem(error);
  }
}

async function remove(run) {
  try {
    const { undo } = await post("/api/runs/delete", { run: run.name });
    notice(t("train.runs.removed", { run: run.name }), {
      undo: async () => notice(t("train.runs.back", { run: (await post("/api/runs/undo", { undo })).run })),
    });
  } catch (error) {
    problem(error);
  }
}
