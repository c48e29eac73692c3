"""Whole datasets of drawn motions: a film for each clip, drawn by a process a core.

Most of a clip's time is Python's own work on small arrays, so that two threads take no less time than one.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.files import atomic_write
from gesture_maker.synthetic.draw import draw_files, plan_files
from gesture_maker.synthetic.film import FilmFrame
from gesture_maker.synthetic.motions import RATE, SIZE, check_clip, draw_clip

SUFFIX = ".mp4"

PRESET, QUALITY = "veryfast", 20
"""libx264's. A clip of 37 frames and 192x192 pixels takes 17 kB and 26 ms, where drawing it takes 400."""

_ALONE_BELOW = 8  # clips that this process draws itself: to start others takes 1.5 s, a clip 0.4


def draw_motion_dataset(
    folder: Path,
    labels: Sequence[str],
    people: Sequence[int],
    per_person: int,
    seed: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    rate: float = RATE,
    size: tuple[int, int] = SIZE,
) -> int:
    """Draw `per_person` clips of each class by each person into a motion dataset; return how many were drawn now.

    Files are `<folder>/<class>/<class>_000001.mp4` and a row each in `manifest.csv` (group: the person). A clip that is already
    there is left, so that an interrupted call can be made again. `progress` is called with (done, total). The same
    arguments give the same bytes. Raises ConfigError for a class that cannot be drawn, a size that is under 32 pixels or odd, or
    no rate, and DatasetError when the folder's files of these names are known to be something else.
    """
    for label in labels:
        check_clip(label, rate, size)
    if any(side % 2 for side in size):
        raise ConfigError(f"A film of {size[0]}x{size[1]} pixels cannot be written as MP4: give even numbers.")
    plan = plan_files(labels, people, per_person, SUFFIX)
    new = sum(not (folder / row.file).exists() for row, _, _ in plan)
    write = partial(_write_clip, seed=seed, rate=rate, size=size)
    with drawing_pool(new) as pool:
        return draw_files(folder, plan, pool, write, progress, "film")


def write_film(target: Path, frames: Iterable[FilmFrame], rate: float) -> None:
    """Write frames as an MP4 film (H.264) in one step; the same frames give the same bytes. Width and height have to be even."""
    import av
    import cv2

    with atomic_write(target) as temporary:
        # Bit-exact: without the version of the library that wrote it.
        options = {"fflags": "+bitexact", "movflags": "faststart"}
        with av.open(str(temporary.absolute()), "w", format="mp4", options=options) as film:
            settings = {"preset": PRESET, "crf": str(QUALITY)}
            stream: Any = film.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options=settings)
            stream.pix_fmt, stream.thread_count = "yuv420p", 1  # more threads would cut the picture in other places
            for number, frame in enumerate(frames):
                if number == 0:
                    stream.height, stream.width = frame.pixels.shape[:2]
                planes = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2YUV_I420), np.uint8)
                picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                picture.pts = number
                film.mux(stream.encode(picture))
            film.mux(stream.encode())


def _write_clip(
    target: Path, label: str, person: int, index: int, seed: int, rate: float, size: tuple[int, int]
) -> None:
    write_film(target, draw_clip(label, person, index, seed, rate=rate, size=size), rate)


@contextlib.contextmanager
def drawing_pool(clips: int) -> Iterator[Executor]:
    """Yield what draws this many clips: a process a core, or for a few this one. Its processes are ended with the block."""
    from joblib import cpu_count  # type: ignore[import-untyped]
    from joblib.externals.loky import ProcessPoolExecutor  # type: ignore[import-untyped]

    if clips < _ALONE_BELOW or cpu_count() < 2:
        with ThreadPoolExecutor(1) as pool:
            yield pool
        return
    # Unlike multiprocessing's, these processes do not run the user's script once more.
    processes = ProcessPoolExecutor(cpu_count(), initializer=_prepare)
    try:
        yield processes
    finally:
        processes.shutdown(wait=True, kill_workers=True)


def _prepare() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the first one, and the other cores to the other processes."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
