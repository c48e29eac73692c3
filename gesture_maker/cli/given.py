"""Options that several commands share, and which of them a user gave, for those that only go with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

RUNTIME = "GestureRecognizer's options"  # a panel of their own, or 80 columns would not hold their names


def confidence(name: str, help_text: str) -> Any:
    """Return the option for one of GestureRecognizer's confidences."""
    return typer.Option(0.5, name, metavar="X", rich_help_panel=RUNTIME, help=help_text)


def is_given(context: typer.Context, name: str) -> bool:
    """Tell whether a parameter was given, and does not have its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def refuse(context: typer.Context, options: Mapping[str, str], why: str) -> None:
    """Raise BadParameter when any of these `options` (parameter: what the user calls it) was given."""
    given = [option for name, option in options.items() if is_given(context, name)]
    if given:
        raise typer.BadParameter(why, context, param_hint=", ".join(given))


def camera_of(context: typer.Context, camera: str, otherwise: str) -> int | str:
    """Return a camera's number or a stream's address. Raises BadParameter for anything else; `otherwise` says what to give."""
    if camera.isdecimal():
        return int(camera)
    if "://" in camera:
        return camera
    raise typer.BadParameter(
        f"{camera} is neither a camera's number nor an address such as rtsp://…; {otherwise}",
        context,
        param_hint="--camera",
    )
