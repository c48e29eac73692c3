"""What in a dataset is usable, what is not, and why: a list of findings from what was seen in each photo.

An *error* is what makes training impossible, a *warning* what makes it worse than it could be.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gesture_maker.dataset.folder import ImageDataset
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.splitting import default_shares

MIN_PER_CLASS = 10
"""Fewer usable hands than this give a warning: a test part would hold one photo of the class."""

FEW_FOUND = 0.8
"""A class in which a hand is found in fewer photos than this gets a warning: something is wrong with how they are taken."""


def empty_none(photos: int) -> str:
    """Return what is to be known when the class `none` has no usable hand in its photos, if it has some at all."""
    what = f"has no usable hand in {_count(photos, 'photo')}" if photos else "is empty"
    return (
        f'The class "none" {what}: the model learns from made-up hands alone what is no gesture; photos of relaxed hands, and of '
        "hands on their way from one gesture to another, make it better."
    )


@dataclass(frozen=True)
class PhotoFacts:
    """What `check` needs to know of one photo: its content, whether it has a usable hand, and if not, why."""

    sha256: str
    usable: bool
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing to know. `files` are those it is about."""

    level: Literal["error", "warning"]
    sentence: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ClassCount:
    """One line of the table: photos of a class, those that can be used, and of how many people or bursts (0: not known)."""

    label: str
    photos: int
    usable: int
    groups: int = 0


@dataclass(frozen=True)
class Check:
    """The outcome: a line per class, the findings, every photo that is not used with its reason, and the pictures.

    `contact_sheet` is None when there was nothing to draw, or no photos; `pictures`: of the classes and their hands, where
    they were asked for.
    """

    root: Path
    classes: tuple[ClassCount, ...]
    findings: tuple[Finding, ...]
    unused: tuple[tuple[Path, str], ...]
    contact_sheet: Path | None = field(default=None)
    pictures: tuple[Path, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make training impossible."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def find_problems(
    data: ImageDataset, facts: Sequence[PhotoFacts]
) -> tuple[tuple[ClassCount, ...], tuple[Finding, ...]]:
    """Return the line of each class and the findings; `facts` are in the order of `data.images`."""
    usable = Counter(image.label for image, fact in zip(data.images, facts, strict=True) if fact.usable)
    classes = tuple(ClassCount(label, count, usable[label]) for label, count in data.counts.items())
    findings = [*about_classes(classes), *about_duplicates(data, facts), *about_unused(data, facts)]
    if data.ignored:
        files = tuple(path for path, _ in data.ignored)
        findings.append(Finding("warning", f"{_count(len(files), 'file')} will be passed over.", files))
    folded = Counter(label.casefold() for label in data.labels)
    for label in data.labels:
        if folded[label.casefold()] > 1:
            sentence = f'The class "{label}" differs from another only by case: macOS and Windows take them for one.'
            findings.append(Finding("warning", sentence))
    return classes, tuple(sorted(findings, key=lambda finding: finding.level))


def about_classes(classes: Sequence[ClassCount], thing: str = "photo") -> list[Finding]:
    """Return what is wrong with the classes and how many hands they have. `thing`: what there is of each, "photo" or "row"."""
    findings = []
    needed = sum(share > 0 for share in default_shares(sum(line.usable for line in classes)))  # one for each part
    names = [line.label for line in classes]
    if NONE not in names:
        sentence = (
            'There is no class "none": add a folder "none" with hands that make none of your gestures; it may be empty.'
        )
        findings.append(Finding("error", sentence))
    if len([name for name in names if name != NONE]) == 0:
        more = "a folder of photos" if thing == "photo" else f"{thing}s"
        findings.append(Finding("error", f"There is no gesture besides none: add {more} for each gesture."))
    for line in classes:
        about = f'The class "{line.label}"'
        if line.label == NONE and line.usable == 0:
            findings.append(Finding("warning", empty_none(line.photos)))
        elif line.photos == 0:
            findings.append(Finding("error", f"{about} is empty: add photos to it, or remove its folder."))
        elif line.usable < needed:
            what = f"has {_count(line.usable, 'usable hand')} of {_count(line.photos, thing)}"
            findings.append(Finding("error", f"{about} {what}: training needs at least {needed}, add {thing}s."))
        elif line.usable < MIN_PER_CLASS:
            what = f"has only {_count(line.usable, 'usable hand')}"
            findings.append(Finding("warning", f"{about} {what}: {MIN_PER_CLASS} or more are better."))
        elif line.usable < FEW_FOUND * line.photos:
            share = f"{line.usable} of {line.photos}"
            findings.append(Finding("warning", f"{about} shows a hand in only {share} {thing}s: see which below."))
    return findings


def about_duplicates(data: ImageDataset, facts: Sequence[PhotoFacts], thing: str = "photo") -> list[Finding]:
    """Return what is there twice, by the facts' `sha256`."""
    same: dict[str, list[int]] = defaultdict(list)
    for index, fact in enumerate(facts):
        if fact.sha256:
            same[fact.sha256].append(index)
    repeated = [indices for indices in same.values() if len(indices) > 1]
    across = [i for i in repeated if len({data.images[j].label for j in i}) > 1]
    within = [i for i in repeated if i not in across]
    findings = []
    by_labels: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for indices in across:
        by_labels[tuple(sorted({data.images[i].label for i in indices}))].append(indices)
    for labels, same_labels in by_labels.items():
        names = " and ".join(f'"{label}"' for label in labels)
        images = [data.images[i] for indices in same_labels for i in indices]
        if len(same_labels) == 1:
            which = ", ".join(image.file for image in images)
            sentence = f"The same {thing} is in {names}: remove the wrong one ({which})."
        else:
            sentence = f"The same {len(same_labels)} {thing}s are in {names}: remove the wrong ones."
        findings.append(Finding("warning", sentence, tuple(image.path for image in images)))
    if within:
        files = tuple(data.images[i].path for indices in within for i in indices[1:])
        shown = data.images[within[0][1]].file
        what = f"{_count(len(files), thing)} {'repeats' if len(files) == 1 else 'repeat'}"
        remedy = "remove it" if len(files) == 1 else "remove them"
        sentence = f"{what} another of the same class, such as {shown}: {remedy}."
        findings.append(Finding("warning", sentence, files))
    return findings


def about_unused(data: ImageDataset, facts: Sequence[PhotoFacts], thing: str = "photo") -> list[Finding]:
    """Return how many cannot be used, for each reason."""
    by_reason: dict[str, list[Path]] = defaultdict(list)
    for image, fact in zip(data.images, facts, strict=True):
        if not fact.usable:
            by_reason[fact.reason].append(image.path)
    return [
        Finding("warning", f"{_count(len(files), thing)} cannot be used: {reason}.", tuple(files))
        for reason, files in sorted(by_reason.items())
    ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
