// The shop's products: their names and prices are in texts.js, their pictures here.

import { t } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";

// Each shape: element, colour (a class of play.css), attributes. All on 64 x 64.
const PICTURES = {
  apple: [
    ["path", "red", { d: "M32 20c-5-5-20-4-21 12-1 14 10 26 16 26 3 0 3-1 5-1s2 1 5 1c6 0 17-12 16-26-1-16-16-17-21-12z" }],
    ["path", "stem", { d: "M32 20c0-5 1-9 4-12" }],
    ["path", "green", { d: "M36 13c2-6 9-8 14-6-1 6-8 9-14 6z" }],
  ],
  pear: [
    ["path", "green", { d: "M32 14c7 0 9 6 10 13 1 6 9 9 9 18 0 8-8 13-19 13s-19-5-19-13c0-9 8-12 9-18 1-7 3-13 10-13z" }],
    ["path", "stem", { d: "M32 15c0-4 1-7 4-9" }],
  ],
  cherries: [
    ["path", "stem", { d: "M20 42C22 28 30 16 40 9c-1 12 3 22 6 29" }],
    ["circle", "red", { cx: 19, cy: 47, r: 10.5 }],
    ["circle", "red", { cx: 46, cy: 47, r: 10.5 }],
    ["path", "green", { d: "M40 9c6-4 13-2 17 3-6 4-13 2-17-3z" }],
  ],
  carrot: [
    ["path", "orange", { d: "M42 21c7 7-3 18-13 27-6 5-15 10-19 6s1-13 6-19c9-10 20-20 26-14z" }],
    ["path", "stem", { d: "M33 30l5 5M24 38l5 5" }],
    ["path", "green", { d: "M41 22c-2-7 0-12 4-16 1 4 2 6 1 9 4-4 7-4 12-4-1 5-5 9-12 11z" }],
  ],
  bread: [
    ["path", "orange", { d: "M12 24c-6-8 2-14 20-14s26 6 20 14c-2 3-2 3-2 6v22c0 2-1 3-3 3H17c-2 0-3-1-3-3V30c0-3 0-3-2-6z" }],
    ["path", "stem", { d: "M23 22l6 6M33 20l6 6M43 22l3 3" }],
  ],
  cheese: [
    ["path", "orange", { d: "M6 34L44 12c8 3 13 10 14 22v18H6z" }],
    ["path", "stem", { d: "M6 34h52" }],
    ["circle", "hole", { cx: 20, cy: 43, r: 4 }],
    ["circle", "hole", { cx: 38, cy: 46, r: 3 }],
    ["circle", "hole", { cx: 40, cy: 25, r: 3.5 }],
  ],
  milk: [
    ["path", "blue", { d: "M18 26l6-12h16l6 12v29c0 2-1 3-3 3H21c-2 0-3-1-3-3z" }],
    ["rect", "blue", { x: 24, y: 6, width: 16, height: 7, rx: 1.5 }],
    ["path", "hole", { d: "M18 34c5-3 9 3 14 0s9 3 14 0v14c-5 3-9-3-14 0s-9-3-14 0z" }],
  ],
  coffee: [
    ["path", "muted", { d: "M10 26h36v16c0 9-6 14-14 14h-8c-8 0-14-5-14-14z" }],
    ["path", "handle", { d: "M46 31h4c4 0 6 3 6 6s-2 7-8 7h-3" }],
    ["path", "stem", { d: "M20 19c-3-4 3-6 0-11M29 19c-3-4 3-6 0-11M38 19c-3-4 3-6 0-11" }],
  ],
};

/** The products in their order. */
export const PRODUCTS = Object.keys(PICTURES);

/** Prices in cents, {product: cents}. */
export function prices() {
  return Object.fromEntries(PRODUCTS.map((product) => [product, Number(t(`play.products.${product}.cents`))]));
}

/** The name of a product. */
export function nameOf(product) {
  return t(`play.products.${product}.name`);
}

/** Return an amount of cents in words, such as "€1.20". */
export function money(cents) {
  const style = { style: "currency", currency: t("play.currency") };
  return new Intl.NumberFormat(t("play.locale"), style).format(cents / 100);
}

/** Return a new picture of a product; it says nothing to screen readers, as its name stands beside it. */
export function pictureOf(product) {
  const picture = document.createElementNS(SVG, "svg");
  const about = { viewBox: "0 0 64 64", width: 64, height: 64, class: "play-picture", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(about)) picture.setAttribute(key, value);
  for (const [name, colour, attributes] of PICTURES[product]) {
    const shape = document.createElementNS(SVG, name);
    shape.setAttribute("class", colour);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    picture.append(shape);
  }
  return picture;
}
