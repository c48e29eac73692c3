"""One self-contained page: what every report of ours is made of, as small pure functions that return HTML.

    page("Evaluation", [Section("classes", "Classes", table("Recall", ["class", "recall"], [["rock", 0.97]]))])

Whatever is a plain `str` is escaped; only what these functions made (`Html`) goes into the page as it is. So a class called
`<script>` comes out as text wherever it is put. The page runs no script and loads nothing: its Content-Security-Policy forbids
both to the browser, should something slip through all the same.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from gesture_maker.evaluation.report.style import STYLE

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing may be loaded or run; inline styles may, which matplotlib's drawings are full of."""

_UNWRITABLE = ("Cc", "Cs")  # control characters and halves of surrogate pairs (file names that are no text) are no HTML


class Html(str):
    """HTML that is well-formed and safe to put into a page as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A part of the page: `anchor` names it in links, `title` stands above it and in the table of contents."""

    anchor: str
    title: str
    content: Html


@dataclass(frozen=True)
class Tile:
    """A headline number: what it is, its value, and a note in small letters."""

    name: str
    value: str
    note: str = ""


def text(value: Any) -> Html:
    """Return any value as HTML: an `Html` as it is, None as a dash, anything else as escaped text."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html("–")
    shown = "".join(_writable(letter) for letter in str(value))
    return Html(escape(shown, quote=True))


def join(parts: Iterable[Any], between: str = "") -> Html:
    """Return the parts one after the other, each as `text` has it."""
    return Html(text(between).join(text(part) for part in parts))


def element(name: str, *content: Any, **attributes: Any) -> Html:
    """Return `<name attributes>content</name>`. Attributes that are None or False are left out, `True` has no value;
    underscores in their names become dashes, one at the end is dropped (`class_`)."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{written}>{join(content)}</{name}>")


def name(value: Any) -> Html:
    """Return a name that comes from the user, held apart from the sentence around it, whatever its script's direction."""
    return element("bdi", value)


def code(value: Any) -> Html:
    """Return text as a machine would have it: a file's name, a checksum, a command."""
    return element("code", value)


def paragraph(*content: Any, class_: str | None = None) -> Html:
    """Return a paragraph."""
    return element("p", *content, class_=class_)


def tiles(numbers: Sequence[Tile]) -> Html:
    """Return headline numbers side by side."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", one.name),
                element("dd", element("strong", one.value), element("span", one.note) if one.note else ""),
            )
            for one in numbers
        ),
        class_="tiles",
    )


def facts(pairs: Iterable[tuple[Any, Any]]) -> Html:
    """Return names and values, one under the other."""
    rows = (element("div", element("dt", key), element("dd", value)) for key, value in pairs)
    return element("dl", *rows, class_="facts")


def notes(sentences: Sequence[Any]) -> Html:
    """Return sentences that must not be overlooked, such as warnings; nothing when there are none."""
    if not sentences:
        return Html("")
    return element("ul", *(element("li", sentence) for sentence in sentences), class_="notes")


def cell(value: Any, kind: str) -> Html:
    """Return a table's cell of a class of its own, `kind`, for `table`."""
    return element("td", value, class_=kind)


def table(
    caption: Any, columns: Sequence[Any], rows: Iterable[Sequence[Any]], *, kind: str | None = None, words: int = 1
) -> Html:
    """Return a table whose first column names its rows.

    `words`: how many columns hold words, which begin at the left; the others hold numbers. A value may be a whole `cell`. It
    scrolls within the page when it is wider.
    """
    head = element("tr", *(element("th", one, scope="col", class_=_side(i, words)) for i, one in enumerate(columns)))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(_cell(value, _side(number, words)) for number, value in enumerate(row[1:], 1)),
        )
        for row in rows
    ]
    whole = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", head),
        element("tbody", *body),
        class_=kind,
    )
    # tabindex: what scrolls has to be reachable with the keyboard.
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=plain(caption))


def figure(content: Html, caption: Any = "", *, kind: str | None = None) -> Html:
    """Return a picture (an SVG drawing or an `image`) with its caption below."""
    return element("figure", content, element("figcaption", caption) if caption else "", class_=kind)


def figures(several: Iterable[Html], kind: str = "figures") -> Html:
    """Return figures side by side, as many as the page is wide."""
    return element("div", *several, class_=kind)


def image(jpeg: bytes, alternative: str, width: int, height: int) -> Html:
    """Return a JPEG inside the page; `alternative` says in words what it shows."""
    data = base64.b64encode(jpeg).decode("ascii")
    described = text(alternative)
    return Html(
        f'<img src="data:image/jpeg;base64,{data}" alt="{described}" width="{width}" height="{height}" decoding="async">'
    )


def page(title: str, sections: Sequence[Section], lead: Any = "") -> Html:
    """Return the whole page: `title`, `lead` (what it comes to, in a sentence), a table of contents, and the sections."""
    contents = element(
        "nav",
        element("ul", *(element("li", element("a", one.title, href=f"#{one.anchor}")) for one in sections)),
        aria_label="Contents",
    )
    parts = (
        element("section", element("h2", one.title, id=f"{one.anchor}-title"), one.content, id=one.anchor,
                aria_labelledby=f"{one.anchor}-title")
        for one in sections
    )  # fmt: skip
    body = join(
        [
            element("header", element("h1", title), paragraph(lead, class_="lead") if lead else ""),
            contents,
            element("main", *parts),
        ]
    )
    return Html(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def plain(content: Any) -> str:
    """Return the words of a piece of HTML without its tags, for labels that only a screen reader reads."""
    from html import unescape
    from re import sub

    return unescape(sub(r"<[^>]*>", "", content)) if isinstance(content, Html) else str(content)


def _side(number: int, words: int) -> str | None:
    return None if number < words else "number"


def _cell(value: Any, kind: str | None) -> Html:
    if isinstance(value, Html) and value.startswith("<td"):
        return value
    return element("td", value, class_=kind)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{text(value)}"'


def _writable(letter: str) -> str:
    return ascii(letter)[1:-1] if unicodedata.category(letter) in _UNWRITABLE else letter
