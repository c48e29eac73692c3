"""README.md, the model card that a Hub shows: a block of metadata, then what the model is, how well it does, and how to use it.

The metadata is what the Hub searches by and makes its tables of: its fields are those of the Hub's model card specification. The text is
the card that `export` or `compare` wrote; a model of another kind gets one of what its description says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gesture_maker.bundle.card import as_code
from gesture_maker.hub.reading import Reading

_TASK_NAME = "Hand gesture recognition"
_DATASET = {"type": "custom", "name": "hands of its authors, not published"}  # both fields are the format's own wish

_EVALUATED = re.compile(r"`gesture-maker eval [^`]*`")


def hub_card(reading: Reading, repo: str, license_name: str | None = None) -> str:
    """Return the README.md of a model that is pushed to `repo` (OWNER/NAME). `license_name`: one of the Hub's identifiers."""
    name = repo.rpartition("/")[2]
    lines = [
        "---",
        *_metadata(reading, name, license_name).splitlines(),
        "---",
        "",
        f"# {name}: {reading.kind.title}",
        "",
        f"{reading.kind.says} Made with gesture-maker.",
        "",
        *(_of_bundle(reading, repo) if reading.text is not None else _of_description(reading, repo)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metadata(reading: Reading, name: str, license_name: str | None) -> str:
    import yaml

    kind = reading.kind
    values: dict[str, Any] = {"license": license_name} if license_name else {}
    values |= {"pipeline_tag": kind.pipeline_tag, "tags": list(kind.tags)}
    if reading.measured:
        metrics = [
            {"type": "accuracy", "name": f"Accuracy {one.on}", "value": round(one.accuracy, 4)}
            for one in reading.measured
        ]
        result = {
            "task": {"type": kind.pipeline_tag, "name": _TASK_NAME},
            "dataset": dict(_DATASET),
            "metrics": metrics,
        }
        values["model-index"] = [{"name": name, "results": [result]}]
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))


def _of_bundle(reading: Reading, repo: str) -> Iterator[str]:
    """Return the card that lies beside the bundle, with what only the Hub's readers need."""
    assert reading.text is not None
    body = reading.text.split("\n", 1)[1].strip("\n")
    body = _EVALUATED.sub(lambda _: f"`gesture-maker eval hf://{repo} PHOTOS`", body)
    before, found, after = body.partition("\n## Use\n")
    yield from before.rstrip("\n").splitlines()
    yield ""
    yield from _pictures(reading)
    yield from _with_gesture_maker(reading, repo)
    yield from (f"{found}{after}".strip("\n").replace("## Use", "## Use without it", 1)).splitlines()


def _of_description(reading: Reading, repo: str) -> Iterator[str]:
    about = reading.about
    background = about.get("background")
    gestures = [label for label in reading.labels if label != background]
    yield from ("## Gestures", "")
    still = f" {as_code(str(background))} is the answer where nothing of meaning is done." if background else ""
    yield ", ".join(map(as_code, gestures)) + "." + still
    yield from ("", "## Measured", "")
    for one in reading.measured:
        counted = f" ({one.count})" if one.count is not None else ""
        yield f"- Accuracy {one.on}: {one.accuracy:.3f}{counted}."
    if not reading.measured:
        yield "Not measured."
    yield ""
    yield from _per_class(reading)
    yield from _pictures(reading)
    settings = about.get("settings")
    if isinstance(settings, Mapping) and settings:
        yield from ("## Training", "")
        yield (
            "- " + ", ".join(f"{str(key).replace('_', ' ')} {_worded(value)}" for key, value in settings.items()) + "."
        )
        if fingerprint := about.get("fingerprint"):
            yield f"- Data fingerprint `{fingerprint}`."
        yield ""
    yield from _with_gesture_maker(reading, repo)
    yield from (
        "## Use without it",
        "",
        f"{as_code(reading.kind.model)} is a TFLite model of built-in operations, for LiteRT or the TensorFlow Lite interpreter. Its "
        f"labels, in the order of its outputs, are in `labels.txt`; what it is given is described in {as_code(reading.kind.mark)}.",
    )


def _per_class(reading: Reading) -> Iterator[str]:
    """Return the classes of the most telling result as a table."""
    columns = ("precision", "recall", "f1")
    first = reading.measured[0] if reading.measured else None
    rows = [
        f"| {as_code(str(label))} | "
        + " | ".join(f"{row[column]:.3f}" for column in columns)
        + f" | {row['support']} |"
        for label, row in (first.per_class.items() if first else ())
        if isinstance(row, Mapping) and all(isinstance(row.get(key), (int, float)) for key in (*columns, "support"))
    ]
    if first and rows:
        yield f"Of each class, {first.on}:"
        yield from ("", "| class | precision | recall | F1 | number |", "|---|---|---|---|---|", *rows, "")


def _pictures(reading: Reading) -> Iterator[str]:
    for picture, title in reading.kind.pictures:
        if picture in reading.contents:
            yield from (f"![{title}]({picture})", "")


def _with_gesture_maker(reading: Reading, repo: str) -> Iterator[str]:
    yield from (
        "## Use",
        "",
        "With gesture-maker and its extra `hub`:",
        "",
        "```sh",
        f"gesture-maker {reading.kind.live} hf://{repo}  # camera; or name a film behind it",
        f"gesture-maker hub pull {repo}  # into exported_models/, every file checked",
        "```",
        "",
    )


def _worded(value: Any) -> str:
    return (
        ", ".join(map(_worded, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
