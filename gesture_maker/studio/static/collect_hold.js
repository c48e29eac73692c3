// What is held to record: a button under the pointer, space or enter on it, and the space bar anywhere on the page.

import { el } from "./dom.js";
import { t } from "./texts.js";

/** Return a button that calls `begin()` when it is pressed and `end()` when it is let go, in whatever way. */
export function makeHold({ begin, end }) {
  const words = el("span", {}, t("collect.hold"));
  const button = el(
    "button",
    { type: "button", class: "primary hold", data: { act: "record", server: "" } },
    el("span", { class: "dot", "aria-hidden": "true" }),
    words,
  );
  let held = null; // "pointer" or the key that holds it
  const press = (by) => {
    if (button.ariaDisabled === "true") return;
    held = by; // also when another is held that was let go of while the window was left
    begin();
  };
  const release = (by) => {
    if (!held || (by && by !== held)) return;
    held = null;
    end();
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (button.ariaDisabled !== "true") button.setPointerCapture(event.pointerId); // let go elsewhere counts, too
    press("pointer");
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(kind, () => release("pointer"));
  }
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // what a long touch brings
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation(); // the space bar would record twice
    if (!event.repeat) press(event.key);
  });
  button.addEventListener("keyup", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    release(event.key);
  });
  button.addEventListener("blur", () => held !== "pointer" && release());
  return {
    element: button,
    /** Say for which class, and whether it is being recorded. */
    update(label, recording) {
      button.setAttribute("aria-label", t("collect.holdLabel", { label }));
      button.classList.toggle("recording", recording);
      words.textContent = t(recording ? "collect.recordingNow" : "collect.hold");
    },
  };
}

const TYPING =
  "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=range], [type=file])";
const PRESSED = "button, a[href], summary, input[type=checkbox], input[type=file]";

/**
 * Have the space bar call `begin()` and `end()` wherever it is pressed on the page while `open()`: not in a field,
 * and not on what was reached by the keyboard and is itself pressed by the space bar.
 */
export function holdSpace({ open, begin, end }) {
  let byKeyboard = false; // how the focus came to where it is
  let held = false;
  window.addEventListener("pointerdown", () => (byKeyboard = false), true);
  window.addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.key.startsWith("Arrow")) byKeyboard = true;
  }, true);
  const ours = (target) => {
    if (!(target instanceof Element)) return true;
    if (target.closest(TYPING)) return false;
    return !(byKeyboard && target.closest(PRESSED)) && !target.closest("input[type=checkbox]");
  };
  window.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (held) event.preventDefault(); // it repeats, and would scroll
    if (held || event.repeat || event.defaultPrevented || !open() || !ours(event.target)) return;
    event.preventDefault();
    held = true;
    begin();
  });
  const release = (event) => {
    if (!held || (event.key !== undefined && event.key !== " ")) return;
    event.preventDefault(); // or a button that was clicked before would be pressed by it
    held = false;
    end();
  };
  window.addEventListener("keyup", release, true);
  window.addEventListener("blur", release);
}
