"""Following the hand through every clip of a dataset, none of them twice.

Each clip is looked at as `motion live` looks at a film: by MediaPipe's GestureRecognizer in VIDEO mode, one hand, so that what is learned
from is what will be seen. A clip in which the hand fills the frame, so that few frames show one, is looked at once more with a border.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from gesture_maker.errors import GestureMakerError
from gesture_maker.files import sha256_of
from gesture_maker.images import bordered
from gesture_maker.landmarks.detector import detection_key
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.local_engine import usable_cores
from gesture_maker.motion.clips import Clip, clip_sha256, read_frames
from gesture_maker.motion.track import MAX_GAP, HandTrack
from gesture_maker.motion.track_table import TrackRow, TrackTable
from gesture_maker.progress import Progress
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.remote import landmarks_bundle
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.tracking import FilmRecognizer

ENOUGH = 0.6
"""Share of a clip's frames that show a hand without a border; with fewer it is tried with one, and the better look is kept."""

BORDER = 0.25  # of the longer side, replicated: of single photos that fill the frame it finds 99% in place of 83%

FOLDER_RATE = 25.0
"""Frames per second of a folder of frames, where nothing says how fast they were taken."""


@dataclass(frozen=True, eq=False)
class Followed:
    """One clip and its track; `problem`: why nothing can be learned from it, in a few words, None when it can."""

    clip: Clip
    sha256: str
    track: HandTrack | None
    problem: str | None


def follow_clips(
    clips: Sequence[Clip],
    table: TrackTable | None,
    *,
    options: RuntimeOptions | None = None,
    folder_rate: float = FOLDER_RATE,
    max_gap: float = MAX_GAP,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Followed]:
    """Return the track of each clip, in their order. What the table knows is not looked at again; what is found goes into it.

    `max_gap`: seconds without a hand, in the middle of a clip, up to which the gap is filled in. `workers`: threads, by default one a
    core. Ctrl-C loses the clips that were being looked at.
    """
    options = options or RuntimeOptions(num_hands=1)
    detection = detection_of(options, folder_rate)
    rows: list[TrackRow] = []
    try:
        with ThreadPoolExecutor(workers or usable_cores(), thread_name_prefix="following") as pool:
            for row in _in_order(pool, clips, lambda clip: _row(clip, table, options, detection, folder_rate)):
                rows.append(row)
                if progress:
                    progress(len(rows), len(clips))
    finally:
        if table is not None:
            table.merge(rows)
    return [
        Followed(clip, row.sha256, row.track, row.reason or (row.track.problem(max_gap) if row.track else None))
        for clip, row in zip(clips, rows, strict=True)
    ]


def follow(
    frames: Callable[[], Iterator[Frame]], options: RuntimeOptions | None = None, bundle: bytes | None = None
) -> HandTrack:
    """Return the track of a clip whose frames `frames()` begins anew. Raises what reading them raises."""
    options = options or RuntimeOptions(num_hands=1)
    bundle = bundle or landmarks_bundle()
    track = _followed(frames(), options, bundle, 0.0)
    if len(track) and track.found.mean() < ENOUGH:
        other = _followed(frames(), options, bundle, BORDER)
        track = other if other.found.mean() > track.found.mean() else track
    return track


def _row(clip: Clip, table: TrackTable | None, options: RuntimeOptions, detection: str, folder_rate: float) -> TrackRow:
    names: dict[str, Any] = {"file": clip.file, "label": clip.label, "group": clip.group}
    try:
        sha256 = clip_sha256(clip)
        known = table.get(sha256, detection) if table else None
        if known is not None:
            return replace(known, **names)
        track = follow(lambda: read_frames(clip, folder_rate), options)
        row = TrackRow(sha256, detection, track, None, **names)
    except GestureMakerError as error:
        return TrackRow("", detection, None, _reason(error, clip), **names)
    except OSError as error:
        return TrackRow("", detection, None, f"cannot be read ({error.strerror})", **names)
    if table is not None:
        table.put(row)
    return row


def _reason(error: GestureMakerError, clip: Clip) -> str:
    """Return a sentence about a clip as a few words of a table."""
    words = str(error).split(":")[0] if not hasattr(error, "reason") else f"{error.name}: {error.reason}"  # type: ignore[attr-defined]
    return words.replace(str(clip.path), "it").rstrip(".")


def _followed(frames: Iterator[Frame], options: RuntimeOptions, bundle: bytes, border: float) -> HandTrack:
    seen: list[tuple[float, Hand | None]] = []
    with FilmRecognizer(bundle, options) as recognizer:
        for frame in frames:
            height, width = frame.pixels.shape[:2]
            pixels, margin = bordered(frame.pixels, border)
            shown = replace(frame, pixels=pixels)
            result, _ = recognizer.ask(shown, recognizer.image(shown))
            hands = [one.found for one in recognizer.hands(result, width, height, margin)]
            seen.append((frame.seconds, nearest(hands, seen[-1][1] if seen else None)))
    return HandTrack.of(seen)


def nearest(hands: Sequence[Hand], before: Hand | None) -> Hand | None:
    """Return the hand that is followed: the only one there is, or the one nearest to where it was before."""
    if len(hands) < 2 or before is None:
        return hands[0] if hands else None
    return min(hands, key=lambda hand: float(abs(hand.landmarks[:, :2] - before.landmarks[:, :2]).sum()))


def detection_of(options: RuntimeOptions, folder_rate: float) -> str:
    """Return a short key of everything that decides a track, besides the clip."""
    parts = (detection_key(), repr(options), repr((ENOUGH, BORDER, folder_rate)))
    return sha256_of("\n".join(parts).encode())[:16]


def _in_order(pool: ThreadPoolExecutor, clips: Sequence[Clip], work: Callable[[Clip], TrackRow]) -> Iterator[TrackRow]:
    """Yield the work's results in the order of the clips, a few clips ahead; what waits is given up when somebody stops."""
    waiting: deque[Future[TrackRow]] = deque()
    rest = iter(clips)
    try:
        for clip in rest:
            waiting.append(pool.submit(work, clip))
            if len(waiting) >= 8:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
