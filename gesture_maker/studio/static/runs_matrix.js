// A confusion matrix as a table: rows what photos show, columns what was answered, shaded by the share of the row.

import { el } from "./dom.js";
import { t } from "./texts.js";

const SHADES = 10; // classes shade-0 … shade-10 in train.css

/** Return the table of a confusion matrix {of, photos, labels, answers, counts}, in a region that scrolls by itself. */
export function matrixTable({ of, photos, labels, answers, counts }) {
  // The last answer is "no hand"; a column without a count that is no class says nothing.
  const columns = answers.map((_, index) => index).filter((index) => index < labels.length || counts.some((row) => row[index]));
  const named = (index) => (index === answers.length - 1 ? t("train.result.noHand") : answers[index]);
  const words = t(`train.result.matrixOf.${of}`, { n: photos.toLocaleString("en") });
  const table = el(
    "table",
    { class: "matrix" },
    el("caption", { class: "note" }, words),
    el(
      "thead",
      {},
      el("tr", {}, el("th", { scope: "col" }, t("train.result.shows")), columns.map((index) => el("th", { scope: "col" }, written(named(index))))),
    ),
    el(
      "tbody",
      {},
      labels.map((label, row) => {
        const total = counts[row].reduce((sum, one) => sum + one, 0);
        return el("tr", {}, el("th", { scope: "row" }, written(label)), columns.map((index) => cell(counts[row][index], total, index === row, label, named(index))));
      }),
    ),
  );
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("train.result.matrix") }, table);
}

function written(label) {
  return el("span", { class: "label" }, label); // as wide as it is, up to a limit: the table scrolls, names stay readable
}

function cell(n, total, right, label, answer) {
  const shade = total ? Math.ceil((SHADES * n) / total) : 0;
  const kind = right ? "right" : "wrong";
  return el("td", { class: `number shade-${shade} ${kind}`, title: t("train.result.cell", { n, label, answer }) }, n ? String(n) : "·");
}
