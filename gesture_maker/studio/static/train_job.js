// The work that is under way: its stages, how far it is, live curves, and how it ended.

import { post } from "./api.js";
import { el, fill } from "./dom.js";
import { problem } from "./notices.js";
import { t } from "./texts.js";
import { makeCurves } from "./train_curves.js";

const STAGES = {
  train: ["landmarks", "cross-validation", "training", "export", "diagnosis"],
  resume: ["cross-validation", "training", "export", "diagnosis"],
  diagnose: ["cross-validation", "diagnosis"],
  export: ["export"],
  report: ["report"],
}; // in their order; some may be left out

/** Return the view of a job: {element, update(job)}; it is hidden before the first. */
export function makeJobView() {
  const title = el("h2", {});
  const stages = el("ol", { class: "stages" });
  const bar = el("progress", {});
  const text = el("p", { class: "note number" });
  const said = el("p", { class: "visually-hidden", role: "status" });
  const cancel = el("button", { type: "button", onclick: () => post("/api/train/cancel").catch(problem) }, t("train.cancel"));
  const working = el("div", {}, stages, bar, text, el("div", { class: "row" }, cancel));
  const ending = el("div", {});
  const curves = makeCurves();
  const whose = el("h3", {});
  const drawn = el("div", {}, whose, curves.element, el("p", { class: "note" }, t("train.curves.note")));
  const element = el("section", { class: "card job", hidden: true }, title, working, ending, drawn, said);
  let shown = "";
  return { element, update };

  function update(job) {
    element.hidden = !job || (job.state === "finished" && !["train", "resume"].includes(job.kind));
    if (!job) return;
    const over = !["running", "cancelling"].includes(job.state);
    fill(title, t(`train.doing.${job.kind}`, { run: job.run }));
    working.hidden = over;
    ending.hidden = !over;
    drawn.hidden = !["train", "resume"].includes(job.kind) || (over && !job.epochs.length) || job.state === "finished";
    cancel.disabled = job.state !== "running";
    if (!over) progress(job);
    if (!drawn.hidden) draw(job);
    const now = `${job.number} ${job.state}`;
    if (over && now !== shown) ended(job);
    shown = now;
  }

  function draw({ epochs, of_epochs: of }) {
    const final = epochs.at(-1)?.stage !== "cross-validation";
    fill(whose, t(final ? "train.curves.title" : "train.curves.validating"));
    curves.draw(epochs, of);
  }

  function progress({ kind, state, stages: gone, done, total }) {
    const stage = gone.at(-1) ?? "starting";
    const at = gone.length - 1;
    const order = [...gone, ...STAGES[kind].slice(STAGES[kind].indexOf(stage) + 1)];
    const words = state === "cancelling" ? t("train.cancelling") : t(`train.stage.${stage}`);
    if (said.textContent !== words) fill(said, words);
    fill(
      stages,
      order.map((one, index) =>
        el(
          "li",
          { class: index < at ? "done" : index === at ? "now" : "later", "aria-current": index === at ? "step" : null },
          t(`train.stage.${one}`),
          index < at ? el("span", { class: "visually-hidden" }, ` (${t("train.done")})`) : null,
        ),
      ),
    );
    bar.setAttribute("aria-label", words);
    if (total) {
      bar.max = total;
      bar.value = done;
    } else bar.removeAttribute("value");
    fill(text, state === "cancelling" || !total ? words : t("train.of", { done: done.toLocaleString("en"), total: total.toLocaleString("en") }));
  }

  function ended(job) {
    const words = told(job);
    fill(said, words);
    const again = el("button", { type: "button", class: "primary", onclick: () => goOn(job.run, again) }, t("train.resume"));
    fill(
      ending,
      job.state === "failed" ? el("p", {}, el("strong", { class: "bad-text" }, t("train.failed"))) : null,
      el("p", {}, words),
      job.resumable ? again : null,
    );
  }

  async function goOn(run, button) {
    button.disabled = true;
    await post("/api/train/resume", { run }).catch((error) => {
      button.disabled = false;
      problem(error);
    });
  }
}

function told({ kind, state, run, sentence, resumable, trained }) {
  const values = { run };
  const training = ["train", "resume"].includes(kind);
  if (state === "failed") return sentence;
  if (state === "finished") return training ? t("train.finished", values) : t(`train.made.${kind}`, values);
  if (!training) return t("train.cancelledOther");
  if (trained) return t("train.cancelledTrained", values);
  return t(resumable ? "train.cancelledRun" : "train.cancelled", values);
}
