"""`gesture-maker motion collect`: clips from anywhere, also cut from a long video or from a camera, into a motion dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.dataset.collecting import CollectResult

EXAMPLE = "Example:  gesture-maker motion collect swipes.mp4 --marks swipes.csv --dataset swipes"

CLIP_FRAMES = 30  # that of motion/collect_sources.py, which is not imported before it is needed
SECONDS, PAUSE = 2.0, 2.0  # those of motion/collect_camera.py

OF_FILES = {"clip_frames": "--clip-frames", "cleanup": "--cleanup"}
OF_MARKS = {"still_between": "--still-between"}
OF_CAMERAS = {
    "clips": "--clips",
    "seconds": "--seconds",
    "pause": "--pause",
    "headless": "--headless",
    "no_mirror": "--no-mirror",
    "mirrored_source": "--mirrored-source",
}
MARKS_PANEL, LEAP_PANEL, CAMERA_PANEL = "With one long video", "With LeapGestRecog", "With --camera"


def collect(
    context: typer.Context,
    sources: list[str] | None = typer.Argument(
        None,
        metavar="SOURCE",
        help="Videos, folders of frames, folders of classes of these, zips, or kaggle:gti-upm/leapgestrecog.",
        show_default=False,
    ),
    dataset: str = typer.Option(
        ..., "--dataset", "-d", metavar="DIR", help="Where to: a folder, or a name under datasets/.", show_default=False
    ),
    label: str | None = typer.Option(
        None, "--label", "-l", metavar="NAME", help="The class; without it, the name of the folder or zip."
    ),
    group: str | None = typer.Option(
        None, "--group", metavar="NAME", help="Who makes the gestures; clips of one person are never split."
    ),
    camera: str | None = typer.Option(
        None,
        "--camera",
        metavar="N",
        help="In place of SOURCE: a camera's number (0 is the first) or a stream's address. The space bar begins and ends a clip.",
    ),
    list_skipped: bool = typer.Option(False, "--list-skipped", help="List all that was skipped, not only 10."),
    marks: Path | None = typer.Option(
        None,
        "--marks",
        metavar="FILE",
        help="Cut it by a table with the columns begin, end, label (and group), in seconds or m:ss.",
        rich_help_panel=MARKS_PANEL,
    ),
    still_between: bool = typer.Option(
        False, "--still-between", help="Make what lies between the marks the class still.", rich_help_panel=MARKS_PANEL
    ),
    clip_frames: int = typer.Option(
        CLIP_FRAMES,
        "--clip-frames",
        metavar="N",
        help="Cut its sequences into clips of N frames or a few more.",
        rich_help_panel=LEAP_PANEL,
    ),
    cleanup: bool = typer.Option(
        False, "--cleanup", help="Then remove what was fetched from kagglehub's cache.", rich_help_panel=LEAP_PANEL
    ),
    clips: int | None = typer.Option(
        None, "--clips", metavar="N", help="Record N clips by the clock.", rich_help_panel=CAMERA_PANEL
    ),
    seconds: float = typer.Option(
        SECONDS, "--seconds", metavar="S", help="How long each is.", rich_help_panel=CAMERA_PANEL
    ),
    pause: float = typer.Option(PAUSE, "--pause", metavar="S", help="Before each clip.", rich_help_panel=CAMERA_PANEL),
    headless: bool = typer.Option(
        False, "--headless", help="Open no window; --clips says how many.", rich_help_panel=CAMERA_PANEL
    ),
    no_mirror: bool = typer.Option(
        False, "--no-mirror", help="Show the picture as it is saved, not as in a mirror.", rich_help_panel=CAMERA_PANEL
    ),
    mirrored_source: bool = typer.Option(
        False, "--mirrored-source", help="The camera gives a mirror's view: turn it back.", rich_help_panel=CAMERA_PANEL
    ),
) -> None:
    """Copy clips into a motion dataset, one folder per class, each only once; cut them by --marks, or record them with --camera.

    From a camera:  gesture-maker motion collect --camera 0 --label wave --dataset swipes
    """
    import shlex

    from gesture_maker.cli.collect import print_collected
    from gesture_maker.cli.given import camera_of
    from gesture_maker.dataset.folder import place_for

    _check_usage(context, sources or [], camera, label, marks, clips, headless, cleanup)
    place = place_for(dataset)
    if camera is not None:
        which = camera_of(context, camera, "a video file is a SOURCE.")
        result = _recorded(
            which,
            label or "",
            place,
            group or "",
            clips,
            seconds,
            pause,
            headless,
            no_mirror,
            mirrored_source,
        )
    elif marks is not None:
        result = _cut((sources or [""])[0], marks, place, group or "", still_between)
    else:
        result = _copied(sources or [], place, label, group or "", clip_frames, cleanup)
    print_collected(result, list_skipped)
    if not (result.added or result.already):
        if camera is None:
            typer.echo("Error: Nothing was collected: none of the clips can be used.", err=True)
            raise typer.Exit(1)
        typer.echo("No clip was recorded.")
        return
    typer.echo(f"Next:  gesture-maker motion train {shlex.quote(dataset)}")


def _check_usage(
    context: typer.Context,
    sources: list[str],
    camera: str | None,
    label: str | None,
    marks: Path | None,
    clips: int | None,
    headless: bool,
    cleanup: bool,
) -> None:
    """Raise BadParameter for options that do not belong together."""
    from gesture_maker.cli.given import files_or_camera, is_given, refuse

    files_or_camera(context, bool(sources), camera, OF_CAMERAS, OF_FILES | OF_MARKS | {"marks": "--marks"})
    if camera is not None:
        if label is None:
            raise typer.BadParameter("a camera's clips need the name of their class.", context, param_hint="--label")
        if headless and clips is None:
            raise typer.BadParameter(
                "--headless needs it: nobody presses the space bar.", context, param_hint="--clips"
            )
        if headless and is_given(context, "no_mirror"):
            raise typer.BadParameter(
                "there is no window to show it in with --headless.", context, param_hint="--no-mirror"
            )
        if clips is None:
            refuse(context, {"seconds": "--seconds", "pause": "--pause"}, "options that only go with --clips.")
    if marks is None:
        refuse(context, OF_MARKS, "an option that only goes with --marks.")
    else:
        refuse(context, OF_FILES | {"label": "--label"}, "options that do not go with --marks, which say the classes.")
        if len(sources) != 1:
            raise typer.BadParameter("marks are of one video: give one SOURCE.", context, param_hint="--marks")
    if cleanup and not any(source.startswith("kaggle:") for source in sources):
        raise typer.BadParameter("nothing is fetched: it goes with kaggle:OWNER/NAME.", context, param_hint="--cleanup")


def _copied(
    sources: list[str], place: Path, label: str | None, group: str, clip_frames: int, cleanup: bool
) -> CollectResult:
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.motion.collecting import collect_clips

    with progress_bar("Collecting") as progress:
        return collect_clips(
            sources, place, label, group=group, clip_frames=clip_frames, cleanup=cleanup, progress=progress
        )


def _cut(video: str, marks: Path, place: Path, group: str, still_between: bool) -> CollectResult:
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.motion.collect_marks import cut_by_marks

    with progress_bar("Cutting") as progress:
        return cut_by_marks(video, marks, place, group=group, still_between=still_between, progress=progress)


def _recorded(
    camera: int | str,
    label: str,
    place: Path,
    group: str,
    clips: int | None,
    seconds: float,
    pause: float,
    headless: bool,
    no_mirror: bool,
    mirrored_source: bool,
) -> CollectResult:
    from gesture_maker.cli.progress import progress_bar

    with progress_bar("Looking through the dataset" if clips is None else "Recording") as progress:
        if headless and clips is not None:
            from gesture_maker.motion.collect_camera import record_clips

            return record_clips(
                camera,
                label,
                place,
                clips,
                seconds=seconds,
                pause=pause,
                group=group,
                mirrored_source=mirrored_source,
                countdown=_count_down,
                progress=progress,
            )
        from gesture_maker.motion.collect_window import record_clips_in_window, record_in_window

        if clips is not None:
            return record_clips_in_window(
                camera,
                label,
                place,
                clips,
                seconds=seconds,
                pause=pause,
                group=group,
                mirrored_source=mirrored_source,
                mirror=not no_mirror,
                progress=progress,
            )
        return record_in_window(
            camera,
            label,
            place,
            group=group,
            mirrored_source=mirrored_source,
            mirror=not no_mirror,
            progress=progress,
        )


def _count_down(left: int, number: int) -> None:
    import sys

    if sys.stderr.isatty():
        told = f"Clip {number} in {left} …" if left else f"Clip {number}: now"
        typer.echo(f"\r{told:<20}\r", nl=False, err=True)
