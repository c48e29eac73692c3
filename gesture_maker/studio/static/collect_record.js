// Recording: each press is a burst of photos, taken at a rate by the clock, counted at once, confirmed by the studio.

const TOO_MANY_WAITING = 10; // photos without an answer: two seconds of them at the usual rate

/**
 * Return {press, last, begin(label), end(), shown(label, photos), kept, refused, lost}. `take({label, burst})` takes
 * a photo and returns a promise of its number, null when that cannot be; `rate()`: photos per second; `onchange()`: a
 * count changed; `onend(press)`: all photos of a press are answered. `base(label)`: photos in the dataset now;
 * `refresh()`: ask the studio for the dataset, a promise.
 *
 * A press is {label, burst, open, taken, files, unusable, reasons, repeated, refused, lost, error}.
 */
export function makeRecorder({ take, rate, base, refresh, onchange, onend }) {
  const waiting = new Map(); // number of a photo -> its press
  const unsettled = new Map(); // label -> {base, presses}: counts that the studio's do not contain for sure yet
  let clock = null;
  const recorder = { press: null, last: null, begin, end, shown, slow, kept, refused, lost };
  return recorder;

  function begin(label) {
    if (recorder.press) return;
    const press = {
      label,
      burst: crypto.randomUUID(),
      open: true,
      taking: 0,
      taken: 0,
      files: [],
      unusable: 0,
      reasons: new Set(),
      repeated: 0,
      refused: 0,
      lost: 0,
      error: "",
    };
    if (!unsettled.has(label)) unsettled.set(label, { base: base(label), presses: [] });
    unsettled.get(label).presses.push(press);
    recorder.press = recorder.last = press;
    let due = performance.now();
    const tick = () => {
      if (press.taking < 2) shoot(press); // a browser that is slower than the rate leaves moments out
      const now = performance.now();
      due = Math.max(due + 1000 / rate(), now);
      clock = setTimeout(tick, due - now);
    };
    tick();
    onchange();
  }

  async function shoot(press) {
    press.taking += 1;
    let number = null;
    try {
      number = await take({ label: press.label, burst: press.burst });
    } finally {
      press.taking -= 1;
      if (number !== null) {
        press.taken += 1;
        waiting.set(number, press);
      }
      changed(press);
    }
  }

  function end() {
    const press = recorder.press;
    if (!press) return;
    clearTimeout(clock);
    press.open = false;
    recorder.press = null;
    changed(press);
  }

  function kept(number, answer) {
    const press = waiting.get(number);
    if (!press) return;
    waiting.delete(number);
    if (answer.kept) {
      press.files.push(answer.kept.file);
      if (answer.kept.usable === false) {
        press.unusable += 1;
        if (answer.kept.reason) press.reasons.add(answer.kept.reason);
      }
    } else if (answer.repeated) {
      press.repeated += 1;
    } else {
      press.refused += 1;
      press.error ||= answer.error ?? "";
      if (press === recorder.press) end(); // a full disk will not have room for the next one
    }
    changed(press);
  }

  function refused(numbers) {
    for (const number of numbers) {
      const press = waiting.get(number);
      if (!press) continue;
      waiting.delete(number);
      press.refused += 1;
      changed(press);
    }
  }

  function lost() {
    const presses = new Set(waiting.values());
    for (const press of waiting.values()) press.lost += 1;
    waiting.clear();
    end();
    for (const press of presses) changed(press);
  }

  function changed(press) {
    onchange();
    if (press.open || press.done || press.taking || [...waiting.values()].includes(press)) return;
    press.done = true;
    onend(press);
    const open = unsettled.get(press.label);
    refresh().finally(() => {
      if (unsettled.get(press.label) === open && open.presses.every((one) => one.done)) unsettled.delete(press.label);
      onchange();
    });
  }

  /**
   * Return how many photos a class has when the studio says `photos`: those that it has not confirmed yet count, too.
   */
  function shown(label, photos) {
    const open = unsettled.get(label);
    if (!open) return photos;
    const good = ({ taken, repeated, refused, lost: gone }) => taken - repeated - refused - gone;
    return Math.max(photos, open.base + open.presses.reduce((sum, press) => sum + good(press), 0));
  }

  /** Tell whether more photos are taken than are kept. */
  function slow() {
    return waiting.size > TOO_MANY_WAITING || Boolean(recorder.press?.refused);
  }
}
