#!/usr/bin/env python
"""Whether a bundle answers the same wherever it runs: mediapipe 0.10.21, the newest mediapipe, and the web in Chromium.

    .venv/bin/python scripts/parity.py FOLDER --data ../shared [--photos N] [--sample N]

Trains on the photos of ../shared/data/sign_language_digits/train with each embedder (bundles that already lie in FOLDER as
builtin.task and mediapipe.task are taken), asks all three runtimes about photos of the people in its test part (with a
border, because the hands fill the frame) and of model_maker_sample (people at a distance, as they are), prints a table, and
writes it to FOLDER/parity.md, with every difference in FOLDER/parity.json. Exits 1 when an answer differs: another gesture,
a hand that only one sees, or scores more than 0.02 apart.

All get the same pixels: each photo is read once, written as PNG, and its checksum is compared in every runtime. The last
column says where differences come from: the bundle's embedder and classifiers, run here on the landmarks that the runtime
reports, against the score that it reports. What is near 0 there leaves only the landmarks to differ.

Needs a network once, for the packages of tests/newest and tests/web; Chromium and Node from the system. Takes 2 minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))  # the other part of this script lies beside it
sys.path.insert(1, str(SCRIPTS.parent))

from parity_runtimes import RUNTIMES, NotToBeHad, ask  # noqa: E402

from gesture_maker.bundle.task import read_task  # noqa: E402
from gesture_maker.dataset.names import NONE, class_of_bundle_label  # noqa: E402
from gesture_maker.files import write_json, write_text  # noqa: E402
from gesture_maker.images import bordered, read_image  # noqa: E402

LARGEST_SCORE_DIFFERENCE = 0.02
BORDER = 0.5
"""Of the longer side, around photos that a hand fills: with it a hand is found in 0.999 of them."""


@dataclass
class Comparison:
    """How one runtime's answers to N photos differ from the first one's.

    `both`, `only_first`, `only_other`: photos in which they see a hand; `same`: of `both`, those with the same top gesture;
    the differences are of those: `score_largest` and `score_mean` (0..1), `landmark_largest` (x and y, as a share of the
    photo's side), `unexplained` (of the score from what the bundle answers to the runtime's own landmarks; None where no
    hand makes a gesture). `different`: the photos that count as different, with both answers.
    """

    embedder: str
    photos: str
    first: str
    other: str
    count: int = 0
    both: int = 0
    only_first: int = 0
    only_other: int = 0
    same: int = 0
    score_largest: float = 0.0
    score_mean: float = 0.0
    landmark_largest: float = 0.0
    unexplained: float | None = None
    different: list[dict[str, Any]] = field(default_factory=list)


def write_photos(paths: Sequence[Path], folder: Path, prefix: str, border: float = 0.0) -> None:
    """Write photos as `<prefix>-<number>-<class>.png` with nothing but their pixels, `border` around them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        pixels, _ = bordered(read_image(path), border)
        Image.fromarray(pixels).save(folder / f"{prefix}-{number:03}-{path.parent.name}.png")


def compare(folder: Path, bundles: Sequence[str], runtimes: Sequence[str] = RUNTIMES) -> list[Comparison]:
    """Ask the runtimes about the photos of a folder with the bundles in it (`<embedder>.task`), and compare their answers.

    Photos of one kind share the first part of their names. Raises NotToBeHad for a runtime that this machine lacks,
    ValueError when one has seen other pixels.
    """
    answers = {runtime: ask(runtime, folder, list(bundles)) for runtime in runtimes}
    first, *others = answers.values()
    kinds = sorted({path.name.partition("-")[0] for path in folder.glob("*.png")})
    comparisons = []
    for bundle in bundles:
        for kind in kinds:
            for other in others:
                comparison = Comparison(Path(bundle).stem, kind, _called(first), _called(other))
                both = (first["answers"][bundle], other["answers"][bundle])
                mine, theirs = ([one for one in found if one["file"].startswith(f"{kind}-")] for found in both)
                count_differences(comparison, list(zip(mine, theirs, strict=True)))
                comparison.unexplained = unexplained(folder / bundle, theirs)
                comparisons.append(comparison)
    return comparisons


def _called(answers: dict[str, Any]) -> str:
    return f"{answers['runtime']}, {answers['where']}" if "where" in answers else str(answers["runtime"])


def count_differences(comparison: Comparison, pairs: Sequence[tuple[Any, Any]]) -> None:
    """Fill in a comparison from the answers of both runtimes to the same photos."""
    comparison.count = len(pairs)
    apart, landmarks = [], []
    for one, other in pairs:
        if (one["file"], one["pixels"]) != (other["file"], other["pixels"]):
            raise ValueError(f"{comparison.other} has seen other pixels of {one['file']}.")
        mine, yours = (hands[0] if hands else None for hands in (one["hands"], other["hands"]))
        same = mine is None and yours is None
        if mine and yours:
            comparison.both += 1
            landmarks.append(np.abs(np.array(mine["landmarks"]) - yours["landmarks"])[:, :2].max())
            difference = abs(mine["score"] - yours["score"])
            if mine["gesture"] == yours["gesture"]:
                comparison.same += 1
                apart.append(difference)
                same = difference <= LARGEST_SCORE_DIFFERENCE
        comparison.only_first += yours is None and mine is not None
        comparison.only_other += mine is None and yours is not None
        if not same:
            comparison.different.append({"file": one["file"], "first": mine, "other": yours})
    comparison.score_largest, comparison.score_mean = float(max(apart, default=0)), float(np.mean(apart or [0]))
    comparison.landmark_largest = float(max(landmarks, default=0))


def unexplained(bundle: Path, answers: Sequence[Any]) -> float | None:
    """Return how far the scores of a runtime's answers are, at most, from the bundle's to the landmarks in them.

    None where no hand makes a gesture: the score of `None` is the canned classifier's, which is not computed here.
    """
    from gesture_maker.evaluation.on_landmarks import answers_to
    from gesture_maker.landmarks.hands import Hand, embedder_inputs

    told, hands = [], []
    for one in answers:
        if one["hands"] and class_of_bundle_label(one["hands"][0]["gesture"]) != NONE:
            hand = one["hands"][0]
            with Image.open(bundle.parent / one["file"]) as photo:
                size = photo.size
            points = (np.array(hand[name], np.float32) for name in ("landmarks", "world"))
            told.append(hand)
            hands.append(Hand(*points, hand["handedness"], *size))
    if not hands:
        return None
    found = answers_to(read_task(bundle), embedder_inputs(hands))
    return max(abs(a.score - b["score"]) if a.gesture == b["gesture"] else 1 for a, b in zip(found, told, strict=True))


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as a table, and under it every photo with another answer."""
    lines = [
        f"Compared with {comparisons[0].first}:" if comparisons else "",
        "",
        "| embedder | photos | runtime | a hand in both | in one only | same top gesture | largest score difference | mean "
        "| largest landmark difference | score not explained by landmarks |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in comparisons:
        left = "" if one.unexplained is None else f"{one.unexplained:.1e}"
        lines.append(
            f"| {one.embedder} | {one.count} {one.photos} | {one.other} | {one.both} | {one.only_first + one.only_other} | "
            f"{one.same} of {one.both} | {one.score_largest:.6f} | {one.score_mean:.1e} | {one.landmark_largest:.1e} | {left} |"
        )
    left = max((one.unexplained for one in comparisons if one.unexplained is not None), default=0.0)
    moved = max((one.landmark_largest for one in comparisons), default=0.0)
    lines += [
        "",
        f"Given the landmarks that a runtime reports, the bundle's embedder and classifiers, run here, give its score to {left:.1e}: "
        f"what differs are the landmarks, by at most {moved:.1e} of the photo's side, and the scores follow.",
    ]
    different = [(one, photo) for one in comparisons for photo in one.different]
    lines += ["", f"Photos with another answer: {len(different) or 'none'}."]
    for one, photo in different:
        told = " → ".join(_told(photo[side]) for side in ("first", "other"))
        lines.append(f"- {one.embedder}, {one.other}, {photo['file']}: {told}")
    return "\n".join(lines) + "\n"


def _told(hand: Any) -> str:
    return f"{hand['gesture']} {hand['score']:.4f}" if hand else "no hand"


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of the paths (or all), from all over them."""
    ordered, count = sorted(paths), min(count, len(paths))
    return [ordered[index * len(ordered) // count] for index in range(count)]


def _bundles(folder: Path, data: Path) -> list[str]:
    import gesture_maker

    names = []
    for embedder in ("builtin", "mediapipe"):
        task = folder / f"{embedder}.task"
        if not task.is_file():
            dataset = folder / "train"
            if not dataset.is_dir():  # a copy: training keeps its landmarks beside the photos
                shutil.copytree(data / "data/sign_language_digits/train", dataset)
            training = gesture_maker.train(
                dataset, name=embedder, embedder=embedder, assets=data / "assets", runs=folder / "runs", export=True, estimate=False
            )  # fmt: skip
            shutil.copy(training.export.bundle, task)
        names.append(task.name)
    return names


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the bundles, the photos and the results")
    parser.add_argument("--data", type=Path, required=True, help="the folder with data/ and assets/")
    parser.add_argument("--photos", type=int, default=120, help="of the digits' test part (default: 120)")
    parser.add_argument("--sample", type=int, default=40, help="of model_maker_sample (default: all 40)")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (asked.data / "data/sign_language_digits").is_dir():
        parser.error(f"there is no data/sign_language_digits in {asked.data}")
    bundles = _bundles(folder, asked.data.resolve())
    for old in folder.glob("*.png"):
        old.unlink()
    digits, sample = (asked.data / "data" / name for name in ("sign_language_digits/test", "model_maker_sample"))
    write_photos(spread(list(digits.glob("*/*.jpg")), asked.photos), folder, "digits", BORDER)
    write_photos(spread(list(sample.glob("*/*.jpg")), asked.sample), folder, "sample")
    try:
        comparisons = compare(folder, bundles)
    except NotToBeHad as missing:
        print(f"parity: {missing}.", file=sys.stderr)
        return 1
    table = as_markdown(comparisons)
    write_text(folder / "parity.md", table)
    write_json(folder / "parity.json", [asdict(one) for one in comparisons])
    print(table)
    return int(any(one.different for one in comparisons))


if __name__ == "__main__":
    sys.exit(main())
