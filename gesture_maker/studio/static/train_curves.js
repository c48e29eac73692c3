// Curves of loss and accuracy by epoch, drawn as SVG, with the newest numbers as text beside them.

import { el, fill, percent } from "./dom.js";
import { t } from "./texts.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 340;
const HEIGHT = 190;
const LEFT = 44;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 40;

/** Return a figure: {element, draw(epochs, of)}. `epochs`: [{epoch, loss, accuracy, val_loss?, val_accuracy?}], `of`: how many there will be. */
export function makeCurves() {
  const charts = ["loss", "accuracy"].map((what) => ({
    what,
    picture: svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curve" }),
    caption: el("figcaption", { class: "note number" }),
  }));
  const key = el("p", { class: "key note" });
  const element = el(
    "div",
    { class: "curves" },
    charts.map(({ picture, caption }) => el("figure", {}, picture, caption)),
    key,
  );
  return { element, draw };

  function draw(epochs, of = 0) {
    const validated = epochs.some((epoch) => known(epoch.val_loss));
    fill(
      key,
      entry("train", t("train.curves.train")),
      validated ? entry("validation", t("train.curves.validation")) : null,
    );
    for (const chart of charts) drawOne(chart, epochs, Math.max(of, epochs.at(-1)?.epoch ?? 0, 1));
  }
}

function entry(kind, text) {
  const sample = svg("svg", { viewBox: "0 0 28 8", class: "sample", "aria-hidden": "true" }, line(kind, "M1 4H27"));
  return el("span", {}, sample, text);
}

function drawOne({ what, picture, caption }, epochs, last) {
  const lines = [
    ["train", epochs.map((one) => [one.epoch, one[what]])],
    ["validation", epochs.map((one) => [one.epoch, one[`val_${what}`]])],
  ].map(([kind, points]) => [kind, points.filter(([, value]) => known(value))]);
  const values = lines.flatMap(([, points]) => points.map(([, value]) => value));
  const [low, high] = range(what, values);
  const x = (epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - 1)) / Math.max(1, last - 1);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const written = (value) => (what === "accuracy" ? `${Math.round(100 * value)} %` : short(value));
  const words = told(what, epochs);
  picture.setAttribute("aria-label", words);
  picture.replaceChildren(
    ...ticks(low, high, 4).flatMap((value) => [
      svg("path", { class: "grid", d: `M${LEFT} ${y(value)}H${WIDTH - RIGHT}` }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, class: "end" }, written(value)),
    ]),
    ...ticks(1, last, 6)
      .filter((epoch) => Number.isInteger(epoch) && epoch >= 1)
      .map((epoch) => svg("text", { x: x(epoch), y: HEIGHT - BOTTOM + 16, class: "middle" }, String(epoch))),
    svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }),
    svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, class: "middle" }, t("train.curves.epoch")),
    ...lines
      .filter(([, points]) => points.length)
      .flatMap(([kind, points]) => {
        const way = points.map(([epoch, value], index) => `${index ? "L" : "M"}${x(epoch)} ${y(clip(value, low, high))}`);
        const [epoch, value] = points.at(-1);
        return [line(kind, way.join("")), svg("circle", { class: `dot ${kind}`, cx: x(epoch), cy: y(clip(value, low, high)), r: 3 })];
      }),
  );
  fill(caption, words);
}

function told(what, epochs) {
  const name = t(`train.curves.${what}`);
  const newest = epochs.at(-1);
  if (!newest) return t("train.curves.none", { what: name });
  const written = (value) => (!known(value) ? "–" : what === "accuracy" ? percent(value) : short(value));
  const values = { what: name, epoch: newest.epoch, train: written(newest[what]), validation: written(newest[`val_${what}`]) };
  return t(known(newest[`val_${what}`]) ? "train.curves.both" : "train.curves.one", values);
}

/** Return the least and the greatest value of an axis. */
function range(what, values) {
  if (what === "loss") return [0, Math.max(...values, 0.01) * 1.05];
  const least = Math.min(...values, 0.95);
  return [Math.max(0, Math.floor(10 * least - 0.2) / 10), 1];
}

/** Return about `count` round numbers from `low` to `high`. */
function ticks(low, high, count) {
  const wanted = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(wanted || 1));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= wanted * 0.999) ?? 1;
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high * (1 + 1e-9); index += 1) found.push(Number((index * step).toPrecision(10)));
  return found.length ? found : [low];
}

function short(value) {
  return value === 0 ? "0" : Number(value.toPrecision(2)).toString();
}

function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function line(kind, way) {
  return svg("path", { class: `line ${kind}`, d: way });
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
