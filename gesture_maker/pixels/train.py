"""One training on pixels from start to end, in a run folder that can be resumed at any moment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.folder import find_dataset
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.evaluation.measured import Measured, save_training_plots
from gesture_maker.files import sha256_of_file, write_bytes, write_csv
from gesture_maker.pixels.maps import TENSOR, keep_head
from gesture_maker.pixels.pictures import MARGIN, Seeing
from gesture_maker.pixels.prepare import (
    SHARES,
    Prepared,
    masked_pictures,
    prepare_photos,
    read_pictures,
    write_pictures,
)
from gesture_maker.pixels.run import KERAS, PICTURES, PixelRun
from gesture_maker.pixels.weights import Weights, find_weights
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.pixels.augment import Pictures
from gesture_maker.training.pixels.settings import IMAGENET, SCRATCH, PixelSettings
from gesture_maker.training.run_folder import SplitRow, versions_of

_PACKAGES = ("mediapipe", "tensorflow", "ai-edge-litert", "opencv-contrib-python", "numpy")
_SIDES = re.compile(r"(?:^|[^a-z])(?:left|right)(?:[^a-z]|$)")


@dataclass(frozen=True, eq=False)
class PixelTraining:
    """A training that came to its end. `measured`: by part, "validation" and "test", through the TFLite; parts without photos are missing.
    `prepared` is None when it was resumed."""

    run: PixelRun
    measured: dict[str, Measured]
    warnings: tuple[str, ...]
    prepared: Prepared | None = None


def train_pixels(
    dataset: str | Path,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str | Path = IMAGENET,
    weights_sha256: str | None = None,
    crop: str = "none",
    margin: float = MARGIN,
    shares: tuple[int, int, int] = SHARES,
    group_by: str | None = None,
    test: str | Path | None = None,
    held_out: Collection[str] = (),
    runs: Path | None = None,
    progress: StageProgress | None = None,
) -> PixelTraining:
    """Train on a folder of class folders into a fresh run folder.

    `name`: of the run, by default the dataset's. `settings`: those of `PixelSettings` that are to differ from their defaults; where classes are called
    left or right, pictures are not mirrored unless that is asked for. `weights`: "imagenet", "none", or a file, see `find_weights`.
    `crop`, `margin`: see `Seeing`. `shares`: percent for train, validation and test. `group_by`: a regular
    expression that finds the person in a photo's name. `test`: another dataset that is the whole test part; `held_out`: files of this one that are. `runs`: where the run is made. `progress` is called with
    ("downloading", "reading", "landmarks" or "training", done, total).

    Raises DatasetError for what cannot be trained on, ConfigError for settings or weights that cannot be, RunError for a name that is taken. Ctrl-C
    loses the photos that were being read, or the epoch: `resume_pixels` goes on.
    """
    given = dict(settings or {})
    chosen = PixelSettings.of(given, pretrained=str(weights) != SCRATCH)
    seeing = Seeing(chosen.image_size, crop, margin)
    dataset = find_dataset(dataset)  # said before anything is downloaded
    name = PixelRun.new_name(name, f"{Path(dataset).resolve().stem}-image", runs)
    found = find_weights(weights, chosen.backbone, weights_sha256, of_stage(progress, "downloading"))
    prepared = prepare_photos(
        dataset,
        seeing,
        shares=shares,
        seed=chosen.seed,
        group_by=group_by,
        test=test,
        held_out=held_out,
        progress=progress,
    )
    warnings = list(prepared.warnings)
    sided = [label for label in prepared.labels if _SIDES.search(label.lower())]
    if sided and "flip" not in given:
        chosen = replace(chosen, flip=False)
        warnings.append(
            f"Pictures are not mirrored, since classes are called left or right ({', '.join(sided)}): --flip does it."
        )
    description = {
        "labels": list(prepared.labels),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dataset": str(prepared.root.resolve()),
        "test_dataset": str(prepared.test.resolve()) if prepared.test else None,
        "fingerprint": prepared.fingerprint,
        "photos": len(prepared.photos),
        "unusable": len(prepared.unused),
        "seeing": {"crop": crop, "margin": margin},
        "settings": chosen.to_json(),
        "weights": {"name": found.name, "sha256": found.sha256, "path": str(found.path.resolve())} if found else None,
        "split": list(shares),
        "seed": chosen.seed,
        "warnings": warnings,
        "versions": versions_of(*_PACKAGES),
    }

    def fill(unseen: PixelRun) -> None:
        unseen.save_split([photo.row for photo in prepared.photos])
        write_pictures(prepared, seeing, unseen.path / PICTURES, progress)
        unseen.update(masks=masked_pictures(read_pictures(unseen.path / PICTURES)))

    return _finish(PixelRun.create(name, description, fill, runs), prepared, progress)


def resume_pixels(name: str | Path, progress: StageProgress | None = None) -> PixelTraining:
    """Go on with a training that was interrupted, and return it. Raises RunError when there is none, or it was finished."""
    return _finish(PixelRun.load_unfinished(name), None, progress)


def _finish(run: PixelRun, prepared: Prepared | None, progress: StageProgress | None) -> PixelTraining:
    from gesture_maker.training.pixels.export import to_tflite, with_metadata
    from gesture_maker.training.pixels.fitting import fit

    parts, settings, weights = _pictures(run), run.settings, _weights(run)
    with run.told_how_to_resume():
        fitted = fit(
            parts,
            run.labels,
            settings,
            run.path,
            weights=weights.path if weights else None,
            training=run.description["fingerprint"] + (weights.sha256 if weights else ""),
            progress=of_stage(progress, "training"),
        )
        content = to_tflite(run.path / KERAS)
        tensor = keep_head(run, content, parts["train"].x[0])
        write_bytes(run.path / run.MODEL, with_metadata(content, run.labels))
        rows = run.split()
        measured = {
            part: _measured(content, run.labels, its, [row for row in rows if row.part == part and not row.reason])
            for part, its in parts.items()
            if part != "train"
        }
        write_csv(run.path / "history.csv", fitted.history, _columns(fitted.history))
        save_training_plots(run, _numbered(fitted.history), measured, "photo")
        run.finish(
            stages=fitted.stages,
            kept=fitted.kept,
            epochs=sum(one["epochs"] for one in fitted.stages.values()),
            parameters=fitted.parameters,
            learned=fitted.learned,
            mixed_precision=fitted.mixed,
            seconds=round(fitted.seconds, 1),
            keras_sha256=sha256_of_file(run.path / KERAS),
            model_bytes=(run.path / run.MODEL).stat().st_size,
            **{TENSOR: tensor},
            measured={part: one.as_dict() for part, one in measured.items()},
        )
    shutil.rmtree(run.path / PICTURES, ignore_errors=True)
    return PixelTraining(run, measured, tuple(run.description["warnings"]), prepared)


def _pictures(run: PixelRun) -> dict[str, Pictures]:
    try:
        parts = read_pictures(run.path / PICTURES)
        return {"train": parts["train"], **parts}
    except Exception as error:  # numpy and zipfile raise many kinds on damaged files
        raise RunError(f"{run.path / PICTURES} is missing or damaged: train again.") from error


def _weights(run: PixelRun) -> Weights | None:
    about = run.description.get("weights")
    if about is None:
        return None
    path = Path(about["path"])
    if not path.is_file() or sha256_of_file(path) != about["sha256"]:
        raise ConfigError(
            f"{path} is not the file of weights any more that the training began with: put that back, or train again."
        )
    return Weights(path, about["name"], about["sha256"])


def _measured(content: bytes, labels: tuple[str, ...], pictures: Pictures, rows: list[SplitRow]) -> Measured:
    """Return what the TFLite answers to the pictures of a part, which are in the order of its rows of `split.csv`."""
    model = TfliteModel(content)
    answers = [labels[int(np.argmax(model.scores(one[None])[0]))] for one in pictures.x]
    return Measured.of(rows, answers, labels)


def _columns(history: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in history for name in row))


def _numbered(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the epochs of both stages as one row of epochs."""
    return [
        {name: value for name, value in row.items() if name != "stage"} | {"epoch": number}
        for number, row in enumerate(history, 1)
    ]
