"""A run as it is published: its model, its labels, its pictures, and a description from which all that is private is gone.

The JSON files of a run name the folder of its photos, and its warnings name photos and the people on them. So what is published is
taken key by key: results and settings, numbers and words of this program. The last check is on the bytes: where a file still holds
the path of the user's folders, nothing is pushed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from gesture_maker.classifiers.comparison import load_comparison
from gesture_maker.errors import HubError, RunError
from gesture_maker.files import sha256_of
from gesture_maker.hub.formats import check_content, limit_of, parsed_json
from gesture_maker.hub.kinds import KINDS, LABELS, Kind
from gesture_maker.hub.manifest import MANIFEST
from gesture_maker.training.run import Run
from gesture_maker.training.run_folder import FINISHED, RUNS

_KEPT = {
    *(
        "kind",
        "status",
        "created",
        "labels",
        "background",
        "features",
        "settings",
        "rate",
        "sequence_length",
        "embedder",
    ),
    *(
        "recipe",
        "seed",
        "split",
        "split_reason",
        "photos",
        "hands",
        "clips",
        "windows",
        "measured",
        "estimate",
        "calibration",
    ),
    *(
        "lines",
        "confusion",
        "versions",
        "checksums",
        "fingerprint",
        "model_sha256",
        "parameters",
        "best_epoch",
        "epochs",
    ),
    *("seconds", "shares", "max_gap", "folder_rate"),
    *("seeing", "stages", "kept", "learned", "masks", "mixed_precision"),
}
"""What is published of a run's own description, at its top."""

_PRIVATE = re.compile(
    r"(test_)?(data(set)?s?|folder|path|paths|file|files|source|sources|photos|clips|group|groups|group_by|person|people|persons"
    r"|subject|subjects|names|warnings|by_(group|person|subject|clip|file)|per_(group|person|subject|clip|file))"
)
"""Keys whose values, where they are no numbers, name what lies on the user's disk and who is on it."""

_MEASURED = {
    "test": "on the test part, held back from training",
    "cross_validation": "by cross-validation, each asked of a model that was not trained on it",
    "validation": "on the validation part, by which the training was adjusted",
}
"""The parts that count as measured, the most telling first, and how the model card words them."""

_PARTS = {"train", "validation", "test", "cross_validation", "search"}
_CARD_OF_BUNDLE = "gesture_recognizer.md"


@dataclass(frozen=True)
class Measured:
    """One result: on what the `accuracy` (0..1) was found, of how many (such as "40 clips"), and what there is of each class."""

    on: str
    accuracy: float
    count: str | None = None
    per_class: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A run to be published: its `contents` are the files by name, still without model card; `text` the card that the run has."""

    kind: Kind
    folder: Path
    labels: tuple[str, ...]
    contents: Mapping[str, bytes]
    about: Mapping[str, Any]
    measured: tuple[Measured, ...]
    text: str | None


def read_run(run: str | Path) -> Reading:
    """Return a run, comparison or motion run, by its folder or its name under `exported_models/`, as it is published.

    Raises RunError when there is none or it was not finished, and HubError when it cannot be shared, such as one without a bundle.
    """
    folder, kind = _found(run)
    reader = {"static": _static, "comparison": _comparison}.get(kind.name, _described)
    description, labels, metrics = reader(folder, kind)
    contents = {kind.model: _model(folder, kind, description)}
    contents[LABELS] = "".join(f"{label}\n" for label in labels).encode()
    for picture, _ in kind.pictures:
        if (folder / picture).is_file():
            contents[picture] = _read(folder / picture)
    about = published(description) | ({"measured": published_values(metrics)} if metrics else {})
    if kind.described:
        contents[kind.mark] = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()
    for name, content in contents.items():
        check_content(name, content, str(folder))
    text = _card_text(folder, contents[kind.model]) if kind.model.endswith(".task") else None
    measured = tuple(_measured(kind, about))
    return Reading(kind, folder, labels, contents, about, measured, text)


def published(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's description may be read by everybody."""
    kept = {key: value for key, value in description.items() if key in _KEPT}
    return {key: published_values(value) for key, value in kept.items() if not _is_private(key, value)}


def published_values(value: Any) -> Any:
    """Return values without those that name files, folders or people, at any depth."""
    if isinstance(value, Mapping):
        return {
            str(key): published_values(one)
            for key, one in value.items()
            if not _is_private(str(key), one) and not _is_path(key)
        }
    if isinstance(value, (list, tuple)):
        return [published_values(one) for one in value if not _is_path(one)]
    return None if _is_path(value) else value


def check_nothing_private(contents: Mapping[str, bytes], folder: Path) -> None:
    """Raise HubError when one of the files to be pushed holds the path of the user's home, working folder, or run."""
    places = {one for one in (Path.home(), Path.cwd(), folder.resolve().parent) if len(one.parts) > 1}
    for name, content in contents.items():
        for place in sorted(places):
            if str(place).encode() in content:
                raise HubError(f"{name} would tell where it was made ({place}): take that out of it, and push again.")


def _found(run: str | Path) -> tuple[Path, Kind]:
    path = Path(run)
    for folder in (path, RUNS / path):
        if (folder / MANIFEST).is_file():
            raise HubError(f"{folder} was pulled from a Hub: push the run that it was made of.")
        for kind in KINDS.values():
            if (folder / kind.mark).is_file():
                return folder, kind
    if path.is_file():
        raise HubError(f"{path} is a file: name the run or its folder, whose results belong to what is shared.")
    there = next((folder for folder in (path, RUNS / path) if folder.is_dir()), None)
    marks = ", ".join(kind.mark for kind in KINDS.values())
    if there is not None:
        raise RunError(f"{there} is no run: it has none of {marks}.")
    raise RunError(f'There is no run "{run}": neither {path} nor {RUNS / path} exists.')


def _static(folder: Path, _: Kind) -> tuple[dict[str, Any], tuple[str, ...], Any]:
    run = Run.load_finished(folder)
    try:
        metrics = parsed_json(_read(folder / "metrics.json"))
    except (HubError, ValueError):
        metrics = {}
    estimate = metrics.get("estimate", {})
    parts = {
        part: metrics[part] for part in _MEASURED if isinstance(metrics.get(part), dict) and metrics[part]["photos"]
    }
    return run.description | ({"estimate": estimate} if estimate else {}), run.labels, parts


def _comparison(folder: Path, kind: Kind) -> tuple[dict[str, Any], tuple[str, ...], Any]:
    comparison = load_comparison(folder)
    description = parsed_json(_read(folder / kind.mark))
    hands, best = dict(comparison.hands), comparison.winner
    parts = {
        "test": {"accuracy": best.test.accuracy, "hands": hands.get("test")},
        "cross_validation": {"accuracy": best.cross_validation.accuracy, "hands": hands.get("search")},
    }
    return description, comparison.labels, parts


def _described(folder: Path, kind: Kind) -> tuple[dict[str, Any], tuple[str, ...], Any]:
    try:
        description = parsed_json(_read(folder / kind.mark))
        labels = tuple(description["labels"])
        if not labels or not all(isinstance(label, str) for label in labels):
            raise ValueError("labels")
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{folder / kind.mark} is damaged: train again.") from None
    if description.get("status", FINISHED) != FINISHED:
        raise RunError(f'The run "{folder.resolve().name}" was never finished: finish its training first.')
    return description, labels, None


def _model(folder: Path, kind: Kind, description: Mapping[str, Any]) -> bytes:
    path = folder / kind.model
    if not path.is_file():
        name = folder.resolve().name
        how = f"make it with `gesture-maker export {name}`" if kind.name == "static" else "train or compare again"
        raise RunError(f'The run "{name}" has no {kind.model} yet: {how}.')
    content = _read(path)
    trained = description.get("model_sha256")
    if kind.described and trained is not None and trained != sha256_of(content):
        raise RunError(f"{path} is not what the training wrote: put that back, or train again.")
    return content


def _card_text(folder: Path, model: bytes) -> str:
    """Return the model card that lies beside a bundle, which is of exactly this one."""
    try:
        text = _read(folder / _CARD_OF_BUNDLE).decode("utf-8")
    except (HubError, UnicodeDecodeError):
        text = ""
    if sha256_of(model) not in text:
        raise HubError(
            f"{folder / _CARD_OF_BUNDLE} is missing, or of another bundle than the one beside it: export or compare again."
        )
    return text


def _measured(kind: Kind, about: Mapping[str, Any]) -> Iterator[Measured]:
    """Return what was measured, the most telling first."""
    metrics = about.get("measured")
    if not isinstance(metrics, Mapping):
        return
    parts = {**{part: metrics[part] for part in _MEASURED if part in metrics}, **metrics}
    for part, values in ({"": metrics} if "accuracy" in metrics else parts).items():
        accuracy = values.get("accuracy") if isinstance(values, Mapping) else None
        if isinstance(accuracy, (int, float)) and part != "train":
            units = ("hands", "photos", "clips", "windows")
            count = next((f"{values[unit]} {unit}" for unit in units if isinstance(values.get(unit), int)), None)
            on = _MEASURED.get(part, part.replace("_", " ") or "as the training tells")
            per_class = values.get("per_class")
            yield Measured(on, float(accuracy), count, per_class if isinstance(per_class, Mapping) else {})
            if kind.name == "static":  # of several parts the most telling only, as its own card has it
                return


def _is_private(key: str, value: Any) -> bool:
    if key == "split":
        return not all(map(_is_number, value if isinstance(value, list) else [value]))
    if isinstance(value, Mapping):  # how many there are in each part
        counted = set(value) <= _PARTS and all(map(_is_number, value.values()))
    else:
        counted = _is_number(value)
    return not counted and _PRIVATE.fullmatch(key.lower()) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def _is_path(value: Any) -> bool:
    if not isinstance(value, str) or "\n" in value:
        return False
    absolute = PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    return absolute or value.startswith(("~/", "./", "../", "file:"))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit_of(path.name) + 1)
    except OSError as error:
        raise HubError(f"{path} cannot be read ({error.strerror}).") from None
    if len(content) > limit_of(path.name):
        raise HubError(f"{path} is over {limit_of(path.name) >> 20} MB, more than is shared of such a file.")
    return content
