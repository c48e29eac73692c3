// A camera's frames to a run's bundle, and its answers. Connects again when the studio was gone; sends nothing while nobody
// looks at the page.

import { on } from "./events.js";
import { FrameSocket } from "./socket.js";

const SIDE = 480; // pixels
const QUALITY = 0.8;
const ROOM = 2; // frames on their way
const RETRY_SECONDS = [0.5, 1, 2, 4];

/**
 * Send a camera's pictures to the bundle of `run` until `close()`. Returns {close(), frozen}: set `frozen` to send none.
 * `onanswer(answer, milliseconds)`: see socket.js; `onstate(state, sentence)`: "opening", "ready", "gone" (it tries again)
 * or "refused", with the studio's sentence about why there will be no answers.
 */
export function answerCamera(camera, run, { onanswer, onstate }) {
  const stream = { close, frozen: false };
  let socket = null;
  let closed = false;
  let taking = false;
  let tries = 0;
  let timer = null;
  const forget = on("back", again);
  open();
  camera.each(() => {
    if (closed) return false;
    if (!taking && !stream.frozen && !document.hidden && socket?.ready && socket.free) take();
    return true;
  });
  return stream;

  function open() {
    onstate("opening", "");
    const opened = new FrameSocket(`/ws/try?${new URLSearchParams({ run })}`, {
      room: ROOM,
      onanswer(answer, milliseconds) {
        if (!closed && !stream.frozen) onanswer(answer, milliseconds);
      },
      onready() {
        opened.ready = true;
        tries = 0;
        if (!closed) onstate("ready", "");
      },
      onclose(reason) {
        socket = null;
        if (closed) return;
        onstate(reason ? "refused" : "gone", reason);
        if (!reason) timer = setTimeout(again, 1000 * RETRY_SECONDS[Math.min(tries++, RETRY_SECONDS.length - 1)]);
      },
    });
    socket = opened;
  }

  function again() {
    clearTimeout(timer);
    if (!closed && !socket) open();
  }

  async function take() {
    taking = true;
    try {
      const at = performance.now();
      const blob = await camera.jpeg({ side: SIDE, quality: QUALITY });
      if (blob && !closed && !stream.frozen) await socket?.send(blob, {}, at);
    } finally {
      taking = false;
    }
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    forget();
    socket?.close();
  }
}
