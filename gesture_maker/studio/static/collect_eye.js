// The camera of the page collect: small frames go to the studio, which answers with the hands in them, and photos to
// be kept go as they are.

import { el, fill } from "./dom.js";
import { on } from "./events.js";
import { FrameSocket } from "./socket.js";
import { makeStage } from "./stage.js";
import { t } from "./texts.js";

const FRAMES_PER_SECOND = 15; // enough to see that the landmarks follow; the studio's cores have other work, too
const SIDE = 640; // pixels; what a camera gives here, and more than the landmarker's own 224
const NO_HAND_SECONDS = 3; // a hand on its way into the picture is no reason for a hint
const RETRY_SECONDS = 2;

/**
 * Return {element, stage, connected, ready, start(), take(keep), pause(), resume()}. `connected`: frames can be sent;
 * `ready`: the studio finds hands in them. `onkept(number, answer)`: the studio's answer to a frame;
 * `onrefused(numbers)`: photos that it had no time for; `onlost()`: the connection ended, and with it photos under
 * way; `onchange()`: the camera or the connection came or went.
 */
export function makeEye({ onkept, onrefused, onlost, onchange }) {
  let socket = null;
  let retrying = null;
  let lastFrame = 0;
  let lastHand = 0;
  let wanted = false; // the page is shown
  let gone = false;
  const hint = el("p", { class: "hint warn", hidden: true });
  const say = el("div", { role: "status" }, hint);
  const stage = makeStage({ onstart: started, onstop: ended });
  const element = el("div", { class: "eye" }, stage.element, say);
  const eye = { element, stage, connected: false, ready: false, paused: false, start, take, pause, resume };
  on("gone", () => {
    gone = true;
    clearTimeout(retrying);
  });
  on("back", () => {
    gone = false;
    again();
  });
  return eye;

  function started(camera) {
    if (!wanted) {
      queueMicrotask(() => stage.stop()); // the page was left while the browser asked
      return;
    }
    look();
    camera.each(() => {
      const now = performance.now();
      if (!socket?.free || now - lastFrame < 1000 / FRAMES_PER_SECOND - 5) return;
      lastFrame = now;
      const to = socket;
      camera.jpeg({ side: SIDE }).then((blob) => blob && to.send(blob, {}, now));
    });
    onchange();
  }

  function look() {
    clearTimeout(retrying);
    lastHand = performance.now();
    eye.connected = true;
    socket = new FrameSocket("/ws/camera", {
      onanswer: answered,
      onready: () => {
        eye.ready = true;
        lastHand = performance.now();
        tell();
        onchange();
      },
      onclose: (reason) => {
        drop();
        if (reason) tell(t("collect.noHandYet", { reason }), true);
        else if (stage.camera && !gone) retrying = setTimeout(again, 1000 * RETRY_SECONDS);
      },
    });
    onchange();
  }

  /** Let go of the socket: photos under way get no answer any more. */
  function drop() {
    socket = null;
    eye.connected = eye.ready = false;
    stage.draw([]);
    onlost();
    onchange();
  }

  function answered(answer) {
    if (answer.refused) onrefused(answer.refused);
    onkept(answer.n, answer);
    if (!answer.hands) {
      if (answer.error) tell(t("collect.noHandYet", { reason: answer.error }));
      return;
    }
    stage.draw(answer.hands);
    const now = performance.now();
    if (answer.hands.length) lastHand = now;
    tell(now - lastHand > 1000 * NO_HAND_SECONDS ? t("collect.noHand") : "");
  }

  function tell(text = "", retry = false) {
    const shown = hint.hidden ? "" : hint.firstChild?.textContent;
    if (text === shown) return; // screen readers would say it again
    hint.hidden = !text;
    fill(hint, text, retry && el("button", { type: "button", onclick: again }, t("collect.retry")));
  }

  function again() {
    if (!stage.camera || socket) return;
    tell();
    look();
  }

  function ended() {
    clearTimeout(retrying);
    if (socket) {
      socket.close();
      drop();
    }
    tell();
    onchange();
  }

  /** Take a photo to be kept, and return its number, or null when there is no camera or no connection. */
  async function take(keep) {
    const to = socket;
    if (!stage.camera || !to) return null;
    const at = performance.now();
    const blob = await stage.camera.jpeg({ quality: 0.95 });
    if (to.socket.readyState === WebSocket.CONNECTING) {
      await new Promise((resolve) => ["open", "close"].forEach((kind) => to.socket.addEventListener(kind, resolve)));
    }
    return blob && to === socket ? to.send(blob, { keep }, at) : null;
  }

  function start() {
    wanted = true;
    return stage.start();
  }

  /** The page is left: free the camera for the others, and take it again when the page is back. */
  function pause() {
    const was = Boolean(stage.camera);
    wanted = false;
    stage.stop();
    eye.paused = was;
  }

  function resume() {
    wanted = true;
    if (eye.paused) stage.start();
    eye.paused = false;
  }
}
