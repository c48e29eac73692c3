"""Landmarks per second, without the start: a bare HandLandmarker loop, and a look into a `gesture-maker` command.

    python bench_speed_probe.py bare PHOTOS THREADS
    python bench_speed_probe.py watch OUT.json COMMAND…

Both count from the moment at which every thread has finished its first photo to the end of the last one, so that imports,
the landmarkers' creation and their first, slower inference are left out on both sides. `bare` is the limit: photos decoded
and bordered beforehand, in memory, and for each of them as many inferences as ours needs until it finds the hand. `watch`
runs a command of ours as it is and notes when each call of `HandDetector.find` begins and ends; between them lies all
else that it does: reading, hashing, decoding, bordering, writing the table.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Span = tuple[int, float, float, float]
"""Thread, begin and end of one photo in seconds, and the process's CPU seconds at its end."""


def summary(spans: list[Span]) -> dict[str, Any]:
    """Return photos, seconds, rate, and CPU seconds, from when every thread has finished a photo to the end of the last.

    Raises ValueError when there are too few photos for that.
    """
    firsts: dict[int, Span] = {}
    for span in sorted(spans, key=lambda span: span[2]):
        firsts.setdefault(span[0], span)
    warm = max(firsts.values(), key=lambda span: span[2], default=None)
    counted = [span for span in spans if warm is not None and span[2] > warm[2]]
    if warm is None or not counted:
        raise ValueError(f"{len(spans)} photos on {len(firsts)} threads are too few to count")
    last = max(counted, key=lambda span: span[2])
    seconds = last[2] - warm[2]
    return {
        "counted": len(counted),
        "threads": len(firsts),
        "window_seconds": round(seconds, 4),
        "per_second": round(len(counted) / seconds, 3),
        "cpu_ms_each": round((last[3] - warm[3]) / len(counted) * 1e3, 3),
    }


def bare(photos: Path, threads: int) -> dict[str, Any]:
    """Return the summary of a loop that does nothing but ask the landmarker."""
    import queue

    import numpy as np

    from gesture_maker.assets import asset_bytes
    from gesture_maker.bundle.task import hand_landmarker_task
    from gesture_maker.images import bordered, read_image
    from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
    from gesture_maker.landmarks.views import BORDERED_VIEWS
    from gesture_maker.mediapipe_runtime import load_mediapipe

    mediapipe = load_mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    task = hand_landmarker_task(asset_bytes("hand_detector"), asset_bytes("hand_landmarks_detector"))
    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=task),
        num_hands=1,
        min_hand_detection_confidence=MIN_DETECTION_CONFIDENCE,
    )
    landmarkers = [vision.HandLandmarker.create_from_options(options) for _ in range(threads)]

    def ask(landmarker: Any, pixels: Any) -> bool:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        return bool(landmarker.detect(image).hand_landmarks)

    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    looks = 0
    for path in sorted(photos.glob("*/*.jpg")):
        pixels, views = read_image(path), []
        for share in BORDERED_VIEWS:
            views.append(np.ascontiguousarray(bordered(pixels, share)[0]))
            if ask(landmarkers[looks % threads], views[-1]):
                break
        looks += len(views)
        waiting.put(views)

    spans: list[Span] = []
    ready = threading.Barrier(threads)

    def loop(landmarker: Any) -> None:
        ready.wait()
        while True:
            try:
                views = waiting.get_nowait()
            except queue.Empty:
                return
            begin = time.perf_counter()
            for view in views:
                ask(landmarker, view)
            spans.append((threading.get_ident(), begin, time.perf_counter(), time.process_time()))

    running = [threading.Thread(target=loop, args=(landmarker,)) for landmarker in landmarkers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for landmarker in landmarkers:
        landmarker.close()
    return {"photos": len(spans), "looks": looks, **summary(spans)}


def watch(out: Path, command: list[str]) -> None:
    """Run a command of ours and write the summary of its looks to `out`."""
    start = time.perf_counter()
    from gesture_maker.cli import main
    from gesture_maker.landmarks.detector import HandDetector

    spans: list[Span] = []
    looks: list[int] = []  # appended to, since that is safe from several threads
    find, detect = HandDetector.find, HandDetector._detect

    def timed(self: HandDetector, *given: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return find(self, *given, **named)
        finally:
            spans.append((threading.get_ident(), begin, time.perf_counter(), time.process_time()))

    def counted(self: HandDetector, pixels: Any) -> Any:
        looks.append(1)
        return detect(self, pixels)

    HandDetector.find = timed  # type: ignore[method-assign]
    HandDetector._detect = counted  # type: ignore[method-assign]
    sys.argv = ["gesture-maker", *command]
    try:
        main()
    except SystemExit as leaving:
        if leaving.code:  # it has said why
            raise
    threads = len({span[0] for span in spans})
    result = {
        "photos": len(spans),
        "looks": len(looks) - threads,
        **summary(spans),
    }  # each thread begins with one to warm up
    result["before_seconds"] = round(min(span[1] for span in spans) - start, 3)
    result["after_seconds"] = round(time.perf_counter() - max(span[2] for span in spans), 3)
    out.write_text(json.dumps(result))


def main() -> None:
    """See the module."""
    what, *given = sys.argv[1:]
    steps: dict[str, Callable[[], None]] = {
        "bare": lambda: print(json.dumps(bare(Path(given[0]), int(given[1])))),
        "watch": lambda: watch(Path(given[0]), given[1:]),
    }
    steps[what]()


if __name__ == "__main__":
    main()
