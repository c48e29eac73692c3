// Two runs side by side: how well they do, in which settings they differ, who is taken for whom.

import { el } from "./dom.js";
import { t } from "./texts.js";
import { matrixTable } from "./runs_matrix.js";
import { accuracy, interval, valueOf, when } from "./runs_words.js";

/** Return the comparison of two runs as /api/runs/one gives them. `onclose` is called by its button. */
export function comparison(one, two, onclose) {
  const both = [one, two];
  const facts = [
    ["accuracy", accuracy],
    ["interval", interval],
    ["when", when],
    ["photos", (run) => run.photos.toLocaleString("en")],
    ["hands", (run) => run.hands.toLocaleString("en")],
    ["classes", (run) => run.labels.join(", ")],
  ].map(([key, say]) => [t(`train.compare.${key}`), ...both.map(say)]);
  const names = [...new Set(both.flatMap((run) => Object.keys(run.settings)))];
  const differing = names
    .map((name) => [el("code", {}, name), ...both.map((run) => valueOf(run.settings[name]))])
    .filter(([, first, second]) => first !== second);
  return el(
    "section",
    { class: "card compared", tabindex: "-1", "aria-label": title(one, two) },
    el("div", { class: "row" }, el("h2", {}, title(one, two)), el("button", { type: "button", onclick: onclose }, t("train.compare.close"))),
    el("p", {}, verdict(one, two)),
    one.fingerprint === two.fingerprint ? null : el("p", { class: "note" }, t("train.compare.photosDiffer")),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": title(one, two) },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("train.compare.what")), both.map((run) => el("th", { scope: "col" }, run.name)))),
        el("tbody", {}, [...facts, ...differing].map(([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name), values.map((value) => el("td", {}, value))))),
      ),
    ),
    differing.length ? null : el("p", { class: "note" }, t("train.compare.same")),
    el(
      "div",
      { class: "split" },
      both.map((run) => el("div", {}, el("h3", {}, run.name), run.confusion ? matrixTable(run.confusion) : el("p", { class: "note" }, t("train.runs.unmeasured")))),
    ),
  );
}

function title(one, two) {
  return t("train.compare.title", { one: one.name, two: two.name });
}

function verdict(one, two) {
  if (one.low === null || two.low === null) return t("train.compare.unknown");
  const [better, other] = one.accuracy >= two.accuracy ? [one, two] : [two, one];
  return better.low > other.high ? t("train.compare.apart", { run: better.name }) : t("train.compare.overlap");
}
