// Play: a small shop that is used without touching anything, by a camera and the gestures of a run's bundle.

import { el, fill } from "./dom.js";
import { problem } from "./notices.js";
import { Pointer } from "./play_pointer.js";
import { makeSetup } from "./play_setup.js";
import { makeShop } from "./play_shop.js";
import { makeTouch } from "./play_touch.js";
import { makeStage } from "./stage.js";
import { t } from "./texts.js";
import { answerCamera } from "./try_stream.js";

const TICK = 100; // milliseconds between looks at the clock, for hands that are gone because no frame comes any more
const LATELY = 30; // answers over which delay and rate are told

/** Build the page into `root`. */
export function mount(root) {
  let pointer = null;
  let stream = null;
  let ticking = null;
  let late = 0; // milliseconds from the last frame's taking to its answer
  let answers = []; // [{at, late}] of the last frames
  const shop = makeShop();
  const touch = makeTouch(shop);
  const setup = makeSetup({ onchange: again });
  const stage = makeStage({ onstart: begin, onstop: end });
  const seen = el("p", { class: "seen" });
  const delay = el("p", { class: "note number" });
  const state = el("p", { class: "note", role: "status" });
  const steps = el(
    "ol",
    { class: "steps" },
    ["choose", "point", "click"].map((step) =>
      el("li", {}, el("strong", {}, t(`play.steps.${step}.title`)), " ", t(`play.steps.${step}.text`)),
    ),
  );
  const how = el("details", { open: true }, el("summary", {}, t("play.steps.title")), steps);
  const told = el("div", { class: "told" }, seen, delay, state);
  const aside = el("div", { class: "hand" }, el("div", { class: "corner" }, stage.element, told), setup.element, how);
  root.append(
    el("h1", {}, t("play.title")),
    el("p", { class: "lead" }, t("play.lead")),
    el("div", { class: "play-columns" }, aside, shop.element),
    touch.element,
  );
  return {
    show: () => setup.load().catch(problem),
    hide: () => stage.stop(),
  };

  function begin(camera) {
    root.classList.add("touchless");
    how.open = window.innerWidth > 830; // beside the panel, not above it
    ticking = setInterval(() => pointer && follow(pointer.wait((performance.now() - late) / 1000)), TICK);
    listen(camera);
    shop.element.scrollIntoView({ block: "nearest" });
  }

  function end() {
    clearInterval(ticking);
    stream?.close();
    stream = pointer = null;
    touch.leave();
    root.classList.remove("touchless");
    for (const line of [seen, delay, state]) fill(line);
  }

  /** Go on with what is chosen now. */
  function again() {
    if (!stage.camera) return;
    stream?.close();
    touch.leave();
    listen(stage.camera);
  }

  function listen(camera) {
    answers = [];
    stream = pointer = null;
    if (!setup.run) {
      fill(state, t("play.setup.noRun"));
      return;
    }
    pointer = new Pointer({ click: setup.click, grab: setup.grab });
    stream = answerCamera(camera, setup.run, {
      onanswer: answered,
      onstate: (now, sentence) => fill(state, now === "ready" ? "" : sentence || t(`play.stream.${now}`)),
    });
  }

  function answered(answer, milliseconds) {
    if (answer.error) {
      fill(state, answer.error);
      return;
    }
    late = milliseconds ?? late;
    const now = performance.now();
    const happened = pointer.update(answer.hands, (now - late) / 1000);
    stage.draw(answer.hands);
    follow(happened);
    answers = [...answers.slice(1 - LATELY), { at: now, late }];
    fill(delay, timing());
    fill(seen, what(answer.hands));
  }

  function follow(happened) {
    touch.show(pointer, happened);
    root.dataset.hand = pointer.state;
  }

  function what(hands) {
    if (!hands.length) return t("play.seen.nothing");
    const hand = pointer.followed ?? hands[0];
    const does = pointer.state === "moving" && !pointer.armed && hand.gesture !== "none" ? "waiting" : pointer.state;
    return t(`play.seen.${does}`, { gesture: hand.gesture });
  }

  function timing() {
    const delays = answers.map((one) => one.late).sort((a, b) => a - b);
    const passed = (answers.at(-1).at - answers[0].at) / 1000;
    const rate = passed > 0 ? (answers.length - 1) / passed : 0;
    return t("play.delay", { ms: Math.round(delays[delays.length >> 1]), rate: rate.toFixed(0) });
  }
}
