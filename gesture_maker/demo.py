"""The whole way on drawn hands: draw, train, export, evaluate on people it did not draw for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker.bundle.export import Export, export
from gesture_maker.dataset.folder import DATASETS
from gesture_maker.evaluation.evaluate import evaluate
from gesture_maker.evaluation.results import Evaluation
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.steps import Training, train
from gesture_maker.synthetic.draw import draw_dataset
from gesture_maker.synthetic.poses import DEMO_CLASSES
from gesture_maker.training.run_folder import free_run_name

TRAIN_PEOPLE = range(16)
TEST_PEOPLE = range(1000, 1008)
PER_PERSON = 3  # images of each class by each person: 336 to train on, 168 to test on, 15 s to draw on two cores


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo made: two datasets, a run, its bundle, and the evaluation on the test people."""

    dataset: Path
    test_dataset: Path
    training: Training
    export: Export
    evaluation: Evaluation


def run_demo(
    seed: int = 0,
    name: str | None = None,
    progress: StageProgress | None = None,
    *,
    people: Sequence[int] = TRAIN_PEOPLE,
    test_people: Sequence[int] = TEST_PEOPLE,
    per_person: int = PER_PERSON,
    settings: Mapping[str, Any] | None = None,
) -> Demo:
    """Draw two datasets under `datasets/`, train on the first, export, and evaluate on the second, of other people.

    Images that are there already are kept, so that an interrupted demo can be run again. `name`: of the run, by default
    `demo`, `demo-2` … `people`, `test_people`: by number, each another person; `per_person`: images of each class. `settings`: those of
    `gesture_maker.train`.
    """
    suffix = "" if seed == 0 else f"_seed{seed}"
    dataset, test_dataset = DATASETS / f"demo{suffix}", DATASETS / f"demo_other_people{suffix}"
    for folder, drawn in ((dataset, people), (test_dataset, test_people)):
        draw_dataset(folder, DEMO_CLASSES, drawn, per_person, seed, of_stage(progress, f"Drawing {folder.name}"))
    # No estimate: what people not trained on get is measured below, and five more trainings would take half a minute.
    name = name or free_run_name("demo")
    training = train(dataset, name=name, seed=seed, estimate=False, settings=settings, progress=progress)
    exported = export(training.run.path)
    evaluation = evaluate(training.run.path, test_dataset, progress=of_stage(progress, "recognizing"))
    return Demo(dataset, test_dataset, training, exported, evaluation)
