"""The whole way on drawn motions: draw, train, evaluate on people it did not draw for training, and a long film with known gestures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker.dataset.folder import DATASETS
from gesture_maker.files import write_csv
from gesture_maker.motion.clips import STILL
from gesture_maker.motion.collect_marks import Mark
from gesture_maker.motion.evaluate import FilmEvaluation, MotionEvaluation, evaluate_film, evaluate_motions
from gesture_maker.motion.train import MotionTraining, train_motions
from gesture_maker.progress import Progress, StageProgress, of_stage
from gesture_maker.synthetic.motion_dataset import draw_motion_dataset, write_film
from gesture_maker.synthetic.motion_film import RATE, draw_motion_film
from gesture_maker.synthetic.motions import MOTIONS
from gesture_maker.training.run_folder import free_run_name

TRAIN_PEOPLE = range(12)
TEST_PEOPLE = range(1000, 1006)
PER_PERSON = 2  # clips of each class by each person: 264 to learn from, 132 to test on

FILM_PERSON = 2000
EVENTS = 20

SHARES = (84, 16, 0)  # of the twelve, ten are trained on; the test people are in a dataset of their own


@dataclass(frozen=True, eq=False)
class MotionDemo:
    """What the demo made: two datasets, a run, its evaluation on the test people, and on a film of another person."""

    dataset: Path
    test_dataset: Path
    training: MotionTraining
    evaluation: MotionEvaluation
    film: Path
    film_evaluation: FilmEvaluation


def run_motion_demo(
    seed: int = 0,
    name: str | None = None,
    progress: StageProgress | None = None,
    *,
    people: Sequence[int] = TRAIN_PEOPLE,
    test_people: Sequence[int] = TEST_PEOPLE,
    per_person: int = PER_PERSON,
    labels: Sequence[str] = (STILL, *MOTIONS),
    events: int = EVENTS,
    settings: Mapping[str, Any] | None = None,
) -> MotionDemo:
    """Draw two datasets and a film under `datasets/`, train on the first, evaluate on the other two, and return all of it.

    What was drawn before is kept, so that an interrupted demo can be run again. `name`: of the run, by default `motion-demo`,
    `motion-demo-2` … `settings`: those of `train_motions`.
    """
    suffix = "" if seed == 0 else f"_seed{seed}"
    dataset, test_dataset = DATASETS / f"motion_demo{suffix}", DATASETS / f"motion_demo_other_people{suffix}"
    for folder, drawn in ((dataset, people), (test_dataset, test_people)):
        draw_motion_dataset(
            folder, labels, drawn, per_person, seed, progress=of_stage(progress, f"Drawing {folder.name}")
        )
    film = DATASETS / f"motion_demo_film{suffix}.mp4"
    marks = film_with_marks(film, events, FILM_PERSON, seed, of_stage(progress, f"Drawing {film.name}"))
    name = name or free_run_name("motion-demo")
    training = train_motions(
        dataset, name=name, shares=SHARES, settings={"seed": seed, **(settings or {})}, progress=progress
    )
    evaluation = evaluate_motions(training.run.path, test_dataset, progress=progress)
    told = evaluate_film(training.run.path, film, marks, progress=of_stage(progress, "recognizing"))
    return MotionDemo(dataset, test_dataset, training, evaluation, film, told)


def film_with_marks(film: Path, events: int, person: int, seed: int, progress: Progress | None = None) -> list[Mark]:
    """Draw a film of so many gestures, with its marks as a CSV beside it, unless it is there; return the marks."""
    made, frames = draw_motion_film(events, person, seed)
    marks = [Mark(one.begin, one.end, one.label) for one in made]
    table = film.with_suffix(".csv")
    if not (film.is_file() and table.is_file()):
        total = round((made[-1].end + 1) * RATE)

        def told() -> Any:
            for number, frame in enumerate(frames):
                if progress:
                    progress(min(number + 1, total), total)
                yield frame

        write_film(film, told(), RATE)
        rows = [{"begin": round(mark.begin, 3), "end": round(mark.end, 3), "label": mark.label} for mark in marks]
        write_csv(table, rows, ("begin", "end", "label"))
    return marks
