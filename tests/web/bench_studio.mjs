// Streams a fake camera through a page of the studio and tells what became of its frames.
//
//     node bench_studio.mjs ADDRESS FILM.y4m try|collect SECONDS [WARM_UP_SECONDS] [FILE|TEXT|OTHER …]
//
// Prints a line of JSON once the warm-up is over, {"began": true}, and one at the end: {browser, seconds, sent, answered, delays,
// runtime, encoding, bytes}: `delays` in ms, from a frame's WebSocket.send to its answer, of each answered frame; `runtime`: the ms
// that the answers themselves tell; `encoding`: ms that the browser took for each JPEG; `bytes`: of each message.
// FILE|TEXT|OTHER has the page's module FILE served with TEXT replaced by OTHER, to compare settings.

import { withStudio } from "./studio.mjs";

const [address, film, step, seconds, warmUp = "3", ...changes] = process.argv.slice(2);
if (!seconds) {
  console.error("usage: node bench_studio.mjs ADDRESS FILM.y4m try|collect SECONDS [WARM_UP_SECONDS] [FILE|TEXT|OTHER …]");
  process.exit(2);
}

/** Runs in the page before its own scripts: notes when frames leave and when their answers come. */
function watch() {
  const kept = { sent: 0, delays: [], runtime: [], encoding: [], bytes: [] };
  window.watched = kept;
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(place, ...more) {
      super(place, ...more);
      this.left = new Map();
      this.addEventListener("message", ({ data }) => {
        const told = JSON.parse(data);
        if (told.n === undefined || !this.left.has(told.n)) return;
        kept.delays.push(performance.now() - this.left.get(told.n));
        if (told.ms !== undefined) kept.runtime.push(told.ms);
        this.left.delete(told.n);
      });
    }

    send(data) {
      if (data instanceof ArrayBuffer) {
        const length = new DataView(data).getUint32(0, true);
        const { n } = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
        this.left.set(n, performance.now());
        kept.sent += 1;
        kept.bytes.push(data.byteLength);
      }
      super.send(data);
    }
  };
  const { toBlob } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.toBlob = function timed(callback, ...more) {
    const began = performance.now();
    toBlob.call(
      this,
      (blob) => {
        kept.encoding.push(performance.now() - began);
        callback(blob);
      },
      ...more,
    );
  };
  const { convertToBlob } = OffscreenCanvas.prototype;
  OffscreenCanvas.prototype.convertToBlob = async function timed(...more) {
    const began = performance.now();
    const blob = await convertToBlob.apply(this, more);
    kept.encoding.push(performance.now() - began);
    return blob;
  };
}

const { answer, errors, browser } = await withStudio(address, { film }, async (page) => {
  await page.addInitScript(watch);
  for (const change of changes) {
    const [file, text, other] = change.split("|");
    await page.route(`**/static/${file}`, async (route) => {
      const response = await route.fetch();
      const body = await response.text();
      if (!body.includes(text)) throw new Error(`${file} has no ${text}`);
      await route.fulfill({ response, body: body.replaceAll(text, other) });
    });
  }
  await page.reload();
  await page.click(`#tabs a[href="#${step}"]`);
  await page.click(`section.${step} .stage .controls button.primary`);
  await page.waitForFunction(() => window.watched.delays.length >= 10, null, { timeout: 60_000 });
  await page.waitForTimeout(1000 * Number(warmUp));
  await page.evaluate(() => {
    for (const value of Object.values(window.watched)) if (Array.isArray(value)) value.length = 0;
    window.watched.sent = 0;
    window.watched.began = performance.now();
  });
  console.log(JSON.stringify({ began: true }));
  await page.waitForTimeout(1000 * Number(seconds));
  return page.evaluate(() => {
    const { began, ...kept } = window.watched;
    return { ...kept, seconds: (performance.now() - began) / 1000, answered: kept.delays.length };
  });
});
if (errors.length) throw new Error(errors.join("\n"));
console.log(JSON.stringify({ browser, ...answer }));
