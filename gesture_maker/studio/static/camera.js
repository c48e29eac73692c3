// The camera of the browser: asking for it, what can go wrong, and its pictures as JPEG.

/** Why there is no camera: `reason` is a key below "camera." in texts.js: none, refused, busy, insecure or lost. */
export class CameraError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const REASONS = {
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotReadableError: "busy",
  AbortError: "busy",
};

const SIDES = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

/** Return the cameras as [{id, name}]; names are empty until one was allowed. */
export async function cameras() {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return found.filter((one) => one.kind === "videoinput").map((one) => ({ id: one.deviceId, name: one.label }));
}

/** Open a camera and return it once it gives pictures. Throws CameraError. */
export async function openCamera(id) {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraError("insecure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: id ? { ...SIDES, deviceId: { exact: id } } : { ...SIDES, facingMode: "user" },
      audio: false,
    });
  } catch (error) {
    throw new CameraError(REASONS[error.name] ?? "busy");
  }
  const camera = new Camera(stream);
  await camera.ready();
  return camera;
}

/** An open camera. `video`: an element that plays it, unmirrored; `onlost` is called when it goes away by itself. */
export class Camera {
  constructor(stream) {
    this.stream = stream;
    this.onlost = null;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.video.srcObject = stream;
    this.canvas = document.createElement("canvas");
    for (const track of stream.getVideoTracks()) track.addEventListener("ended", () => this.open && this.lose());
    this.open = true;
  }

  get id() {
    return this.stream.getVideoTracks()[0]?.getSettings().deviceId;
  }

  get width() {
    return this.video.videoWidth;
  }

  get height() {
    return this.video.videoHeight;
  }

  async ready() {
    await this.video.play();
    if (!this.video.videoWidth) await new Promise((resolve) => this.video.addEventListener("resize", resolve, { once: true }));
  }

  /** Return the picture of now as a JPEG blob, at most `side` pixels wide or high (0: as the camera gives it). */
  async jpeg({ side = 0, quality = 0.8 } = {}) {
    const longest = Math.max(this.width, this.height);
    const scale = side && side < longest ? side / longest : 1;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    // Without willReadFrequently the picture goes to the graphics card and back: 130 ms instead of 43 on two busy cores.
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", quality));
  }

  /** Call `work` for each new picture of the camera until it is closed or `work` returns false. */
  each(work) {
    const video = this.video;
    const next = () => {
      if (!this.open) return;
      const go = () => this.open && work() !== false && next();
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(go);
      else requestAnimationFrame(go);
    };
    next();
  }

  close() {
    this.open = false;
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }

  lose() {
    this.close();
    this.onlost?.();
  }
}
