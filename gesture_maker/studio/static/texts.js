// Every word that the page shows, in one place: translate this file.
// {name} is replaced by a value. Sentences about errors come from the server, in English.

const texts = {
  shell: {
    title: "gesture-maker studio",
    skip: "Skip to the content",
    navigation: "Steps",
    tabs: { collect: "Collect", train: "Train", try: "Try", play: "Play" },
    dataset: "Dataset {name}",
    gone: "The studio has ended or cannot be reached. Waiting for it to come back …",
    back: "The studio is back.",
    dismiss: "Dismiss",
    undo: "Undo",
    cancel: "Cancel",
    unexpected: "Something went wrong: {message}",
  },
  camera: {
    start: "Start the camera",
    stop: "Stop the camera",
    choose: "Camera",
    nameless: "Camera {number}",
    asking: "Waiting for your permission to use the camera …",
    none: "No camera was found. Connect one and try again.",
    refused: "The browser was not allowed to use the camera. Allow it in the address bar, then try again.",
    busy: "The camera is in use by another program. Close that and try again.",
    insecure: "Browsers give the camera only to pages from 127.0.0.1 or localhost: open the address that was printed.",
    lost: "The camera is gone. Connect it and try again.",
    again: "Try again",
    preview: "What the camera sees, as in a mirror",
  },
  collect: {},
  train: {},
  try: {},
  play: {},
};

/** Return the text of a key such as "camera.none", with its {names} replaced. Throws for a key that is not there. */
export function t(key, values = {}) {
  const text = key.split(".").reduce((part, name) => part?.[name], texts);
  if (typeof text !== "string") throw new Error(`There is no text "${key}".`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Return the text for a number of things: the key's `one` or `other`, whose {n} is the number. */
export function count(key, n, values = {}) {
  return t(`${key}.${n === 1 ? "one" : "other"}`, { n: n.toLocaleString("en"), ...values });
}
