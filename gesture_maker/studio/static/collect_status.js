// What is being recorded, what became of it, and what the space bar would do: for eyes at once, for ears now and then.

import { el, fill } from "./dom.js";
import { t, count } from "./texts.js";

const SPOKEN_SECONDS = 5; // between two counts that are read out during a long press

/**
 * Return {element, update(recorder, {camera, ready, selected}), say(text)}. `takeBack(press)`: delete what a press
 * recorded.
 */
export function makeStatus({ takeBack }) {
  const line = el("p", { class: "line" });
  const slow = el("p", { class: "warn", hidden: true }, t("collect.status.slow"));
  const back = el(
    "button",
    { type: "button", hidden: true, data: { act: "take-back", server: "" } },
    t("collect.status.takeBack"),
  );
  const space = el("p", { class: "note" });
  const spoken = el("p", { class: "visually-hidden", role: "status" });
  const element = el("div", { class: "status" }, line, back, slow, space, spoken);
  let shown = null;
  let spokenAt = 0;
  let was = null; // the press that was open at the last update
  back.addEventListener("click", () => back.ariaDisabled !== "true" && shown && takeBack(shown));
  return { element, update, say };

  function say(text) {
    if (spoken.textContent !== text) spoken.textContent = text;
  }

  function update(recorder, { camera, ready, selected }) {
    const { press, last } = recorder;
    const now = performance.now();
    const current = press ?? last;
    if (press && press !== was) {
      spokenAt = now;
      say(t("collect.status.recording", { label: press.label }));
    } else if (press && now - spokenAt > 1000 * SPOKEN_SECONDS) {
      spokenAt = now;
      say(count("collect.photos", press.taken));
    }
    was = press;
    const loading = camera && !ready;
    element.classList.toggle("recording", Boolean(press));
    if (press) {
      const words = el("strong", {}, t("collect.status.recording", { label: press.label }));
      put([el("span", { class: "dot", "aria-hidden": "true" }), words, " ", count("collect.photos", press.taken)]);
    } else if (current?.taken || current?.error) {
      put(sentences(current).map((text, index) => el("span", { class: index === 0 ? "first" : "" }, `${text} `)));
      line.classList.toggle("bad-text", Boolean(current.error));
      if (current.done && current !== shown) say(line.textContent);
    } else {
      put([t(`collect.status.${loading ? "loading" : camera ? "started" : "noCamera"}`)]);
    }
    if (press || !current?.error) line.classList.remove("bad-text");
    if (current?.done) shown = current;
    slow.hidden = !(recorder.slow() && ready);
    back.hidden = Boolean(press) || !current?.done || !current.files.length;
    if (!back.hidden) back.setAttribute("aria-label", count("collect.status.takeBackLabel", current.files.length));
    space.textContent = selected === null ? "" : t("collect.status.space", { label: selected });
  }

  function put(children) {
    const text = children.map((one) => one.textContent ?? one).join("");
    if (line.textContent !== text) fill(line, children);
  }
}

/** Return what became of a press, in sentences. */
function sentences({ label, taken, unusable, reasons, repeated, refused, lost, error, files, done }) {
  const told = [count("collect.status.recorded", done ? files.length + lost : taken, { label })];
  const checking = taken - files.length - repeated - refused - lost;
  if (checking > 0) told.push(count("collect.status.checking", checking));
  if (unusable) told.push(count("collect.status.unusable", unusable, { reasons: [...reasons].join(", ") }));
  if (repeated) told.push(count("collect.status.repeated", repeated));
  if (error) told.push(error);
  else if (refused) told.push(count("collect.status.refused", refused));
  if (lost) told.push(count("collect.status.lost", lost));
  return told;
}
