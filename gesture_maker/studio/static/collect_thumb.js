// A photo as a small picture, with the hand that was found in it, or a badge that says that there is none.

import { address } from "./api.js";
import { el } from "./dom.js";
import { drawHands } from "./hands.js";
import { t } from "./texts.js";

const SHAPE = 4 / 3; // of the box; photos of another shape leave room at two sides
const SIDE = 160; // pixels, what the studio sends; landmarks are drawn as fine

/** Return {element, update(photo)}: a picture of a photo as GET /api/photos tells of it. */
export function makeThumb(photo) {
  const picture = el("img", { loading: "lazy", decoding: "async", draggable: "false", alt: "" });
  const overlay = el("canvas", { class: "overlay", "aria-hidden": "true" });
  const badge = el("span", { class: "badge", hidden: true });
  const element = el("span", { class: "thumb" }, picture, overlay, badge);
  let now = null;
  picture.addEventListener("load", draw);
  const { file, added } = photo;
  picture.src = address("/api/photo", { file, side: SIDE, added }); // a name may be given again after a deletion
  update(photo);
  return { element, update };

  function update(told) {
    const before = now;
    now = told;
    element.dataset.state = now.state;
    badge.hidden = now.state === "usable";
    badge.textContent = now.state === "pending" ? t("collect.thumb.pending") : t("collect.thumb.noHand");
    element.title = now.state === "unusable" ? now.reason : "";
    if (String(before?.hand) !== String(now.hand)) draw();
  }

  function draw() {
    if (!picture.naturalWidth) return;
    const shape = picture.naturalWidth / picture.naturalHeight;
    const width = Math.min(1, shape / SHAPE);
    const height = Math.min(1, SHAPE / shape);
    overlay.style.setProperty("width", `${100 * width}%`);
    overlay.style.setProperty("height", `${100 * height}%`);
    const hands = now.hand ? [{ points: now.hand }] : [];
    drawHands(overlay, hands, { width: SIDE * width, height: (SIDE / SHAPE) * height, bold: 2 });
  }
}

/** Return in words what was found in a photo. */
export function stateOf({ state, reason }) {
  if (state === "usable") return t("collect.thumb.usable");
  return state === "pending" ? t("collect.thumb.waiting") : t("collect.thumb.unusable", { reason });
}

/**
 * Show photos in a list, newest first, keeping the elements of those that are there already. `shown`: a map from
 * `keyOf(photo)` to what `make(photo)` returned, {element, update(photo)}.
 */
export function arrange(list, shown, photos, make) {
  const keys = new Set(photos.map(keyOf));
  for (const [key, one] of shown) {
    if (keys.has(key)) continue;
    one.element.remove();
    shown.delete(key);
  }
  let before = null;
  for (const photo of photos) {
    const key = keyOf(photo);
    if (shown.has(key)) shown.get(key).update(photo);
    else shown.set(key, make(photo));
    const { element } = shown.get(key);
    const place = before ? before.nextSibling : list.firstChild;
    if (element !== place) list.insertBefore(element, place); // moving would take the focus away
    before = element;
  }
}

/** Return what tells a photo from all others, also from one that had its name before. */
export function keyOf({ file, added }) {
  return `${file} ${added}`;
}
