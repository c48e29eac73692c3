"""Which options a user gave, for those that only go with others; and what `--camera` means."""

from __future__ import annotations

from collections.abc import Mapping

import typer


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
