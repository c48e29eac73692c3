"""Options that several commands share, and which of them a user gave, for those that only go with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

LOCAL_STORE = "default"
"""What a bare `--track` stands for; the command line puts it there, because Typer has no options whose value may be left out."""

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


def live_source(context: typer.Context, source: str | None, camera: str | None) -> int | str:
    """Return where frames come from: a video or address given as SOURCE, or a camera. Raises BadParameter when both are given."""
    from pathlib import Path

    if source is not None and camera is not None:
        raise typer.BadParameter("give a SOURCE or --camera, not both")
    if source is not None and source.isdigit() and not Path(source).exists():
        raise typer.BadParameter(f"there is no video {source}; for a camera give --camera {source}")
    return source if source is not None else camera_of(context, camera or "0", "a video file is the SOURCE")


def numbers_of(text: str | None, option: str) -> tuple[int, ...] | None:
    """Return whole numbers such as those of `128,64`; None where nothing was given. Raises BadParameter for anything else."""
    try:
        return None if text is None else tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        raise typer.BadParameter("give whole numbers such as 128,64", param_hint=option) from None


TRACK = typer.Option(
    None,
    "--track",
    metavar="[URI]",
    help="Record it in MLflow: in a local store, or at this address.",
)
"""What a command that records its work has as `track: str | None = TRACK`; see `tracker`."""


def tracker(track: str | None) -> tuple[bool, str | None]:
    """Return whether to record in MLflow, and the store's address for `tracking.record` (None: the local one).

    To be called before any long work begins: raises TrackingError at once when MLflow is not installed, or the store cannot be
    reached.
    """
    if track is None:
        return False, None
    from gesture_maker.tracking.store import check_store

    uri = None if track == LOCAL_STORE else track
    check_store(uri)
    return True, uri


def record_in_mlflow(work: Any, made: Any, uri: str | None) -> None:
    """Record what was made by a function of `tracking.record`, with a bar while it takes long, and say where it is."""
    from gesture_maker.cli.progress import progress_bar

    with progress_bar("Recording in MLflow") as show:
        tracked = work(made, uri, progress=show)
    print_tracked(tracked)


def print_tracked(tracked: Any) -> None:
    """Say where something was recorded, what was registered, and how to look at it."""
    from gesture_maker.tracking.store import how_to_look

    again = " before: nothing was added" if tracked.again else ""
    typer.echo(f'Recorded in MLflow{again}: experiment "{tracked.experiment}", run {tracked.run_id}')
    for name, version in tracked.versions:
        typer.echo(f"Registered: {name}, version {version}")
    typer.echo(f"Look at it:  {how_to_look(tracked.uri)}")


def files_or_camera(
    context: typer.Context,
    files: bool,
    camera: str | None,
    of_cameras: Mapping[str, str],
    of_files: Mapping[str, str],
) -> None:
    """Raise BadParameter unless either files or a camera are to be collected, with none of the options that go with the other."""
    if camera is None and not files:
        raise typer.BadParameter("give what to collect, or --camera.", context, param_hint="SOURCE")
    if camera is not None and files:
        raise typer.BadParameter(
            "files and a camera cannot be collected at once: leave one out.", context, param_hint="--camera"
        )
    if camera is None:
        refuse(context, of_cameras, "options that only go with --camera.")
    else:
        refuse(context, of_files, "options that do not go with --camera.")
