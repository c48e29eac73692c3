// From the hands in the camera's pictures to a cursor that points, clicks and grabs. Nothing here knows of the page or of a
// clock: places are shares, times are seconds and arguments.

import { OneEuro } from "./play_filter.js";

const TIP = 8; // the index finger's
const KNUCKLES = [5, 9]; // the index and middle finger's: they stay where they are when the hand closes

/**
 * The part of the picture in which the fingertip reaches the whole panel, as shares of the picture left free at each side.
 * Below more is free: the hand hangs below its fingertip, and a hand of which the wrist is cut off is not found any more.
 */
export const MARGINS = { left: 0.15, right: 0.15, top: 0.1, bottom: 0.3 };

/** Seconds and frames, see below. */
export const TIMES = {
  press: { frames: 2, seconds: 0.06 }, // in a row, until a gesture counts: 2 frames at 15 per second, 3 at 30
  release: { frames: 2, seconds: 0.15 }, // until it is over: on its way back a hand may look like the gesture once more
  lost: 0.5, // without a hand in the pictures, until the cursor goes
  stale: 1.5, // without a picture, until the cursor goes
  memory: 0.6, // how far back the place of a click is looked for; a hand takes 0.15 to 0.6 to close
  calm: 0.2, // over which a hand's calm is judged
};

const SAME_HAND = 0.35; // of the picture: a hand does not move farther from one frame to the next, even at 5 per second

/** Return the place on the panel of a point of the camera's picture (unmirrored), as in a mirror. May lie beyond 0..1. */
export function toPanel([x, y], margins = MARGINS) {
  return [
    (1 - x - margins.right) / (1 - margins.left - margins.right),
    (y - margins.top) / (1 - margins.top - margins.bottom),
  ];
}

/** Return the point of the camera's picture (unmirrored) that `toPanel` puts there. */
export function toPicture([x, y], margins = MARGINS) {
  return [
    1 - margins.right - x * (1 - margins.left - margins.right),
    margins.top + y * (1 - margins.top - margins.bottom),
  ];
}

/** Return the place where the hand was calmest in the time before `until`: there it pointed before it began to close.
 *
 * Closing bends the finger that points, by 0.1 to 0.4 of the panel before the gesture is recognized. On 450 drawn clicks of
 * five gestures that take 0.15 to 0.6 s to make, the calmest place of the last 0.6 s is 0.010 of the panel off where the hand
 * pointed (p97 0.025, largest 0.032). Where it was a fixed time before: 0.27 s p97 0.110, 0.4 s p97 0.039, largest 0.195.
 */
export function calmest(places, until, { memory, calm } = TIMES) {
  const recent = places.filter(({ at }) => at >= until - memory - calm && at <= until);
  let best = null;
  for (const place of recent) {
    if (place.at < until - memory) continue;
    const before = recent.filter(({ at }) => at < place.at && at >= place.at - calm);
    if (!before.length) continue;
    const moved = Math.max(...before.map((one) => Math.hypot(one.point[0] - place.point[0], one.point[1] - place.point[1])));
    const speed = moved / (place.at - before[0].at);
    if (!best || speed <= best.speed) best = { place, speed };
  }
  return best?.place ?? recent.at(-1) ?? places.at(-1) ?? null;
}

/**
 * One hand that points. `click` and `grab`: the names of the gestures that do so (null: none does).
 *
 * What it is doing, `state`: "away" (no hand), "moving", "pressed" (the clicking gesture is made and has clicked) or "carrying".
 * A gesture counts when it is seen in some frames in a row, so that single wrong answers do nothing; it clicks once, however long
 * it is made; and the next one only counts after something else was seen. A hand that comes with a gesture has to end it first.
 */
export class Pointer {
  constructor({ click = null, grab = null, margins = MARGINS, times = TIMES, filter = {} } = {}) {
    Object.assign(this, { click, grab, margins, times });
    this.tip = new OneEuro(filter);
    this.palm = new OneEuro(filter);
    this.leave();
  }

  /** Forget the hand. */
  leave() {
    this.state = "away";
    this.cursor = null; // [x, y] in shares of the panel
    this.hand = null; // where the knuckles were last seen, in shares of the picture
    this.followed = null; // the hand of the last frame, as it was given
    this.seen = -Infinity; // when
    this.missed = 0; // pictures since then in which it is not
    this.run = null; // {kind, since, frames}: what is seen in a row
    this.armed = false; // whether something else than a gesture was seen
    this.places = []; // [{at, point, palm}] where it pointed lately
    this.hold = null; // while carrying: {point, palm} where it took hold
    this.tip.reset();
    this.palm.reset();
  }

  /**
   * Take a frame's hands, [{gesture, points}], seen at a time in seconds. Returns what follows from it, in order: {kind, point}
   * with kind "click", "take", "drop", or "lost" (the hand is gone; what it carried is let go without effect).
   */
  update(hands, at) {
    const hand = (this.followed = this.choose(hands));
    if (!hand) {
      this.run = null;
      this.missed += 1;
      // One picture is not enough: on a slow machine the next comes half a second later.
      return this.missed > 1 && at - this.seen > this.times.lost ? this.lose() : this.wait(at);
    }
    const before = this.wait(at); // a hand that was gone for long is another one
    this.followed = hand;
    this.hand = middle(hand.points);
    this.seen = at;
    this.missed = 0;
    const kind = hand.gesture === this.click ? "click" : hand.gesture === this.grab ? "grab" : "open";
    if (this.run?.kind === kind) this.run.frames += 1;
    else this.run = { kind, since: at, frames: 1 };
    if (this.state === "away") this.state = "moving";
    return [...before, ...this[this.state](hand, kind, at)];
  }

  /** Say what time it is when there is no frame. Returns what follows, as `update` does. */
  wait(at) {
    return at - this.seen > this.times.stale ? this.lose() : [];
  }

  lose() {
    if (this.state === "away") return [];
    const lost = { kind: "lost", point: this.cursor, carried: this.state === "carrying" };
    this.leave();
    return [lost];
  }

  /** The hand that is followed: the nearest to where it was; at first, the largest. */
  choose(hands) {
    if (!this.hand) return hands.reduce((best, one) => (best && size(best.points) >= size(one.points) ? best : one), null);
    const away = (one) => distance(middle(one.points), this.hand);
    const nearest = hands.reduce((best, one) => (best && away(best) <= away(one) ? best : one), null);
    return nearest && away(nearest) <= SAME_HAND ? nearest : null;
  }

  lasted({ frames, seconds }, at) {
    return this.run.frames >= frames && at - this.run.since >= seconds - 1e-9;
  }

  moving(hand, kind, at) {
    if (kind === "open") {
      this.armed ||= this.lasted(this.times.release, at);
      const palm = toPanel(middle(hand.points), this.margins);
      this.cursor = within(this.tip.filter(toPanel(hand.points[TIP], this.margins), at));
      this.places = [...this.places.filter((one) => one.at > at - 2), { at, point: this.cursor, palm }];
      return [];
    }
    // The cursor stays where it is while the hand may be closing.
    if (!this.armed || !this.lasted(this.times.press, at)) return [];
    const place = calmest(this.places, this.run.since, this.times);
    this.cursor = place.point;
    this.places = [];
    if (kind === "click") {
      this.state = "pressed";
      return [{ kind: "click", point: this.cursor }];
    }
    this.state = "carrying";
    this.palm.reset();
    this.hold = place;
    return [{ kind: "take", point: this.cursor }];
  }

  pressed(hand, kind, at) {
    if (kind !== "open" || !this.lasted(this.times.release, at)) return [];
    return this.open(hand, at);
  }

  carrying(hand, kind, at) {
    if (kind === "open") {
      if (!this.lasted(this.times.release, at)) return [];
      const point = this.cursor;
      return [{ kind: "drop", point }, ...this.open(hand, at)];
    }
    const palm = this.palm.filter(toPanel(middle(hand.points), this.margins), at);
    this.cursor = within(this.hold.point.map((value, axis) => value + palm[axis] - this.hold.palm[axis]));
    return [];
  }

  open(hand, at) {
    this.state = "moving";
    this.hold = null;
    this.tip.reset();
    return this.moving(hand, "open", at);
  }
}

function middle(points) {
  return [0, 1].map((axis) => KNUCKLES.reduce((sum, index) => sum + points[index][axis], 0) / KNUCKLES.length);
}

function size(points) {
  return distance(points[0], points[KNUCKLES[1]]);
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function within(point) {
  return point.map((value) => Math.min(1, Math.max(0, value)));
}
