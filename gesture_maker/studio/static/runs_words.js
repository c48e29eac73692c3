// How runs are written on the page.

import { percent } from "./dom.js";
import { count, t } from "./texts.js";

/** Return when a run was made, in the reader's time zone. */
export function when(run) {
  const date = new Date(run.created);
  return Number.isNaN(date.getTime()) ? run.created : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** Return "21 Nov 2026, 23:12 · 48 photos · 4 classes". */
export function about(run) {
  return t("train.result.about", {
    when: when(run),
    photos: count("train.result.photos", run.photos),
    classes: count("train.result.classes", run.labels.length),
  });
}

/** Return the 95 % interval, rounded outwards. */
export function interval(run) {
  if (run.low === null) return t("train.runs.unmeasured");
  return t("train.runs.interval", { low: Math.floor(100 * run.low + 1e-9), high: Math.ceil(100 * run.high - 1e-9) });
}

/** Return the accuracy, or that it was not measured. */
export function accuracy(run) {
  return run.accuracy === null ? t("train.runs.unmeasured") : percent(run.accuracy);
}

/** Return a setting's value as it would be typed. */
export function valueOf(value) {
  if (value === null || value === undefined || (Array.isArray(value) && !value.length)) return t("train.result.unset");
  if (typeof value === "boolean") return t(value ? "train.yes" : "train.no");
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).map(([name, one]) => `${name}=${one}`).join(",");
  }
  return String(value);
}
