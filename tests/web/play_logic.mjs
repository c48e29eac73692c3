// Answers questions about the pure parts of the page Play, one JSON object a line: {what, ...} as the functions below want it.
//
//     node play_logic.mjs FOLDER
//
// FOLDER holds copies of the modules, and a package.json that calls them modules: Node asks for that, browsers do not.

import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const load = (name) => import(pathToFileURL(path.join(folder, name)));
const { OneEuro } = await load("play_filter.js");
const { Pointer, TIMES, toPanel, toPicture } = await load("play_pointer.js");
const { holds, nearest, overlap } = await load("play_targets.js");
const { Basket } = await load("play_basket.js");
const { chosen } = await load("play_choices.js");

const answers = {
  times: () => TIMES,

  /** `frames`: [{at, hands} or {at} alone, a look at the clock]. Returns what happened, with its time, and the cursor of each. */
  pointer({ frames, ...settings }) {
    const pointer = new Pointer(settings);
    const happened = [];
    const cursors = [];
    const states = [];
    for (const { at, hands } of frames) {
      for (const one of hands ? pointer.update(hands, at) : pointer.wait(at)) happened.push({ ...one, at });
      cursors.push(pointer.cursor);
      states.push(pointer.state);
    }
    return { happened, cursors, states };
  },

  filter({ points, settings = {} }) {
    const filter = new OneEuro(settings);
    return points.map(([at, ...point]) => filter.filter(point, at));
  },

  map: ({ points }) => points.map((point) => ({ panel: toPanel(point), back: toPicture(toPanel(point)) })),

  nearest({ boxes, point, reach }) {
    const found = nearest(boxes.map((box, index) => ({ box, index })), point, reach);
    return { index: found?.index ?? null, holding: boxes.map((box) => holds(box, point)) };
  },

  overlap: ({ box, within }) => overlap(box, within),

  basket({ prices, steps }) {
    const basket = new Basket(prices);
    for (const [product, more] of steps) basket.add(product, more);
    const { lines, cents, pieces } = basket;
    return { lines, cents, pieces, order: basket.checkOut(), left: basket.pieces };
  },

  chosen: ({ labels, wanted }) => chosen(labels, wanted),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...given } = JSON.parse(line);
  console.log(JSON.stringify(answers[what](given)));
}
