"""`gesture_maker.json`: what a shared model is and which files it has, with sizes and SHA-256.

A pull reads it first, and fetches what it names and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gesture_maker.errors import HubError
from gesture_maker.files import sha256_of
from gesture_maker.hub.formats import check_name, limit_of, parsed_json
from gesture_maker.hub.kinds import CARD, KINDS, Kind

MANIFEST = "gesture_maker.json"
FORMAT = 1
MAX_BYTES = 4 << 20  # of a manifest; one of 100 classes with its confusion matrix has 0.1 MB

_MOST_FILES = 20
_MOST_LABELS = 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SharedFile:
    """One file: its name, its bytes, and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A shared model: of which `kind`, its labels in the order of its outputs, its files, and `about`: settings and results.

    `made_by`: the version of gesture-maker that pushed it.
    """

    kind: Kind
    labels: tuple[str, ...]
    files: tuple[SharedFile, ...]
    made_by: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def to_bytes(self) -> bytes:
        """Return the file: the same bytes for the same model."""
        values = {
            "format": FORMAT,
            "kind": self.kind.name,
            "gesture_maker": self.made_by,
            "labels": list(self.labels),
            "files": [asdict(file) for file in self.files],
            "about": dict(self.about),
        }
        return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def manifest_of(
    kind: Kind, labels: tuple[str, ...], contents: Mapping[str, bytes], about: Mapping[str, Any], made_by: str
) -> Manifest:
    """Return the manifest of these files, by name."""
    files = tuple(SharedFile(name, len(content), sha256_of(content)) for name, content in sorted(contents.items()))
    return Manifest(kind, labels, files, made_by, about)


def read_manifest(content: bytes, repo: str) -> Manifest:
    """Return the manifest in a file's bytes; `repo` begins the sentence of an error.

    Raises HubError for what is none, for a model of a kind that is not known here, and for a file that is not plainly one of those
    that such a model has.
    """
    damaged = f"{MANIFEST} of {repo} is damaged or no manifest: it has to be pushed again."
    try:
        values = parsed_json(content)
        form, kind_name, made_by = values["format"], values["kind"], values["gesture_maker"]
        labels, listed, about = values["labels"], values["files"], values["about"]
    except (ValueError, KeyError):
        raise HubError(damaged) from None
    if not isinstance(form, int) or isinstance(form, bool) or not isinstance(kind_name, str):
        raise HubError(damaged)
    if form > FORMAT or kind_name not in KINDS:
        raise HubError(
            f"{repo} is of a form or kind ({form}, {ascii(kind_name)[:40]}) that this version does not know: update gesture-maker."
        )
    if not (isinstance(made_by, str) and isinstance(about, dict) and _are_labels(labels) and isinstance(listed, list)):
        raise HubError(damaged)
    if not 0 < len(listed) <= _MOST_FILES:
        raise HubError(damaged)
    kind = KINDS[kind_name]
    files = tuple(_file(one, kind, repo, damaged) for one in listed)
    names = [file.name for file in files]
    if len(set(names)) != len(names) or not kind.needed <= {*names, CARD}:
        raise HubError(damaged)
    return Manifest(kind, tuple(labels), files, made_by, about)


def _are_labels(labels: Any) -> bool:
    return (
        isinstance(labels, list)
        and 0 < len(labels) <= _MOST_LABELS
        and all(isinstance(label, str) and label and label.isprintable() for label in labels)
    )


def _file(value: Any, kind: Kind, repo: str, damaged: str) -> SharedFile:
    if not isinstance(value, dict) or set(value) != {"name", "size", "sha256"}:
        raise HubError(damaged)
    name, size, sha256 = check_name(value["name"], repo), value["size"], value["sha256"]
    if name not in kind.names:
        raise HubError(f"{repo} holds {name}, which no {kind.name} model has: nothing of it was kept.")
    if not isinstance(size, int) or isinstance(size, bool) or not isinstance(sha256, str):
        raise HubError(damaged)
    if not 0 < size <= limit_of(name):
        raise HubError(
            f"{name} of {repo} has {size} bytes, and may have {limit_of(name)} at most: nothing of it was kept."
        )
    if not _SHA256.fullmatch(sha256):
        raise HubError(damaged)
    return SharedFile(name, size, sha256)
