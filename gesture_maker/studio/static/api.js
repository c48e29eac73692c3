// Requests to the studio. What goes wrong is an ApiError whose message is a sentence for the user.

import { t } from "./texts.js";

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // 0: the studio could not be reached
  }
}

/** GET JSON. `query`: an object of values for the address. */
export function get(path, query) {
  return request("GET", path, { query });
}

/** POST a value as JSON and return the answer's JSON. */
export function post(path, value = {}, query) {
  return request("POST", path, { query, body: JSON.stringify(value), type: "application/json" });
}

/** POST a file's bytes and return the answer's JSON. `signal`: an AbortSignal. */
export function send(path, blob, query, signal) {
  return request("POST", path, { query, body: blob, type: "application/octet-stream", signal });
}

/** Return an address below the studio's with its query, for <img>, links and sockets. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

async function request(method, path, { query, body, type, signal } = {}) {
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      body,
      signal,
      headers: type ? { "Content-Type": type } : {},
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(t("shell.gone"), 0);
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(told.error ?? `${response.status} ${response.statusText}`, response.status);
  return told;
}
