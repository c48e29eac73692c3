// A film: it plays while the studio answers it frame by frame, with its hands and gestures in step, and a strip of the gestures
// over time, by which it can be moved through.

import { ApiError, address } from "./api.js";
import { el, fill } from "./dom.js";
import { bestOf } from "./try_answer.js";
import { makeStrip } from "./try_strip.js";
import { makeViewer } from "./try_still.js";
import { t } from "./texts.js";

const AHEAD = 0.7; // seconds that answers are to be ahead before a film that waited for them plays on

/**
 * Answer a film's file with the bundle of `run`, and return {element, close()}.
 * `onhands(hands)`: those of the picture that is shown; `onfail(error)`: why there are no more answers.
 */
export function playFilm(file, run, { onhands, onfail, labels }) {
  const source = URL.createObjectURL(file);
  const video = el("video", { src: source, playsinline: true, "aria-label": t("try.film", { name: file.name }) });
  video.muted = true;
  const viewer = makeViewer(video);
  const play = el("button", { type: "button", onclick: toggle }, t("try.play"));
  const strip = makeStrip(labels, (seconds) => (video.currentTime = seconds), play);
  const state = el("p", { class: "note", role: "status" });
  const progress = el("progress", { "aria-label": t("try.filmProgress") });
  const cancel = el("button", { type: "button", onclick: stop }, t("try.filmCancel"));
  const working = el("div", { class: "row try-working" }, progress, cancel);
  const element = el("div", { class: "try-film" }, viewer.element, strip.element, working, state);
  const answers = []; // {t, hands}, in the order of time
  const aborting = new AbortController();
  let about = {};
  let over = false;
  let holding = false;
  let closed = false;
  let shown = null;

  video.addEventListener("loadedmetadata", () => {
    viewer.shape(video.videoWidth, video.videoHeight);
    strip.length(video.duration);
  });
  video.addEventListener("error", () => closed || fill(state, t("try.filmUnplayable")));
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, tellPlay);
  for (const event of ["timeupdate", "seeked", "pause"]) video.addEventListener(event, () => step(video.currentTime));
  follow();
  fill(state, t("try.filmSending"));
  ask();
  return { element, close };

  async function ask() {
    try {
      const response = await fetch(address("/api/upload/try/video", { run }), {
        method: "POST",
        body: file,
        headers: { "Content-Type": "application/octet-stream" },
        signal: aborting.signal,
      });
      if (!response.ok) {
        const told = await response.json().catch(() => ({}));
        throw new ApiError(told.error ?? `${response.status} ${response.statusText}`, response.status);
      }
      fill(state, t("try.filmWorking"));
      let last = null;
      for await (const line of linesOf(response.body)) {
        last = line;
        take(line);
      }
      if (last?.error) throw new ApiError(last.error, 400);
      if (!last?.done) throw new ApiError(t("shell.gone"), 0);
      if (!closed) fill(state, t("try.filmDone", { frames: answers.length.toLocaleString("en") }));
    } catch (error) {
      if (closed) return;
      if (error.name === "AbortError") fill(state, t("try.filmCancelled"));
      else {
        fill(state);
        onfail("status" in error ? error : new ApiError(t("shell.gone"), 0));
      }
    } finally {
      over = true;
      working.hidden = true;
      strip.end();
      release();
    }
  }

  function take(line) {
    if (line.frames !== undefined) {
      about = line;
      viewer.shape(line.width, line.height);
      if (line.frames) progress.max = line.frames;
      if (!video.error && !matchMedia("(prefers-reduced-motion: reduce)").matches) video.play().catch(() => {});
    } else if (line.hands) {
      answers.push(line);
      if (about.frames) progress.value = answers.length;
      strip.add(line.t, bestOf(line.hands), about.rate);
      if (answers.length === 1 || video.paused) step(video.currentTime);
      release();
    }
  }

  function toggle() {
    if (holding || !video.paused) {
      holding = false;
      video.pause();
      tellPlay();
    } else video.play().catch(() => {});
  }

  function tellPlay() {
    const text = t(holding || !(video.paused || video.ended) ? "try.pause" : "try.play");
    if (play.textContent !== text) fill(play, text);
  }

  /** Show the hands of a time, and wait where the answers have not come that far. */
  function step(seconds) {
    if (closed) return;
    strip.at(seconds);
    const end = answers.at(-1)?.t ?? -1;
    if (!over && seconds > end && !video.paused && !video.ended) {
      holding = true;
      video.pause();
    }
    const answer = at(seconds);
    if (answer === shown) return;
    shown = answer;
    viewer.draw(answer?.hands ?? []);
    onhands(answer?.hands ?? []);
  }

  function release() {
    if (!holding || closed) return;
    const end = answers.at(-1)?.t ?? 0;
    if (!over && end < Math.min(video.currentTime + AHEAD, video.duration || Infinity)) return;
    holding = false;
    video.play().catch(() => {});
  }

  /** Return the answer to the frame that is shown at a time. */
  function at(seconds) {
    let low = 0;
    let high = answers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (answers[middle].t <= seconds + 0.002) low = middle + 1; // times are rounded to a millisecond
      else high = middle;
    }
    if (low === answers.length && !over && seconds > (answers.at(-1)?.t ?? 0) + 0.1) return null;
    return answers[Math.max(0, low - 1)] ?? null;
  }

  function follow() {
    if (closed) return;
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback((_, frame) => {
        step(frame.mediaTime);
        follow();
      });
    }
  }

  function stop() {
    aborting.abort();
  }

  function close() {
    closed = true;
    aborting.abort();
    video.pause();
    video.removeAttribute("src");
    URL.revokeObjectURL(source);
  }
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
