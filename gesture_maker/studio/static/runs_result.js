// What is to be said of one run: how well it does, who is taken for whom, doubtful photos, advice, its files.

import { address, post } from "./api.js";
import { el, fill, percent } from "./dom.js";
import { notice, problem } from "./notices.js";
import { count, t } from "./texts.js";
import { makeCurves } from "./train_curves.js";
import { matrixTable } from "./runs_matrix.js";
import { about, valueOf } from "./runs_words.js";

const FIRST = 12; // doubtful photos that are shown before a click for more
const FILES = ["task", "card", "report", "labels", "curves", "confusion", "split"];

/** Return the view of a run: {element, show(run, busy)}; `show(null)` says that there is none. `busy`: no work can be begun now. */
export function makeResult() {
  const element = el("section", { class: "card result", tabindex: "-1" });
  let known = "";
  return { element, show };

  function show(run, busy) {
    const now = JSON.stringify([run, busy]);
    if (now === known) return; // nothing would change but the focus
    known = now;
    const open = [...element.querySelectorAll("details[open]")].map((one) => one.dataset.part);
    if (!run) fill(element, el("p", { class: "note" }, t("train.result.none")));
    else fill(element, head(run), run.state === "finished" ? whole(run, busy) : el("p", { class: "warn" }, t("train.result.unfinished")));
    for (const part of open) element.querySelector(`details[data-part="${part}"]`)?.setAttribute("open", "");
  }
}

function head(run) {
  return [el("h2", {}, t("train.result.title", { run: run.name })), el("p", { class: "note" }, about(run))];
}

function whole(run, busy) {
  const sentences = run.sentences.length ? run.sentences : [t("train.result.noEstimate")];
  const curves = makeCurves();
  curves.draw(run.history);
  return [
    el("p", { class: "estimate" }, sentences[0]),
    sentences.slice(1).map((sentence) => el("p", {}, sentence)),
    run.warnings.length ? part("warnings", t("train.result.warnings"), list(run.warnings)) : null,
    files(run, busy),
    run.confusion ? [el("h3", {}, t("train.result.matrix")), matrixTable(run.confusion)] : null,
    doubtful(run, busy),
    run.diagnosis?.advice?.length ? [el("h3", {}, t("train.result.advice")), list(run.diagnosis.advice)] : null,
    run.history.length ? part("curves", t("train.curves.title"), curves.element) : null,
    part("settings", t("train.result.settings"), settings(run)),
  ].flat();
}

function part(name, title, ...children) {
  return el("details", { data: { part: name } }, el("summary", {}, title), ...children);
}

function list(sentences) {
  return el("ul", { class: "sentences" }, sentences.map((sentence) => el("li", {}, sentence)));
}

function work(kind, run, key, busy) {
  const button = el(
    "button",
    {
      type: "button",
      disabled: busy,
      onclick: () => {
        button.disabled = true;
        post(`/api/runs/${kind}`, { run: run.name }).catch((error) => {
          button.disabled = false;
          problem(error);
        });
      },
    },
    t(key),
  );
  return button;
}

function files(run, busy) {
  const there = FILES.filter((what) => run.files.includes(what));
  const links = there.map((what) =>
    el(
      "a",
      { class: what === "task" ? "button primary" : "button", href: address("/api/runs/file", { run: run.name, what }), download: "" },
      t(`train.result.${what}`),
    ),
  );
  const report = !there.includes("report") && run.bundle;
  return [
    el("h3", {}, t("train.result.files")),
    el(
      "div",
      { class: "row files" },
      links,
      run.bundle ? null : work("export", run, "train.result.makeTask", busy),
      report ? work("report", run, "train.result.makeReport", busy) : null,
    ),
    el("p", { class: "note" }, t(run.tested ? "train.result.reportTest" : "train.result.reportTrained")),
    el("p", { class: "note" }, ...around("train.result.path", "path", el("code", {}, run.path))),
  ];
}

/** Return a text's parts with an element in the place of {name}. */
function around(key, name, element) {
  const [before, after] = t(key, { [name]: "\0" }).split("\0");
  return [before, element, after];
}

function doubtful(run, busy) {
  const title = el("h3", {}, t("train.result.suspects"));
  if (!run.diagnosis) {
    const button = work("diagnose", run, "train.result.diagnose", busy);
    return [title, el("div", { class: "row" }, el("p", { class: "note" }, t("train.result.noDiagnosis")), button)];
  }
  const suspects = run.diagnosis.suspects ?? [];
  if (!suspects.length) return [title, el("p", { class: "note" }, t("train.result.noSuspects"))];
  const shown = el("ul", { class: "suspects" }, suspects.slice(0, FIRST).map((one) => suspect(one, run)));
  const rest = suspects.slice(FIRST);
  const more = el(
    "button",
    {
      type: "button",
      onclick: () => {
        const added = rest.map((one) => suspect(one, run));
        shown.append(...added);
        more.remove();
        added[0].querySelector("button, figcaption")?.focus();
      },
    },
    count("train.result.more", rest.length),
  );
  return [title, el("p", { class: "note" }, t("train.result.suspectsNote")), shown, rest.length ? more : null];
}

function suspect({ file, label, answer, score }, run) {
  const words = t("train.result.suspect", { label, answer, score: percent(score, 0) });
  const gone = () => el("p", { class: "gone-photo note" }, t("train.result.gone"));
  const item = el("li", {});
  const picture = run.of_this_dataset
    ? el("img", {
        src: address("/api/photo", { file, side: 160 }),
        alt: t("train.result.picture", { file }),
        loading: "lazy",
        onerror: () => {
          picture.replaceWith(gone());
          remove?.remove();
        },
      })
    : gone();
  const remove = run.of_this_dataset
    ? el("button", { type: "button", "aria-label": `${t("train.result.remove")}: ${file}`, onclick: () => removePhoto(file, item) }, t("train.result.remove"))
    : null;
  item.append(el("figure", {}, picture, el("figcaption", { tabindex: "-1" }, words, el("br"), el("code", {}, file))));
  if (remove) item.append(remove);
  return item;
}

async function removePhoto(file, item) {
  try {
    const { undo } = await post("/api/photos/delete", { files: [file] });
    const back = item.nextElementSibling ?? item.previousElementSibling;
    item.hidden = true;
    back?.querySelector("button")?.focus();
    notice(t("train.result.removed", { file }), {
      undo: async () => {
        await post("/api/undo", { undo });
        item.hidden = false;
      },
    });
  } catch (error) {
    problem(error);
  }
}

function settings(run) {
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ["setting", "value"].map((key) => el("th", { scope: "col" }, t(`train.result.${key}`))))),
      el(
        "tbody",
        {},
        Object.entries(run.settings).map(([name, value]) =>
          el("tr", {}, el("th", { scope: "row" }, el("code", {}, name)), el("td", {}, name in run.changed ? el("strong", {}, valueOf(value)) : valueOf(value))),
        ),
      ),
    ),
  );
}
