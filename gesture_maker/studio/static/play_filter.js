// The one-euro filter: a low-pass filter whose cutoff rises with speed, so that a hand held still gives a still cursor and a
// fast one is followed at once. G. Casiez, N. Roussel, D. Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy
// Input in Interactive Systems", CHI 2012. Time is in seconds and is an argument, as frames come irregularly.

/**
 * Filters points [x, y] in shares of the panel. `cutoff`: hertz at rest; `beta`: hertz more for each panel's width per second;
 * `speedCutoff`: hertz with which the speed itself is filtered.
 *
 * Measured by tests/test_studio_play_logic.py at 15 frames/s on the paths of drawn hands that point, with noise of 0.004 of the panel
 * as of a webcam at night: a hand held still trembles by 0.0016 of the panel instead of 0.0049 (rms), and one on its way is
 * followed 29 ms late (p90 36). On the same paths a fixed cutoff of 1 Hz is 118 ms late and one of 3 Hz 49; beta 2 is 50 ms late.
 */
export class OneEuro {
  constructor({ cutoff = 1, beta = 5, speedCutoff = 1 } = {}) {
    this.cutoff = cutoff;
    this.beta = beta;
    this.speedCutoff = speedCutoff;
    this.reset();
  }

  /** Forget what was: the next point is taken as it is. */
  reset() {
    this.last = null; // {at, point, speed}, the point filtered
  }

  /** Return the filtered point at a time in seconds. A time that is not later than the last gives the last point. */
  filter(point, at) {
    if (!this.last) {
      this.last = { at, point: [...point], speed: point.map(() => 0) };
      return [...point];
    }
    const passed = at - this.last.at;
    if (!(passed > 0)) return [...this.last.point];
    const before = this.last;
    const slow = share(this.speedCutoff, passed);
    const speed = point.map((value, axis) => {
      const now = (value - before.point[axis]) / passed;
      return before.speed[axis] + slow * (now - before.speed[axis]);
    });
    // One cutoff for both axes: each with its own would bend a straight way.
    const weight = share(this.cutoff + this.beta * Math.hypot(...speed), passed);
    const filtered = point.map((value, axis) => before.point[axis] + weight * (value - before.point[axis]));
    this.last = { at, point: filtered, speed };
    return [...filtered];
  }
}

/** Return the weight of the newest value in exponential smoothing with a cutoff in hertz, `passed` seconds after the last. */
function share(cutoff, passed) {
  const turn = 2 * Math.PI * cutoff * passed;
  return turn / (turn + 1);
}
