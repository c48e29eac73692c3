// What the studio tells all pages: {kind, data}. Connects again when it was gone.

const listeners = new Map();
let wait = 500;

/**
 * Have `listener(data)` called for every event of a kind. Returns how to stop it. Kinds of our own: "gone"; "locked" after it,
 * when a studio is there again that was started anew, with another key; "back".
 */
export function on(kind, listener) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(listener);
  return () => listeners.get(kind).delete(listener);
}

function tell(kind, data) {
  for (const listener of listeners.get(kind) ?? []) listener(data);
}

/** A refused WebSocket does not say why; an ordinary request does. */
async function askWhy() {
  const answer = await fetch("/api/about").catch(() => null);
  if (answer?.status === 403) tell("locked");
}

/** Begin to listen; call it once. */
export function connect() {
  let was = "new";
  const open = () => {
    const socket = new WebSocket(`ws://${location.host}/ws/events`);
    socket.onopen = () => {
      if (was === "gone") tell("back");
      was = "there";
      wait = 500;
    };
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      tell(event.kind, event.data);
    };
    socket.onclose = () => {
      if (was !== "gone") tell("gone");
      else askWhy();
      was = "gone";
      setTimeout(open, wait);
      wait = Math.min(2 * wait, 5000);
    };
  };
  open();
}
