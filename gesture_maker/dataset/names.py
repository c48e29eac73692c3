"""Class names: one folder level, unicode kept, and one spelling of `none`."""

from __future__ import annotations

import unicodedata

from gesture_maker.errors import LabelError

NONE = "none"
"""The class of hands without a gesture: a folder of this name, first among the labels."""

BACKGROUND = "None"
"""What the bundle calls it: the runtime treats exactly this label as "no custom gesture"."""

RESERVED = frozenset(
    {
        *("manifest.csv", "landmarks.parquet", "motion.parquet", "contact_sheet.png", "readme.md"),
        *("check_classes.png", "check_skeletons.png", "check_normalized.png"),
    }
)
"""Files that lie beside the class folders, in lower case: a class of that name would be in their place."""

MAX_BYTES = 180  # of UTF-8; file systems stop at 255, and `<class>/<class>_000001.jpeg` must fit


def normalize_label(name: str) -> str:
    """Return the class name trimmed, in Unicode NFC, with any spelling of `none` in lower case.

    Raises LabelError for a name that is empty, has a slash, backslash or control character, begins with a dot, shows
    nothing, is one of `RESERVED`, or is longer than `MAX_BYTES`.
    """
    label = unicodedata.normalize("NFC", name).strip()
    shown = ascii(name) if not name.isprintable() else f'"{name}"'
    if all(unicodedata.category(letter) in ("Cf", "Mn", "Zs") for letter in label):  # zero-width and combining only
        raise LabelError("A class name is empty: give it a name such as thumbs_up.")
    if "/" in label or "\\" in label:
        raise LabelError(f"The class name {shown} has a slash: a class is one folder, use a name such as thumbs_up.")
    if label.startswith("."):
        raise LabelError(f"The class name {shown} begins with a dot, which makes a hidden folder: remove the dot.")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs") for letter in label):
        raise LabelError(f"The class name {shown} has a control character or line break: remove it.")
    if label.casefold() in RESERVED:
        raise LabelError(f"The class name {shown} is that of a file of the dataset: use a name such as thumbs_up.")
    if len(label.encode()) > MAX_BYTES:
        raise LabelError(f"The class name {shown} is longer than {MAX_BYTES} bytes: shorten it.")
    return NONE if label.casefold() == NONE else label


def bundle_label(label: str) -> str:
    """Return how the bundle spells a class: `none` becomes `None`, every other name stays."""
    return BACKGROUND if label == NONE else label


def class_of_bundle_label(label: str) -> str:
    """Return the class that a label of a bundle stands for: the inverse of `bundle_label`."""
    return NONE if label == BACKGROUND or label == "" else label
