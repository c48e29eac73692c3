// A camera on the page: a button to start it, a choice of cameras, the picture as in a mirror with hands drawn over it, and
// a sentence for whatever goes wrong. Pages that use the camera share it.

import { CameraError, cameras, openCamera } from "./camera.js";
import { el, fill } from "./dom.js";
import { drawHands } from "./hands.js";
import { t } from "./texts.js";

/**
 * Return a stage: {element, camera, start(), stop(), draw(hands)}.
 * `onstart(camera)` and `onstop()` are called when the camera begins to give pictures and when it ends, for whatever reason.
 */
export function makeStage({ onstart, onstop = null }) {
  const overlay = el("canvas", { class: "overlay", "aria-hidden": "true" });
  const picture = el("div", { class: "picture" });
  const message = el("p", { class: "message" });
  const button = el("button", { type: "button", class: "primary", onclick: () => toggle() }, t("camera.start"));
  const choice = el("select", { onchange: () => restart() });
  const choosing = el("label", { class: "choice", hidden: true }, t("camera.choose"), choice);
  const element = el("div", { class: "stage" }, picture, el("div", { class: "controls" }, button, choosing));
  const stage = { element, picture, camera: null, start, stop, draw };
  let starting = null;
  show(message);
  return stage;

  function show(...children) {
    fill(picture, ...children);
    picture.classList.toggle("empty", !stage?.camera);
  }

  async function toggle() {
    if (stage.camera) stop();
    else await start();
  }

  async function restart() {
    stop();
    await start();
  }

  /** Open the camera and return it; null when there is none, which the stage then says. */
  function start() {
    starting ??= open().finally(() => (starting = null));
    return starting;
  }

  async function open() {
    if (stage.camera) return stage.camera;
    say("camera.asking");
    button.disabled = true;
    try {
      const camera = await openCamera(choice.value || undefined);
      camera.onlost = () => {
        ended();
        say("camera.lost");
        button.textContent = t("camera.again");
      };
      stage.camera = camera;
      camera.video.classList.add("mirrored");
      camera.video.setAttribute("aria-label", t("camera.preview"));
      picture.style.setProperty("aspect-ratio", `${camera.width} / ${camera.height}`);
      show(camera.video, overlay);
      button.textContent = t("camera.stop");
      await offer(camera);
      onstart(camera);
      return camera;
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      say(`camera.${error.reason}`);
      button.textContent = t("camera.again");
      return null;
    } finally {
      button.disabled = false;
    }
  }

  async function offer(camera) {
    const found = await cameras();
    fill(choice, found.map((one, index) => el("option", { value: one.id }, one.name || t("camera.nameless", { number: index + 1 }))));
    choice.value = camera.id ?? "";
    choosing.hidden = found.length < 2;
  }

  function stop() {
    if (!stage.camera) return;
    stage.camera.close();
    ended();
    fill(message);
    show(message);
    button.textContent = t("camera.start");
  }

  function ended() {
    stage.camera = null;
    onstop?.();
  }

  function say(key) {
    fill(message, t(key));
    show(message);
  }

  /** Draw hands over the picture, see hands.js. */
  function draw(hands) {
    if (stage.camera) drawHands(overlay, hands, { mirror: true });
  }
}
