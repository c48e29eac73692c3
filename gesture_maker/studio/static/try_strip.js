// The gestures of a film over time: a coloured strip that is a slider, and the same as a list to jump from.

import { el, fill } from "./dom.js";
import { NONE, nameOf } from "./try_answer.js";
import { t } from "./texts.js";

const SHORTEST = 0.25; // seconds; what is shorter is a hand on its way, and not listed
const MOST = 60; // of the list
const COLOURS = ["--blue", "--orange", "--green", "--red"];

/**
 * Return {element, add(seconds, hand or null, rate), at(seconds), length(seconds), end()}.
 * `seek(seconds)` moves the film; `beside`: what stands before the slider.
 */
export function makeStrip(labels, seek, beside) {
  const bar = el("div", { class: "try-strip-bar", "aria-hidden": "true" });
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": t("try.position") });
  slider.addEventListener("input", () => seek(Number(slider.value)));
  const list = el("ol", { class: "try-stretches", "aria-label": t("try.stretches") });
  const timeline = el("div", { class: "try-timeline" }, beside, el("div", { class: "try-slider" }, bar, slider));
  const element = el("div", { class: "try-strip" }, timeline, list);
  const gestures = labels.filter((label) => label !== NONE);
  const stretches = []; // {gesture, from, to, canned}
  let total = 0;
  let now = "";
  return { element, add, at, length, end };

  function length(seconds) {
    if (!Number.isFinite(seconds) || seconds <= total) return;
    total = seconds;
    slider.max = seconds;
    for (const stretch of stretches) place(stretch);
  }

  function add(seconds, hand, rate) {
    const gesture = hand && hand.gesture !== NONE ? hand.gesture : "";
    const step = 1 / (rate || 25);
    length(seconds + step);
    const last = stretches.at(-1);
    if (last) {
      last.to = seconds;
      if (last.gesture !== gesture) offer(last);
    }
    if (!last || last.gesture !== gesture) {
      const part = el("span", { class: gesture ? "" : "empty" });
      if (gesture) part.style.setProperty("--colour", colourOf(gesture));
      stretches.push({ gesture, from: seconds, to: seconds + step, part, offered: false });
      bar.append(part);
    } else last.to = seconds + step;
    place(stretches.at(-1));
    if (last && last.gesture !== gesture) place(last);
  }

  function place({ part, from, to }) {
    part.style.setProperty("left", `${(100 * from) / total}%`);
    part.style.setProperty("width", `${(100 * (to - from)) / total}%`);
  }

  /** Put a stretch that is over into the list. */
  function offer(stretch) {
    if (stretch.offered || !stretch.gesture || stretch.to - stretch.from < SHORTEST || list.childElementCount >= MOST) return;
    stretch.offered = true;
    const text = t("try.stretch", { gesture: nameOf(stretch.gesture), from: clock(stretch.from), to: clock(stretch.to) });
    const chip = el("span", { class: "try-chip", "aria-hidden": "true", style: { "--colour": colourOf(stretch.gesture) } });
    list.append(el("li", {}, el("button", { type: "button", onclick: () => seek(stretch.from) }, chip, text)));
  }

  function end() {
    if (stretches.length) offer(stretches.at(-1));
    if (!list.childElementCount && stretches.length) fill(list, el("li", { class: "note" }, t("try.noStretches")));
  }

  function at(seconds) {
    slider.value = seconds;
    const found = stretches.find((one) => one.from <= seconds && seconds < one.to);
    const text = `${clock(seconds)}, ${found?.gesture ? nameOf(found.gesture) : t("try.none")}`;
    if (text !== now) slider.setAttribute("aria-valuetext", (now = text));
  }

  function colourOf(gesture) {
    const index = gestures.indexOf(gesture);
    const place = index < 0 ? gestures.length : index; // canned gestures
    const thin = Math.floor(place / COLOURS.length) % 2;
    return `rgb(var(${COLOURS[place % COLOURS.length]}) / ${thin ? 55 : 100}%)`;
  }
}

/** Return a time as 1:02.5. */
function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}
