// Which gesture clicks and which grabs, unless the user says otherwise: by the names of the classes.

const NOT = /^none$|point|index|one_finger|^one$|^l_sign$/i; // what the hand does anyway while it moves the cursor
const CLICKS = [/click/i, /pinch|tap|press|select/i, /^ok(ay)?$/i, /victory|peace/i, /thumb.*up|like/i, /fist|closed/i];
const GRABS = [/grab|grip|carry|drag|hold/i, /fist|closed/i, /pinch/i, /palm|open|stop/i];

/** Google's canned gestures, which a bundle with Google's embedder answers where the user's classes say `none`. */
export const CANNED = ["Closed_Fist", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory", "ILoveYou"];

/**
 * Return {click, grab} for a bundle's gestures: what was `wanted` before where it is among them, else those with telling names,
 * else the first that are left; null where nothing is left. A telling name is "grab" before "fist": the order of the lists.
 */
export function chosen(labels, wanted = {}) {
  const free = labels.filter((label) => !NOT.test(label));
  const had = (label) => labels.includes(label) && label !== "none";
  const grabWanted = had(wanted.grab) || wanted.grab === null ? wanted.grab : undefined;
  const click = had(wanted.click)
    ? wanted.click
    : pick(free.filter((label) => label !== grabWanted && !GRABS[0].test(label)), CLICKS) ?? free[0] ?? null;
  if (grabWanted !== undefined && grabWanted !== click) return { click, grab: grabWanted };
  return { click, grab: pick(free.filter((label) => label !== click), GRABS) ?? null };
}

function pick(labels, patterns) {
  for (const pattern of patterns) {
    const found = labels.find((label) => pattern.test(label));
    if (found !== undefined) return found;
  }
  return labels[0];
}
