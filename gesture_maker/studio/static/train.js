// The page "Train": what will be learned, a training as it goes on, what came of it, and all runs.

import { get } from "./api.js";
import { el, fill } from "./dom.js";
import { on } from "./events.js";
import { notice, problem } from "./notices.js";
import { t } from "./texts.js";
import { comparison } from "./runs_compare.js";
import { makeResult } from "./runs_result.js";
import { makeRunsList } from "./runs_list.js";
import { makeForm } from "./train_form.js";
import { makeJobView } from "./train_job.js";

const MADE = { diagnose: true, export: true, report: true }; // kinds of work whose outcome is seen elsewhere on the page

/** Build the page into `root`. */
export function mount(root) {
  const jobView = makeJobView();
  const form = makeForm({ onstart: () => jobView.element.scrollIntoView({ block: "nearest" }) });
  const result = makeResult();
  const compared = el("div", {});
  const list = makeRunsList({ onshow: choose, oncompare: compare });
  let visible = false;
  let runs = [];
  let job = null;
  let chosen = null; // the run that the user wants to see; without one the newest
  let pair = [];
  let asked = 0;
  root.append(
    el("h1", {}, t("shell.tabs.train")),
    el("div", { class: "train-top" }, form.element, el("div", { class: "outcome" }, jobView.element, result.element)),
    compared,
    list.element,
  );
  on("dataset", () => visible && form.refresh().catch(problem));
  on("runs", (told) => took(told.runs));
  on("job", (told) => {
    const working = (one) => ["running", "cancelling"].includes(one?.state);
    const ended = working(job) && !working(told);
    if (told && told.trained && told.number !== chosen?.job) chosen = { name: told.run, job: told.number };
    job = told;
    form.busy(working(job));
    jobView.update(job);
    if (ended && job.state === "finished" && job.kind in MADE) notice(t(`train.made.${job.kind}`, { run: job.run }));
    if (ended && visible) form.refresh().catch(problem); // the next run has another name
    update();
  });
  on("back", refresh);
  return {
    show() {
      visible = true;
      refresh();
    },
    hide() {
      visible = false;
    },
  };

  function refresh() {
    if (!visible) return;
    form.refresh().catch(problem);
    get("/api/runs").then((told) => took(told.runs), problem);
    get("/api/train/job").then((told) => {
      if (told.job && (!job || told.job.number >= job.number)) jobView.update((job = told.job));
      form.busy(["running", "cancelling"].includes(job?.state));
    }, problem);
  }

  function took(told) {
    runs = told;
    const names = new Set(runs.map((run) => run.name));
    if (chosen && !names.has(chosen.name)) chosen = null;
    const left = pair.filter((name) => names.has(name));
    if (left.length !== pair.length) compare(left);
    update();
  }

  function shownName() {
    return chosen?.name ?? runs.find((run) => run.state === "finished")?.name ?? null;
  }

  function update() {
    list.update({ runs, shown: shownName(), compared: pair, job });
    showResult().catch(problem);
  }

  /** Show the chosen run, or the newest; what is answered too late is passed over. */
  async function showResult() {
    const name = shownName();
    const busy = ["running", "cancelling"].includes(job?.state);
    const key = JSON.stringify([name, busy, runs.find((run) => run.name === name)?.version]);
    if (key === asked) return;
    asked = key;
    const run = name ? await get("/api/runs/one", { run: name }) : null;
    if (asked === key) result.show(run, busy);
  }

  function choose(name) {
    chosen = { name, job: job?.number };
    update();
    result.element.scrollIntoView({ block: "nearest" });
    result.element.focus({ preventScroll: true });
  }

  async function compare(names) {
    pair = names;
    update();
    if (pair.length < 2) {
      fill(compared);
      return;
    }
    const [one, two] = await Promise.all(pair.map((run) => get("/api/runs/one", { run })));
    if (pair !== names) return;
    fill(compared, comparison(one, two, () => compare([]).then(() => list.element.querySelector("[data-key^=compare]")?.focus())));
    compared.firstElementChild.scrollIntoView({ block: "nearest" });
    compared.firstElementChild.focus({ preventScroll: true });
  }
}
