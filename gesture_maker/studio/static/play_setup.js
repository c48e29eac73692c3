// Which bundle is played with, and which of its gestures click and grab. Remembered in the browser.

import { get } from "./api.js";
import { el, fill } from "./dom.js";
import { on } from "./events.js";
import { problem } from "./notices.js";
import { CANNED, chosen } from "./play_choices.js";
import { t } from "./texts.js";

const KEPT = "gesture-maker.play";

/**
 * Return {element, run, click, grab, load()}. `onchange()` is called when any of them changes; `run` is null while there is no
 * run with a bundle, `grab` where nothing grabs.
 */
export function makeSetup({ onchange }) {
  const setup = { element: null, run: null, click: null, grab: null, load };
  const choose = { run: select("run"), click: select("click"), grab: select("grab") };
  const missing = el("p", { class: "warn", hidden: true }, t("play.setup.noRun"), " ", el("a", { href: "#train" }, t("play.setup.train")));
  const fields = el("div", { class: "fields" }, Object.entries(choose).map(([name, one]) => el("label", {}, t(`play.setup.${name}`), one)));
  setup.element = el("fieldset", { class: "setup" }, el("legend", {}, t("play.setup.title")), missing, fields);
  let runs = null; // those with a bundle, the newest first
  let canned = []; // of the chosen run
  const kept = recall();
  on("runs", (told) => runs && take(told));
  return setup;

  function select(name) {
    return el("select", { data: { choice: name }, onchange: () => changed(name) });
  }

  /** Ask which runs there are. */
  async function load() {
    try {
      await take(await get("/api/runs"));
    } catch (error) {
      problem(error);
    }
  }

  async function take(told) {
    const before = setup.run;
    runs = (told.runs ?? told).filter((run) => run.bundle);
    fill(choose.run, runs.map((run) => el("option", { value: run.name }, run.name)));
    const wanted = [before, kept.run].find((name) => runs.some((run) => run.name === name));
    setup.run = wanted ?? runs[0]?.name ?? null;
    choose.run.value = setup.run ?? "";
    missing.hidden = runs.length > 0;
    fields.hidden = !runs.length;
    if (setup.run !== before) await turn();
  }

  async function changed(name) {
    const before = setup[name];
    setup[name] = choose[name].value || null;
    if (name === "run") {
      keep();
      await turn();
      return;
    }
    // One gesture cannot do both: they change places.
    const other = name === "click" ? "grab" : "click";
    if (setup[other] === setup[name]) setup[other] = before;
    offer();
    keep();
    onchange();
  }

  /** Turn to the chosen run's gestures. */
  async function turn() {
    const run = runs.find((one) => one.name === setup.run);
    canned = run && (await hasCanned(run)) ? CANNED : [];
    if (run?.name !== setup.run) return; // another was chosen meanwhile
    const wanted = { click: kept.click, grab: kept.grab };
    Object.assign(setup, chosen([...(run?.labels ?? []), ...canned], wanted));
    offer();
    onchange();
  }

  /** Whether the run's bundle knows Google's gestures too: it does with Google's embedder only. */
  async function hasCanned(run) {
    try {
      return (await get("/api/runs/one", { run: run.name })).settings?.embedder === "mediapipe";
    } catch {
      return false; // without them it can be played all the same
    }
  }

  function offer() {
    const labels = runs.find((one) => one.name === setup.run)?.labels ?? [];
    const options = (one, none) => [
      ...(none ? [el("option", { value: "" }, t("play.setup.nothing"))] : []),
      ...labels.filter((label) => label !== "none").map((label) => el("option", { value: label }, label)),
      ...(canned.length ? [el("optgroup", { label: t("play.setup.canned") }, canned.map((label) => el("option", { value: label }, label)))] : []),
    ];
    for (const name of ["click", "grab"]) {
      fill(choose[name], options(name, name === "grab" || !setup.click));
      choose[name].value = setup[name] ?? "";
    }
  }

  function keep() {
    Object.assign(kept, { run: setup.run, click: setup.click, grab: setup.grab });
    try {
      localStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // a browser that keeps nothing: it is asked again next time
    }
  }

  function recall() {
    try {
      return JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      return {};
    }
  }
}
