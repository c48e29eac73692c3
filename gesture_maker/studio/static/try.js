// Try: a run's bundle answers the camera, a photo or a film; what it says in large letters, and the bundle to take away.

import { get, send } from "./api.js";
import { el, fill } from "./dom.js";
import { dropTarget, filesOfInput } from "./drop.js";
import { on } from "./events.js";
import { problem } from "./notices.js";
import { makeStage } from "./stage.js";
import { t } from "./texts.js";
import { makeAnswer } from "./try_answer.js";
import { makeDownloads } from "./try_downloads.js";
import { playFilm } from "./try_film.js";
import { makePhoto } from "./try_still.js";
import { answerCamera } from "./try_stream.js";

const MOST = { photo: 200e6, film: 2e9 }; // bytes, as the studio takes them
const FILM_NAME = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|3gp)$/i;
const TOLD_EVERY = 500; // ms between two looks at delay and rate

/** Build the page into `root`. */
export function mount(root) {
  const answer = makeAnswer();
  const downloads = makeDownloads();
  const choice = el("select", { id: "try-run", onchange: () => chose(choice.value) });
  const state = el("p", { class: "try-state", role: "status" });
  const numbers = el("p", { class: "note number try-numbers" });
  const freeze = el(
    "button",
    { type: "button", "aria-pressed": "false", disabled: true, onclick: () => setFrozen(!stream?.frozen) },
    t("try.freeze"),
  );
  const stage = makeStage({ onstart: started, onstop: stopped });
  stage.element.querySelector(".controls").append(freeze);
  const hidden = { class: "visually-hidden", tabindex: -1, "aria-hidden": "true" }; // the button beside it is for all
  const input = el("input", { type: "file", accept: "image/*,video/*", ...hidden });
  input.addEventListener("change", () => {
    const [chosen] = filesOfInput(input);
    input.value = "";
    if (chosen) take(chosen.file);
  });
  const pick = el("button", { type: "button", onclick: () => input.click() }, t("try.choose"));
  const back = el("button", { type: "button", hidden: true, onclick: toCamera }, t("try.toCamera"));
  const place = el("div", { class: "try-place" });
  const picture = el("div", { class: "try-picture" }, stage.element, place);
  const ground = el(
    "div",
    { class: "try-ground" },
    el("div", { class: "row try-top" }, el("label", { for: "try-run" }, t("try.run")), choice),
    el(
      "div",
      { class: "split" },
      el("div", {}, picture, el("p", { class: "row try-drop" }, pick, back, input, el("span", { class: "note" }, t("try.dropHint")))),
      el("div", { class: "try-side" }, answer.element, numbers, state, downloads.element),
    ),
  );
  const toTrain = el("a", { class: "button primary", href: "#train" }, t("try.toTrain"));
  const none = el("div", { class: "card", hidden: true }, el("p", {}, t("try.noRuns")), toTrain);
  const loading = el("p", { class: "note" }, t("try.loading"));
  ground.hidden = true;
  root.append(el("h1", {}, t("shell.tabs.try")), el("p", { class: "note" }, t("try.about")), loading, none, ground);
  dropTarget(ground, {
    ondrop: (files) => files.then(([first]) => first && take(first.file), problem),
    open: () => run !== null,
  });

  let runs = [];
  let run = null; // the name of the one that answers
  let byHand = false; // whether the user has chosen it
  let address = null; // the run that the page's address asks for
  let stream = null;
  let shown = null; // a photo or film in the camera's place
  let sending = null; // an AbortController of a photo on its way
  let visible = false;
  let wasOn = false;
  const delays = [];
  let arrivals = [];
  let toldAt = 0;

  on("runs", ({ runs: found }) => use(found));
  on("back", load);
  load();
  return { show, hide };

  function load() {
    get("/api/runs").then(({ runs: found }) => use(found), problem);
  }

  function use(found) {
    loading.hidden = true;
    runs = found.filter((one) => one.bundle);
    const asked = new URLSearchParams(location.hash.split("?")[1] ?? "").get("run");
    const there = (name) => runs.some((one) => one.name === name);
    none.hidden = runs.length > 0;
    ground.hidden = runs.length === 0;
    const names = runs.map((one) => one.name);
    if (names.join("/") !== [...choice.options].map((one) => one.value).join("/")) {
      fill(choice, names.map((name) => el("option", { value: name }, name))); // not while somebody chooses, for nothing
    }
    const newest = runs[0]?.name ?? null;
    const busy = visible && (stage.camera || shown);
    let wanted = there(run) && (byHand || busy) ? run : newest;
    if (asked !== address && (asked === null || there(asked))) {
      address = asked; // a link such as #try?run=NAME counts once: then the user may choose another
      if (asked !== null) wanted = asked;
      byHand ||= asked !== null;
    }
    choice.value = wanted ?? "";
    if (wanted !== run) turnTo(wanted);
    else if (run !== null) downloads.show(run);
  }

  function chose(name) {
    byHand = true;
    turnTo(name);
  }

  function turnTo(name) {
    run = name;
    const labels = runs.find((one) => one.name === name)?.labels ?? [];
    answer.classes(labels);
    if (name === null) {
      toCamera();
      stage.stop();
      return;
    }
    downloads.show(name);
    if (shown) take(shown.file);
    else if (stage.camera) begin();
  }

  // The camera.

  function started() {
    if (!visible) {
      queueMicrotask(() => stage.stop()); // the page was left while the browser asked
      return;
    }
    toCamera();
    begin();
  }

  function begin() {
    end();
    answer.clear("");
    delays.length = 0;
    arrivals = [];
    stream = answerCamera(stage.camera, run, { onanswer: answered, onstate: told });
    freeze.disabled = false;
  }

  function end() {
    stream?.close();
    stream = null;
    freeze.disabled = true;
    freeze.setAttribute("aria-pressed", "false");
    fill(numbers);
    fill(state);
  }

  function stopped() {
    end();
    if (!shown) answer.clear();
  }

  function told(kind, sentence) {
    fill(state, kind === "refused" ? sentence : kind === "ready" ? "" : t(`try.${kind}`));
    state.classList.toggle("bad-text", kind === "refused");
    if (kind === "ready") return;
    stage.draw([]);
    answer.clear("");
    fill(numbers);
  }

  function answered(told, milliseconds) {
    if (told.error) {
      fill(state, told.error);
      return;
    }
    if (state.textContent) fill(state);
    stage.draw(told.hands);
    answer.show(told.hands);
    const now = performance.now();
    arrivals.push(now);
    arrivals = arrivals.filter((at) => now - at < 2000);
    if (milliseconds !== null) delays.push(milliseconds);
    if (now - toldAt < TOLD_EVERY || arrivals.length < 3 || !delays.length) return;
    toldAt = now;
    const middle = delays.sort((a, b) => a - b)[delays.length >> 1];
    const rate = (1000 * (arrivals.length - 1)) / (now - arrivals[0]);
    fill(numbers, t("try.numbers", { rate: rate.toFixed(0), delay: middle.toFixed(0), runtime: told.ms.toFixed(0) }));
    delays.length = 0;
  }

  function setFrozen(is) {
    if (!stream || !stage.camera) return;
    stream.frozen = is;
    freeze.setAttribute("aria-pressed", String(is));
    if (is) stage.camera.video.pause();
    else stage.camera.video.play().catch(() => {});
  }

  // A photo or film in its place.

  async function take(file) {
    const film = file.type.startsWith("video/") || FILM_NAME.test(file.name);
    if (file.size > MOST[film ? "film" : "photo"]) {
      problem({ status: 413, message: t(film ? "try.filmTooLarge" : "try.photoTooLarge", { name: file.name }) });
      return;
    }
    stage.stop();
    away();
    answer.clear("");
    stage.element.hidden = true;
    back.hidden = false;
    const labels = runs.find((one) => one.name === run)?.labels ?? [];
    if (film) shown = { file, ...playFilm(file, run, { onhands: (hands) => answer.show(hands), onfail: failed, labels }) };
    else shown = { file, ...makePhoto(file, t("try.photo", { name: file.name })) };
    fill(place, shown.element);
    if (!film) await ask(file, shown);
  }

  async function ask(file, photo) {
    fill(state, t("try.photoWorking"));
    state.classList.remove("bad-text");
    sending = new AbortController();
    try {
      const told = await send("/api/upload/try/photo", file, { run }, sending.signal);
      if (photo !== shown) return;
      photo.shape(told.width, told.height);
      photo.draw(told.hands);
      answer.show(told.hands);
      answer.say();
      fill(state);
    } catch (error) {
      if (error.name !== "AbortError" && photo === shown) failed(error);
    }
  }

  function failed(error) {
    fill(state, error.message);
    state.classList.add("bad-text");
  }

  function away() {
    sending?.abort();
    sending = null;
    shown?.close();
    shown = null;
    fill(place);
    fill(state);
    state.classList.remove("bad-text");
  }

  function toCamera() {
    if (shown) {
      away();
      answer.clear();
    }
    back.hidden = true;
    stage.element.hidden = false;
  }

  function show() {
    visible = true;
    if (runs.length) use(runs);
    if (wasOn && run !== null && !shown) stage.start();
    wasOn = false;
  }

  function hide() {
    visible = false;
    wasOn = Boolean(stage.camera);
    stage.stop(); // nobody wants a camera on that no page shows
    for (const video of place.querySelectorAll("video")) video.pause();
  }
}
