#!/usr/bin/env python
"""Classifiers on pixels, by backbone and by the numbers that they are exported in: size, accuracy on other people, latency, and how far from Keras.

    .venv/bin/python scripts/bench_image.py                                   # drawn hands of 12 people, MobileNetV3-Small, 10 minutes
    .venv/bin/python scripts/bench_image.py DATASET --test OTHERS --backbone mobilenetv3-small,resnet50 --epochs 40 --image-size 128
    .venv/bin/python scripts/bench_image.py --run first                       # of a training that there is: nothing is trained

Everything is asked through MediaPipe's ImageClassifier on this machine's processor, one photo at a time, all models in turn, so that what else
the machine does falls on all of them. Accuracy is of the test part, people that were not trained on.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gesture_maker.errors import GestureMakerError
from gesture_maker.images import Pixels, read_image
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.collecting import collect_hgr1
from gesture_maker.pixels.exporting import export_pixels
from gesture_maker.pixels.run import KERAS, PixelRun
from gesture_maker.pixels.train import train_pixels
from gesture_maker.synthetic.hgr1 import draw_hgr1
from gesture_maker.training.pixels.backbones import BACKBONES
from gesture_maker.training.pixels.export import QUANTIZED
from gesture_maker.training.pixels.fitting import predict

LATENCY_OF = 60  # photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", help="class folders; without, drawn hands in HGR1's layout")
    parser.add_argument("--test", help="class folders of other people, in place of a part of the dataset")
    parser.add_argument("--group-by", help="finds the person in a file's name")
    parser.add_argument("--run", action="append", default=[], help="a training that there is; may be given again")
    parser.add_argument("--backbone", default="mobilenetv3-small", help="one or more, with commas")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--crop", default="none")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_image_") as folder:
        runs = [PixelRun.load_finished(name) for name in arguments.run] or trained(arguments, Path(folder))
        measure(runs)


def trained(arguments: argparse.Namespace, folder: Path) -> list[PixelRun]:
    """Train each backbone, and say how that went."""
    dataset = Path(arguments.dataset) if arguments.dataset else drawn(folder)
    runs = []
    for backbone in arguments.backbone.split(","):
        begin = time.perf_counter()
        made = train_pixels(
            dataset,
            name=backbone,
            settings={"backbone": backbone, "image_size": arguments.image_size, "epochs": arguments.epochs},
            weights=arguments.weights,
            crop=arguments.crop,
            test=arguments.test,
            group_by=arguments.group_by,
            runs=folder / "runs",
        )
        about = made.run.description
        for stage, numbers in about["stages"].items():
            told = {part: f"{one['accuracy']:.4f}" for part, one in numbers.items() if isinstance(one, dict)}
            print(f"{backbone}: {stage}, epoch {numbers['best_epoch']} of {numbers['epochs']}: {told}", flush=True)
        print(
            f"{backbone}: {time.perf_counter() - begin:.0f} s, of which {about['seconds']:.0f} s training", flush=True
        )
        runs.append(made.run)
    return runs


def drawn(folder: Path) -> Path:
    """Return drawn hands of 12 people as a dataset with masks."""
    draw_hgr1(folder / "hgr1")
    collect_hgr1([folder / "hgr1"], folder / "drawn", "keep")
    return folder / "drawn"


def measure(runs: Sequence[PixelRun]) -> None:
    """Print a line for each run and sort of numbers."""
    print(
        f"\n{'':34}{'MB':>7}{'test accuracy':>15}{'ms, median':>12}{'p95':>7}{'from Keras, at most':>21}{'same answer':>13}"
    )
    for run in runs:
        photos = [(path, row) for path, row in run.test_photos() if not row.reason]
        pixels = [read_image(path) for path, _ in photos]
        truth = np.array([run.labels.index(row.label) if row.label in run.labels else -1 for _, row in photos])
        for quantize in QUANTIZED:
            if not run.quantized(quantize).is_file():
                export_pixels(run.path, quantize)
        models = {quantize: PixelClassifier(run, run.quantized(quantize)) for quantize in QUANTIZED}
        keras = predict(run.path / KERAS, seen(run, models["none"], pixels))
        title = f"{run.name}, {BACKBONES[run.settings.backbone].title} {run.settings.image_size}"
        print(
            f"{title + ', Keras':34}{(run.path / KERAS).stat().st_size / 1e6:7.1f}{np.mean(keras.argmax(1) == truth):15.4f}"
        )
        answers = {name: np.stack([model.classify(one).scores for one in pixels]) for name, model in models.items()}
        times = timed(models, pixels[:LATENCY_OF])
        for name, scores in answers.items():
            print(
                f"{title + ', ' + name.replace('none', 'float32'):34}{run.quantized(name).stat().st_size / 1e6:7.1f}"
                f"{np.mean(scores.argmax(1) == truth):15.4f}{statistics.median(times[name]):12.2f}{np.percentile(times[name], 95):7.2f}"
                f"{np.abs(scores - keras).max():21.2e}{np.mean(scores.argmax(1) == keras.argmax(1)):13.4f}"
            )
        for model in models.values():
            model.close()


def seen(run: PixelRun, classifier: PixelClassifier, pixels: Sequence[Pixels]) -> Pixels:
    """Return what the network sees of photos."""
    return np.stack([run.seeing.picture(one, classifier.classify(one).crop) for one in pixels])


def timed(models: dict[str, PixelClassifier], pixels: Sequence[Pixels]) -> dict[str, list[float]]:
    """Return the milliseconds of each model for each photo, all models in turn."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for one in pixels:
        for name, model in models.items():
            times[name].append(model.classify(one).milliseconds)
    return times


if __name__ == "__main__":
    try:
        main()
    except GestureMakerError as error:
        raise SystemExit(f"Error: {error}") from error
