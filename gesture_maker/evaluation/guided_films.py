"""Guided validation on films: a folder of videos per gesture, and `none` for hands that make none.

    videos/rock/first.mp4
    videos/none/moving_hands.mp4

Every film is one try, and one of its own for the runtime too: VIDEO mode follows a hand from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset.formats.class_folders import is_passed_over, natural_key, printable, top_level
from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.videos import count_frames, is_video_name
from gesture_maker.errors import DatasetError, SourceError
from gesture_maker.evaluation.bundle import Bundle, find_bundle
from gesture_maker.evaluation.guided import finished
from gesture_maker.evaluation.guided_results import FrameAnswer, GuidedEvaluation, Try, answer_to
from gesture_maker.evaluation.model import results_folder
from gesture_maker.evaluation.questions import name_of
from gesture_maker.recognition.frames import open_film
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.stages import interrupts_noted
from gesture_maker.recognition.tracking import FilmRecognizer

LAYOUT = "put them into a folder per class, such as rock/first.mp4"


@dataclass(frozen=True)
class _Film:
    """A film of a class, `name` as messages and tables call it, and about how many frames it has."""

    path: Path
    label: str
    name: str
    frames: int = 0


def evaluate_films(
    bundle: str | Path,
    videos: str | Path,
    *,
    options: RuntimeOptions | None = None,
    mirrored: bool = False,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GuidedEvaluation:
    """Ask a bundle about every frame of the films in `videos`, a folder with one folder per class, and write a report.

    `bundle`: a `.task` file, or a run (its folder or its name) whose bundle was exported. `options`: by default one hand, canned
    gestures answer. `mirrored`: the films were recorded in a mirror. `out`: the folder for the results; by default
    `evaluation/<name of videos>` in the run, or beside the `.task`. `progress` gets (frames done, frames in all).

    What cannot be used is left out with a warning. After Ctrl-C the result holds what was watched until then, and says so.
    Raises a GestureMakerError when there is nothing to be watched.
    """
    asked_of, root = find_bundle(bundle), Path(videos)
    options = options or RuntimeOptions()
    films, warnings = _films(root, asked_of)
    tries: list[Try] = []
    stopped: BaseException | None = None
    total = sum(film.frames for film in films)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, max(done, total))

    with interrupts_noted() as interrupted:
        for film in films:
            if interrupted.is_set():
                break
            one, problem = _watched(film, asked_of.file, options, mirrored, interrupted.is_set, count)
            if one.frames:
                tries.append(one)
            if problem is not None:
                warnings.append(problem)
        if interrupted.is_set():
            stopped = KeyboardInterrupt()
    if not tries:
        if stopped is not None:
            raise KeyboardInterrupt("Interrupted: no film was watched yet.")
        raise DatasetError(f"None of the {len(films)} videos in {root} can be read: convert them to MP4 (H.264) first.")
    whole = sum(one.whole for one in tries)
    partial = f"Interrupted after {whole} of {len(films)} films." if stopped else ""
    return finished(
        asked_of,
        tries,
        source=name_of(root),
        live=False,
        options=options,
        folder=out or results_folder(asked_of, name_of(root), "videos"),
        warnings=warnings,
        partial=partial,
        stopped=stopped,
    )


def _watched(
    film: _Film,
    task: Path,
    options: RuntimeOptions,
    mirrored: bool,
    interrupted: Callable[[], bool],
    count: Callable[[], None],
) -> tuple[Try, str | None]:
    """Return a film's answers, and a sentence when it breaks off."""
    answers: list[FrameAnswer] = []
    seconds, problem, whole = 0.0, None, True
    try:
        with closing(open_film(film.path, mirrored=mirrored)) as source, FilmRecognizer(task, options) as recognizer:
            step = 1 / (source.rate or 25.0)
            while (frame := source.read()) is not None:
                if interrupted():
                    whole = False
                    break
                answers.append(answer_to(recognizer.recognize(frame), film.label, frame))
                seconds = frame.seconds + step
                count()
    except SourceError as error:
        whole = False
        problem = f"{printable(str(error))} What came before counts." if answers else printable(str(error))
    return Try(film.label, film.name, seconds, tuple(answers), whole), problem


def _films(root: Path, bundle: Bundle) -> tuple[list[_Film], list[str]]:
    """Return the films of the classes that the bundle knows, and sentences on what is left out."""
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}: name one that holds a folder of videos per class.")
    top = top_level(Tree(root))
    known, warnings = set(bundle.labels) | {NONE}, []
    films: list[_Film] = []
    unknown = []
    for label, folders in top.folders.items():
        found, other = _in_folders(root, label, folders)
        if not found:
            warnings.append(f'There is no video in the folder of "{printable(label)}": it is not measured.')
        elif label not in known:
            unknown.append(label)
            warnings.append(
                f'The bundle does not know the class "{printable(label)}": its {_videos(len(found))} are not watched.'
            )
        else:
            films += found
        if other:
            warnings.append(f"{_files(other)} of {printable(label)} {'is' if other == 1 else 'are'} no video.")
    outside = sum(is_video_name(name) for name, _ in top.unused)
    if outside:
        warnings.append(f"{_videos(outside)} outside the class folders {'is' if outside == 1 else 'are'} not watched.")
    if not films and unknown:
        raise DatasetError(
            f"{bundle.file} knows none of the classes of these videos ({', '.join(unknown)}): its classes are "
            f"{', '.join(bundle.labels)}."
        )
    if not films:
        raise DatasetError(f"There are no videos in class folders in {root}: {LAYOUT}.")
    missing = [label for label in bundle.labels if label not in top.folders]
    if missing:
        warnings.append(f"There are no videos of {', '.join(missing)}: nothing is known of {_them(len(missing))}.")
    counted: list[_Film] = []
    order = [label for label in bundle.labels if label != NONE]
    for film in sorted(films, key=lambda film: len(order) if film.label == NONE else order.index(film.label)):
        try:
            counted.append(_Film(film.path, film.label, film.name, count_frames(film.path)))
        except SourceError as error:
            warnings.append(f"{printable(str(error))} It is not measured.")
    if not counted:
        raise DatasetError(f"No video in {root} can be read: convert them to MP4 (H.264) first.")
    return counted, warnings


def _in_folders(root: Path, label: str, folders: list[str]) -> tuple[list[_Film], int]:
    """Return the films of a class in natural order, and how many other files there are."""
    films, other = [], 0
    for folder in folders:
        for path in sorted((root / folder).iterdir(), key=lambda path: natural_key(path.name)):
            if is_passed_over(path.name):
                continue
            if is_video_name(path.name) and path.is_file():
                films.append(_Film(path, label, printable(f"{folder}/{path.name}")))
            else:
                other += 1
    return films, other


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count} videos"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
