// What is under the cursor. A hand before a camera is not a mouse: beside a target is near enough.

export const REACH = 28; // CSS pixels around a target that still count: 0.025 of a panel of 1100, what clicks are off by

/**
 * Return the target at a point, or the nearest within `reach`; null when there is none. `targets`: [{box}] with boxes
 * {left, top, right, bottom}; of several that hold the point the smallest counts, as a button in a line.
 */
export function nearest(targets, [x, y], reach = REACH) {
  let best = null;
  for (const target of targets) {
    const { left, top, right, bottom } = target.box;
    if (right <= left || bottom <= top) continue;
    const away = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
    const area = (right - left) * (bottom - top);
    if (away > reach) continue;
    if (!best || away < best.away || (away === best.away && area < best.area)) best = { target, away, area };
  }
  return best?.target ?? null;
}

/** Return the part of a box that lies within another; it may be empty (right <= left). */
export function overlap(box, within) {
  return {
    left: Math.max(box.left, within.left),
    top: Math.max(box.top, within.top),
    right: Math.min(box.right, within.right),
    bottom: Math.min(box.bottom, within.bottom),
  };
}

/** Tell whether a point is in a box. */
export function holds(box, [x, y]) {
  return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
}
