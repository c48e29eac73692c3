"""Which options a user gave: for those that only go with others."""

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
