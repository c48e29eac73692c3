// What a run leaves to take away: the .task, its model card, its report; and where the .task goes.

import { address, get } from "./api.js";
import { el, fill } from "./dom.js";
import { t } from "./texts.js";

const OFFERED = ["task", "card", "report"];

/** Return {element, show(run)}. */
export function makeDownloads() {
  const links = el("p", { class: "row" });
  const report = el("p", { class: "note", hidden: true }, t("try.noReport"));
  const element = el(
    "section",
    { class: "card try-downloads", "aria-label": t("try.downloads") },
    el("h2", {}, t("try.downloads")),
    links,
    report,
    el("p", { class: "note" }, t("try.whereTo")),
  );
  let asked = "";
  return { element, show };

  function show(run) {
    asked = run;
    get("/api/runs/one", { run }).then(
      ({ files }) => {
        if (run !== asked) return;
        report.hidden = files.includes("report");
        fill(links, OFFERED.filter((what) => files.includes(what)).map((what) => link(run, what)));
      },
      () => run === asked && fill(links), // the run is gone: the list of runs says so in a moment
    );
  }
}

function link(run, what) {
  const to = address("/api/runs/file", { run, what });
  return el("a", { class: what === "task" ? "button primary" : "button", href: to, download: "" }, t(`try.${what}`));
}
