"""How well a network for motions does: on clips of other people, and on a long film in which gestures are marked."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.formats.point_history import is_point_history, read_point_history
from gesture_maker.errors import DatasetError, GestureMakerError
from gesture_maker.evaluation.plots import save_confusion_matrix
from gesture_maker.evaluation.questions import about_trained_on
from gesture_maker.evaluation.report.pictures import Picture
from gesture_maker.files import write_csv, write_json, write_text
from gesture_maker.motion.clips import Clip, find_clips, read_frames
from gesture_maker.motion.collect_marks import Mark
from gesture_maker.motion.events import Debounce, Event
from gesture_maker.motion.features import FEATURES
from gesture_maker.motion.live import MotionSummary, live_motions
from gesture_maker.motion.measure import MotionMeasured, measure_clips
from gesture_maker.motion.prepare import follow_dataset
from gesture_maker.motion.report import AboutClips, motion_page
from gesture_maker.motion.run import MotionRun, Sequences
from gesture_maker.motion.windows import windows_of
from gesture_maker.progress import StageProgress
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.run_folder import SplitRow

EARLY, LATE = 0.2, 1.0
"""Seconds before a marked gesture begins and after it ends in which an event counts as its own: people mark by hand, and the last
frames of a gesture have to be seen before it is told."""

STRIP_FRAMES, STRIP_HEIGHT = 6, 96  # of a wrong clip's picture
MOST_STRIPS = 60  # 0.6 MB of a page
_TIMED = 50  # windows


@dataclass(frozen=True, eq=False)
class MotionEvaluation:
    """What the clips came to, and where `metrics.json`, `predictions.csv`, `confusion_matrix.png` and the `report` are."""

    measured: MotionMeasured
    folder: Path
    warnings: tuple[str, ...]
    milliseconds: float | None

    @property
    def report(self) -> Path:
        """The page that shows all of it."""
        return self.folder / "report" / "index.html"


@dataclass(frozen=True)
class MarkedEvent:
    """A marked gesture, and the event that told it; None when none did. `delay_frames`: frames from the mark's end to the event, below 0
    when it was told before the gesture was over."""

    mark: Mark
    event: Event | None
    delay_frames: float | None


@dataclass(frozen=True, eq=False)
class FilmEvaluation:
    """A film against its marks: each gesture with the event that told it, and the events that belong to none (`false`)."""

    marked: tuple[MarkedEvent, ...]
    false: tuple[Event, ...]
    summary: MotionSummary

    @property
    def found(self) -> tuple[MarkedEvent, ...]:
        """The gestures that were told."""
        return tuple(one for one in self.marked if one.event is not None)

    @property
    def missed(self) -> tuple[MarkedEvent, ...]:
        """Those that were not."""
        return tuple(one for one in self.marked if one.event is None)


def evaluate_motions(
    run: str | Path,
    dataset: str | Path | None = None,
    *,
    group_by: str | None = None,
    out: Path | None = None,
    progress: StageProgress | None = None,
) -> MotionEvaluation:
    """Return how well a run does on a dataset's clips, or on its own test part, with a report of it.

    `group_by`: finds the person in a clip's name. `out`: the folder of the results, by default `evaluation/<name>` in the run. Raises
    RunError for a run that is none or has no test part, DatasetError for clips that cannot be asked about.
    """
    made = MotionRun.load_finished(run)
    rows, sequences, clips = _own(made) if dataset is None else _others(made, dataset, group_by, progress)
    model = TfliteModel(made.model())
    measured = measure_clips(model, made.labels, sequences, rows, None)
    milliseconds = _timed(model, sequences)
    title = "its own test part" if dataset is None else Path(dataset).resolve().name
    warnings = _warnings(made, rows, dataset is None)
    folder = out or made.path / "evaluation" / ("test" if dataset is None else Path(dataset).resolve().stem)
    about = AboutClips(title, datetime.now(timezone.utc).isoformat(timespec="seconds"), milliseconds)
    strips = _strips(measured, clips)
    evaluation = MotionEvaluation(measured, folder, warnings, milliseconds)
    lines: list[dict[str, Any]] = [
        {
            "file": one.row.file,
            "label": one.row.label,
            "group": one.row.group,
            "answer": one.answer or "",
            "score": round(one.score, 6),
            "right": int(one.right),
            "reason": one.reason,
        }
        for one in measured.answers
    ]
    write_csv(folder / "predictions.csv", lines, ("file", "label", "group", "answer", "score", "right", "reason"))
    save_confusion_matrix(measured.metrics, folder / "confusion_matrix.png", f"{made.name} on {title}", "clip of")
    write_text(evaluation.report, motion_page(made, measured, about, strips, warnings))
    write_json(
        folder / "metrics.json", {**measured.as_dict(), "milliseconds": milliseconds, "warnings": list(warnings)}
    )
    return evaluation


def evaluate_film(
    run: str | Path,
    film: str | Path,
    marks: Sequence[Mark],
    *,
    debounce: Debounce | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> FilmEvaluation:
    """Return which of a film's marked gestures `live_motions` tells, and what it tells beside. `settings`: its own.

    Marks of the background count for nothing. Raises DatasetError for marks of gestures that the run does not know.
    """
    made = MotionRun.load_finished(run)
    unknown = sorted({mark.label for mark in marks} - set(made.labels))
    if unknown:
        raise DatasetError(
            f'The run "{made.name}" does not know {", ".join(unknown)}: it knows {", ".join(made.labels)}.'
        )
    gestures = [mark for mark in marks if mark.label != made.background]
    summary = live_motions(run, film, debounce=debounce, progress=progress, **settings)
    return against_marks(gestures, summary)


def against_marks(marks: Sequence[Mark], summary: MotionSummary) -> FilmEvaluation:
    """Return which event belongs to which mark: the first of its gesture from shortly before it begins until shortly after it ends."""
    frames = max(summary.live.answered - 1, 1)
    last = max((event.seconds for event in summary.events), default=0.0)
    rate = _rate(summary.events) or (frames / last if last else 25.0)
    taken: set[int] = set()
    marked = []
    for mark in sorted(marks, key=lambda one: one.begin):
        number = next(
            (
                number
                for number, event in enumerate(summary.events)
                if number not in taken
                and event.gesture == mark.label
                and mark.begin - EARLY <= event.seconds <= mark.end + LATE
            ),
            None,
        )
        if number is None:
            marked.append(MarkedEvent(mark, None, None))
            continue
        taken.add(number)
        event = summary.events[number]
        marked.append(MarkedEvent(mark, event, (event.seconds - mark.end) * rate))
    false = tuple(event for number, event in enumerate(summary.events) if number not in taken)
    return FilmEvaluation(tuple(marked), false, summary)


def _rate(events: Sequence[Event]) -> float | None:
    """Return the film's frames per second, from the events' own times."""
    times = [(event.frame, event.seconds) for event in events if event.frame > 0 and event.seconds > 0]
    return times[-1][0] / times[-1][1] if times else None


def _own(run: MotionRun) -> tuple[list[SplitRow], Sequences, dict[str, Clip]]:
    rows = run.split()
    test = [number for number, row in enumerate(rows) if row.part == "test"]
    if not test:
        raise run.no_test_part("clips")
    its = run.sequences("test")
    place = {number: index for index, number in enumerate(test)}
    sequences = Sequences(its.x, its.y, np.array([place[int(number)] for number in its.clip], np.int64))
    try:  # for their pictures; they may be gone
        clips = {clip.file: clip for clip in find_clips(run.description["dataset"]).clips}
    except (GestureMakerError, OSError):
        clips = {}
    return [rows[number] for number in test], sequences, clips


def _others(
    run: MotionRun, dataset: str | Path, group_by: str | None, progress: StageProgress | None
) -> tuple[list[SplitRow], Sequences, dict[str, Clip]]:
    if is_point_history(Path(dataset)):
        return _paths(run, Path(dataset))
    found = find_clips(dataset, group_by)
    about = run.description
    followed = follow_dataset(
        found.root, found.clips, max_gap=about["max_gap"], folder_rate=about["folder_rate"], progress=progress
    )
    rows = [
        SplitRow(one.clip.file, one.clip.label, one.clip.group or "", "", one.sha256, one.problem or "")
        for one in followed
    ]
    x, clip = [], []
    for number, one in enumerate(followed):
        if one.track is not None and one.problem is None:
            whole = windows_of(one.track, run.features).whole
            x += list(whole)
            clip += [number] * len(whole)
    shape = (len(x), run.features.length, run.features.size)
    sequences = Sequences(np.array(x, np.float32).reshape(shape), np.zeros(len(x), np.int64), np.array(clip, np.int64))
    return rows, sequences, {one.file: one for one in found.clips}


def _paths(run: MotionRun, table: Path) -> tuple[list[SplitRow], Sequences, dict[str, Clip]]:
    paths = read_point_history(table)
    if run.features.kind != "path" or paths.x.shape[1:] != (run.features.length, FEATURES["path"]):
        raise DatasetError(
            f'{table} holds paths of {paths.x.shape[1]} points, the run "{run.name}" takes {run.features.length} frames of '
            f"{run.features.size} numbers: ask about clips, or train on paths."
        )
    rows = [SplitRow(f"{table.name}#{number}", paths.labels[y], "", "", "", "") for number, y in enumerate(paths.y, 1)]
    return rows, Sequences(paths.x, paths.y.astype(np.int64), np.arange(len(rows))), {}


def _warnings(run: MotionRun, rows: Sequence[SplitRow], own: bool) -> tuple[str, ...]:
    found = []
    unknown = sorted({row.label for row in rows} - set(run.labels))
    if unknown:
        found.append(f"The run does not know {', '.join(unknown)}: clips of these can only be wrong.")
    again = [] if own else about_trained_on(run, [row.sha256 for row in rows], "clips")
    return (*found, *again)


def _timed(model: TfliteModel, sequences: Sequences) -> float | None:
    some = sequences.x[:_TIMED]
    if not len(some):
        return None
    begin = time.perf_counter()
    model.scores(some)
    return 1000 * (time.perf_counter() - begin) / len(some)


def _strips(measured: MotionMeasured, clips: dict[str, Clip]) -> dict[int, Picture]:
    wrong = [number for number, one in enumerate(measured.answers) if not one.right and one.row.file in clips]
    strips = {}
    for number in wrong[:MOST_STRIPS]:
        try:
            strips[number] = strip_of(clips[measured.answers[number].row.file])
        except (GestureMakerError, OSError):  # it is listed by name
            continue
    return strips


def strip_of(clip: Clip) -> Picture:
    """Return frames of a clip, evenly from its first to its last, side by side. Raises what reading them raises."""
    from PIL import Image

    frames = [frame.pixels for frame in read_frames(clip)]
    chosen = [frames[int(index)] for index in np.linspace(0, len(frames) - 1, STRIP_FRAMES).round()]
    small = [_small(Image.fromarray(pixels)) for pixels in chosen]
    strip = Image.new("RGB", (sum(one.width for one in small), STRIP_HEIGHT))
    left = 0
    for one in small:
        strip.paste(one, (left, 0))
        left += one.width
    written = io.BytesIO()
    strip.save(written, "JPEG", quality=80, optimize=True)
    return Picture(written.getvalue(), strip.width, strip.height)


def _small(picture: Any) -> Any:
    return picture.resize((max(1, round(picture.width * STRIP_HEIGHT / picture.height)), STRIP_HEIGHT))
