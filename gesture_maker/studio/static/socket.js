// Frames to the studio and answers from it, see studio/frames.py. No more than `room` frames are on their way at once, so that
// whoever is slow sees what is there now and not a queue of what was.

/**
 * A socket for frames at a path such as "/ws/camera".
 * `onanswer(answer, milliseconds)`: for each frame's answer; milliseconds from the frame's taking to its answer.
 * `onready()`: when the studio has loaded what answers. `onclose(reason)`: when it ended, and not by `close`; reason is a sentence or "".
 */
export class FrameSocket {
  constructor(path, { onanswer, onclose, onready = null, room = 2 }) {
    this.room = room;
    this.sent = new Map(); // number -> when its frame was taken
    this.number = 0;
    this.error = "";
    this.closed = false;
    this.socket = new WebSocket(`ws://${location.host}${path}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.n === undefined) {
        this.error = answer.error ?? "";
        if (answer.ready) onready?.();
        return;
      }
      const taken = this.sent.get(answer.n);
      for (const n of answer.refused ?? []) this.sent.delete(n); // or they would count as under way for ever
      for (const n of [...this.sent.keys()]) if (n === answer.n || (n < answer.n && !this.sent.get(n)?.keep)) this.sent.delete(n);
      onanswer(answer, taken ? performance.now() - taken.at : null);
    };
    this.socket.onclose = (event) => {
      if (!this.closed) onclose?.(this.error || event.reason || "");
      this.closed = true;
    };
  }

  /** Whether a frame that need not be kept may be sent now. */
  get free() {
    return this.socket.readyState === WebSocket.OPEN && this.sent.size < this.room;
  }

  /** Send a JPEG blob with a header; return its number, or null when the socket is not open. `at`: when it was taken. */
  async send(blob, header = {}, at = performance.now()) {
    if (this.socket.readyState !== WebSocket.OPEN) return null;
    const n = (this.number += 1);
    this.sent.set(n, { at, keep: Boolean(header.keep) });
    const head = new TextEncoder().encode(JSON.stringify({ ...header, n }));
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, head.length, true);
    // One after the other: blobs are read asynchronously, and the numbers have to arrive in order.
    const message = await new Blob([length, head, blob]).arrayBuffer();
    if (this.socket.readyState !== WebSocket.OPEN) {
      this.sent.delete(n); // it was closed meanwhile
      return null;
    }
    this.socket.send(message);
    return n;
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}
