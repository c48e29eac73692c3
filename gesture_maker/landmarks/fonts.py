"""Class names on pictures, in whatever script they are: an installed font that has the letters, else words for them.

matplotlib brings DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic and more, but no Chinese and few emoji. Letters that
no installed font has are spelled out, because a row of empty boxes does not tell one class from another.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

_UNSEEN = ("Cf", "Cc", "Mn", "Me", "Zs")  # joiners, variation selectors, accents, spaces: nothing of their own to draw

_MEASURED_AT = 100  # points


def font_file(text: str) -> str:
    """Return the path of a font that has all letters of `text`; of DejaVu Sans when there is none."""
    needed = _seen(text)
    for file in (_dejavu(), *(_installed() if not needed <= _letters(_dejavu()) else ())):
        if needed <= _letters(file):
            return file
    return _dejavu()


def readable(text: str, longest: int) -> str:
    """Return `text`, of at most `longest` letters, with what its `font_file` lacks spelled out: `[thumbs up sign]`."""
    letters = _letters(font_file(text))
    spelled = "".join(
        letter if ord(letter) in letters else "" if unicodedata.category(letter) in _UNSEEN else _spelled_out(letter)
        for letter in text
    )
    return spelled if len(spelled) <= longest else f"{spelled[: longest - 1].rstrip()}…"


def inches_of(text: str, size: float, file: str = "") -> float:
    """Return how wide a text is at so many points, in the font of a file or in its `font_file`."""
    return float(_font_to_measure_by(file or font_file(text)).getlength(text)) / _MEASURED_AT * size / 72


def fitting(text: str, longest: int, inches: float, size: float) -> str:
    """Return what is `readable` of a text, cut to so many letters, and to so many inches at so many points."""
    file = font_file(text)
    cuts = (readable(text, letters) for letters in range(longest, 0, -1))
    return next((cut for cut in cuts if inches_of(cut, size, file) <= inches), "…")


@cache
def _font_to_measure_by(file: str) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(file, _MEASURED_AT)


def _spelled_out(letter: str) -> str:
    name = unicodedata.name(letter, "").lower()
    return f"[{name}]" if name and "ideograph" not in name else f"[U+{ord(letter):04X}]"


def _seen(text: str) -> frozenset[int]:
    return frozenset(ord(letter) for letter in text if unicodedata.category(letter) not in _UNSEEN)


def _dejavu() -> str:
    from matplotlib import font_manager

    return str(font_manager.findfont("DejaVu Sans"))  # comes with matplotlib


@cache
def _installed() -> tuple[str, ...]:
    from matplotlib import font_manager

    # "Last Resort" has every letter there is, all as boxes.
    fonts = (
        font for font in font_manager.fontManager.ttflist if "lastresort" not in font.name.replace(" ", "").lower()
    )
    return tuple(sorted({font.fname for font in fonts}))


@cache
def _letters(file: str) -> frozenset[int]:
    """Return the letters that can be drawn from a font: none of a bitmap font, which has but one size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()
