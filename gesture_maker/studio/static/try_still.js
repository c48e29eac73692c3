// A photo, or a film's picture, with the hands that were found in it: scaled to what the page has room for.

import { el } from "./dom.js";
import { drawHands } from "./hands.js";

/** Return {element, draw(hands), shape(width, height)} around an <img> or <video>. */
export function makeViewer(content) {
  const overlay = el("canvas", { class: "try-overlay", "aria-hidden": "true" });
  const element = el("div", { class: "try-viewer" }, content, overlay);
  let last = [];
  new ResizeObserver(() => drawHands(overlay, last)).observe(element);
  return { element, draw, shape };

  function shape(width, height) {
    if (width && height) element.style.setProperty("--ratio", String(width / height));
  }

  function draw(hands) {
    last = hands;
    drawHands(overlay, hands);
  }
}

/** Return a viewer of a photo's file. */
export function makePhoto(file, label) {
  const address = URL.createObjectURL(file);
  const picture = el("img", { src: address, alt: label });
  const viewer = makeViewer(picture);
  picture.addEventListener("load", () => viewer.shape(picture.naturalWidth, picture.naturalHeight));
  return { ...viewer, close: () => URL.revokeObjectURL(address) };
}
