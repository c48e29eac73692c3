// The page: four steps, of which one is shown at a time. Each is a module that exports `mount(root)` and returns {show(), hide()}.

import { get } from "./api.js";
import { el, fill } from "./dom.js";
import { connect, on } from "./events.js";
import { notice, problem } from "./notices.js";
import { t } from "./texts.js";

const STEPS = ["collect", "train", "try", "play"];
const pages = new Map();
let current = null;

history.replaceState(null, "", `/${location.hash}`); // the key in the address has done its work
document.title = t("shell.title");
for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
fill(
  document.getElementById("tabs"),
  STEPS.map((step) => el("li", {}, el("a", { href: `#${step}`, data: { step } }, t(`shell.tabs.${step}`)))),
);
window.addEventListener("hashchange", () => turnTo(asked()));
window.addEventListener("unhandledrejection", (event) => problem(event.reason));
on("gone", () => gone("shell.gone"));
on("locked", () => gone("shell.locked"));
on("back", () => {
  gone(null);
  notice(t("shell.back"));
});
connect();
get("/api/about").then(({ dataset }) => {
  fill(document.getElementById("place"), t("shell.dataset", { name: dataset.name }));
  document.getElementById("place").title = dataset.path;
}, problem);
turnTo(asked());

function asked() {
  const step = location.hash.slice(1).split("?")[0];
  return STEPS.includes(step) ? step : step === "content" && current ? current : STEPS[0];
}

function gone(why) {
  const banner = document.getElementById("gone");
  banner.hidden = !why;
  if (banner.textContent !== (why ? t(why) : "")) fill(banner, why ? t(why) : ""); // an alert is read out at every change
}

async function turnTo(step) {
  if (step === current) return;
  const before = pages.get(current);
  current = step;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.dataset.step === step) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (before) {
    before.root.hidden = true;
    before.page.hide?.();
  }
  if (!pages.has(step)) {
    const root = el("section", { class: `page ${step}`, "aria-label": t(`shell.tabs.${step}`) });
    document.getElementById("content").append(root);
    const { mount } = await import(`./${step}.js`);
    pages.set(step, { root, page: mount(root) });
  }
  const { root, page } = pages.get(step);
  root.hidden = current !== step;
  if (current === step) page.show?.();
  document.title = `${t(`shell.tabs.${step}`)} · ${t("shell.title")}`;
}
