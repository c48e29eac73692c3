// What a pointer (play_pointer.js) does on the panel: a cursor is moved, what is under it is shown, clicked, carried or scrolled.

import { el, fill } from "./dom.js";
import { pictureOf } from "./play_goods.js";
import { holds, nearest, overlap } from "./play_targets.js";

/**
 * Return {element, show(pointer, happened), leave()} for a shop (play_shop.js); `element` is the cursor, to be put on the page.
 * Each click, take, drop and loss is told as an event "touchless" on the shop: {kind, target, product, x, y}; target is null where
 * nothing was under the cursor.
 */
export function makeTouch(shop) {
  const ghost = el("span", { class: "ghost" });
  const element = el("div", { class: "play-cursor away", "aria-hidden": "true" }, el("span", { class: "ring" }), ghost);
  let under = null;
  let carried = null; // {product, kind: "product" or "line", element}, or {scroll, y}: where the shop was, and the hand
  return { element, show, leave };

  /** Show where the pointer is, after doing what `happened`, which its `update` or `wait` returned. */
  function show(pointer, happened) {
    for (const one of happened) act(one);
    element.classList.toggle("away", !pointer.cursor);
    element.classList.toggle("pressed", pointer.state === "pressed");
    element.classList.toggle("carrying", pointer.state === "carrying");
    if (!pointer.cursor) {
      mark(null);
      return;
    }
    const place = onScreen(pointer.cursor);
    element.style.setProperty("transform", `translate(${place[0]}px, ${place[1]}px)`);
    if (pointer.state === "moving") mark(find("[data-target]:not(:disabled)", place));
    else if (pointer.state === "carrying") carry(place);
  }

  function leave() {
    letGo();
    mark(null);
    element.classList.add("away");
  }

  function act({ kind, point, carried: was }) {
    const place = point ? onScreen(point) : null;
    if (kind === "click") {
      const target = find("[data-target]:not(:disabled)", place);
      tell(kind, place, target?.dataset.target ?? null, target?.dataset.product);
      mark(target);
      flash(target);
      target?.click();
    } else if (kind === "take") {
      take(place);
    } else if (kind === "drop") {
      drop(place);
    } else {
      tell(kind, place, was && carried?.product ? `${carried.kind} ${carried.product}` : null, carried?.product);
      letGo();
    }
  }

  function take(place) {
    const found = find("[data-carry]", place);
    if (found) {
      const { product, carry: kind } = found.dataset;
      carried = { product, kind, element: found };
      found.classList.add("carried");
      fill(ghost, pictureOf(product));
      mark(null);
    } else {
      carried = { scroll: shop.element.scrollTop, y: place[1] };
      mark(null);
    }
    tell("take", place, found ? `${carried.kind} ${carried.product}` : null, carried.product);
  }

  function carry(place) {
    if (carried?.product) over(inBasket(place));
    else if (carried) shop.element.scrollTop = carried.scroll + carried.y - place[1];
  }

  function drop(place) {
    const what = carried;
    letGo();
    const inside = inBasket(place);
    tell("drop", place, what?.product ? (inside ? "basket" : "outside") : null, what?.product);
    if (what?.kind === "product" && inside) shop.add(what.product);
    if (what?.kind === "line" && !inside) shop.remove(what.product);
  }

  function letGo() {
    carried?.element?.classList.remove("carried");
    carried = null;
    fill(ghost);
    over(false);
  }

  function over(is) {
    for (const one of Object.values(shop.places)) one.classList.toggle("over", is);
  }

  /** The part of the shop that is seen: the whole of it is reached by the hand. */
  function panel() {
    const seen = { left: 0, top: 0, right: window.innerWidth, bottom: window.innerHeight };
    return overlap(shop.element.getBoundingClientRect(), seen);
  }

  function onScreen([x, y]) {
    const { left, top, right, bottom } = panel();
    return [left + x * (right - left), top + y * (bottom - top)];
  }

  function find(selector, place) {
    const seen = panel();
    const targets = [...shop.element.querySelectorAll(selector)].map((one) => ({
      element: one,
      box: overlap(one.getBoundingClientRect(), clip(one, seen)),
    }));
    return nearest(targets, place)?.element ?? null;
  }

  /** The bar with the sum lies over what is scrolled behind it: there only its own button can be meant. */
  function clip(one, seen) {
    const { bar } = shop.places;
    if (bar.contains(one)) return seen;
    const box = bar.getBoundingClientRect();
    const covers = getComputedStyle(bar).position === "sticky" && overlap(box, one.getBoundingClientRect());
    return covers && covers.right > covers.left ? { ...seen, bottom: Math.min(seen.bottom, box.top) } : seen;
  }

  function inBasket(place) {
    const seen = panel();
    return Object.values(shop.places).some((one) => holds(overlap(one.getBoundingClientRect(), seen), place));
  }

  function mark(target) {
    if (target === under) return;
    under?.classList.remove("under");
    under = target;
    under?.classList.add("under");
  }

  function flash(target) {
    if (!target) return;
    target.classList.add("hit");
    setTimeout(() => target.classList.remove("hit"), 300);
  }

  function tell(kind, place, target, product = null) {
    const [x, y] = place ?? [null, null];
    shop.element.dispatchEvent(new CustomEvent("touchless", { bubbles: true, detail: { kind, target, product, x, y } }));
  }
}
