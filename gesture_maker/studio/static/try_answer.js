// What a bundle answers, for people: the gesture in large letters, each hand with a bar for every class.

import { el, fill, percent } from "./dom.js";
import { t } from "./texts.js";

export const NONE = "none";
const STAYS = 500; // ms that a gesture is answered before it is read out: nobody wants to hear what a hand passes through

/** Return what a class is called on the page. */
export function nameOf(gesture) {
  return gesture === NONE ? t("try.none") : gesture;
}

/** Return the hand with the surest gesture, one that makes a gesture before one that makes none; null without hands. */
export function bestOf(hands) {
  const worth = (hand) => (hand.gesture === NONE ? 0 : 1) + hand.score;
  return hands.reduce((best, hand) => (best === null || worth(hand) > worth(best) ? hand : best), null);
}

/** Return {element, show(hands), clear(hint), classes(labels), say()}. `hands` are as the studio answers them. */
export function makeAnswer() {
  const gesture = el("p", { class: "try-gesture" });
  const detail = el("p", { class: "try-detail note" });
  const spoken = el("p", { class: "visually-hidden", role: "status" });
  const groups = [makeBars(), makeBars()];
  const element = el(
    "section",
    { class: "card try-answer", "aria-label": t("try.answer") },
    gesture,
    detail,
    spoken,
    el("div", { class: "try-hands" }, groups.map((group) => group.element)),
  );
  let labels = [];
  let since = 0;
  let seen = "";
  let said = "";
  clear();
  return { element, show, clear, classes, say };

  /** Say which classes there are, in the order in which the bars stand; what is no gesture comes last. */
  function classes(given) {
    labels = [...given.filter((label) => label !== NONE), ...given.filter((label) => label === NONE)];
    for (const group of groups) group.classes(labels);
    clear();
  }

  /** Show no answer, but in its place a hint. */
  function clear(hint = t("try.nothing")) {
    show([]);
    fill(gesture, "–");
    fill(detail, hint);
    fill(spoken);
    seen = said = "";
  }

  function show(hands) {
    const best = bestOf(hands);
    const text = best ? nameOf(best.gesture) : t("try.noHand");
    if (gesture.textContent !== text) fill(gesture, text);
    gesture.classList.toggle("faint", !best || best.gesture === NONE);
    const about = best ? `${percent(best.score)}${best.canned ? ` · ${t("try.canned")}` : ""}` : "";
    if (detail.textContent !== about) fill(detail, about);
    const bySide = [...hands].sort((a, b) => a.side.localeCompare(b.side)); // else two hands would change places
    groups.forEach((group, index) => group.show(bySide[index] ?? null, index === 0));
    speak(text);
  }

  /** Have the answer read out at once: that of a photo is the last word. */
  function say() {
    said = seen;
    fill(spoken, seen);
  }

  function speak(text) {
    const now = performance.now();
    if (text !== seen) {
      seen = text;
      since = now;
    } else if (text !== said && now - since >= STAYS) {
      said = text;
      fill(spoken, text);
    }
  }
}

/** Return a hand's bars: {element, show(hand or null, always), classes(labels)}. */
function makeBars() {
  const title = el("h2", {});
  const list = el("ul", { class: "try-bars" });
  const element = el("div", { class: "try-hand" }, title, list);
  let rows = new Map();
  return { element, show, classes };

  function classes(labels) {
    rows = new Map(
      labels.map((label) => {
        const fillIn = el("span", { class: "try-fill" });
        const share = el("span", { class: "number try-share" });
        const name = el("span", { class: "try-label" }, nameOf(label));
        const bar = el("span", { class: "try-bar", "aria-hidden": "true" }, fillIn);
        return [label, { row: el("li", {}, name, bar, share), fillIn, share }];
      }),
    );
    fill(list, [...rows.values()].map(({ row }) => row));
  }

  function show(hand, always) {
    element.hidden = !hand && !always;
    if (element.hidden) return;
    const makes = hand && nameOf(hand.gesture) + (hand.canned ? ` (${t("try.canned")})` : "");
    const text = hand ? `${t(`try.${hand.side}`)}: ${makes}` : t("try.scores");
    if (title.textContent !== text) fill(title, text);
    for (const [label, { row, fillIn, share }] of rows) {
      const score = hand?.scores[label] ?? 0;
      fillIn.style.setProperty("transform", `scaleX(${score})`);
      const told = hand ? percent(score) : "";
      if (share.textContent !== told) share.textContent = told;
      row.classList.toggle("winner", Boolean(hand) && !hand.canned && hand.gesture === label);
    }
  }
}
