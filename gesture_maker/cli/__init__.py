"""The command line: one module per command, which parses, calls the library and prints.

Nothing here is imported by the library, and no command's module imports more than Typer before it runs: `--help` has to
answer at once.
"""

from __future__ import annotations

import signal
import sys

import typer

from gesture_maker import __version__
from gesture_maker.cli.given import LOCAL_STORE
from gesture_maker.errors import GestureMakerError, sentence_of

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EXIT_TERMINATED = 143  # 128 + SIGTERM

app = typer.Typer(
    name="gesture-maker",
    help="Photos of hand gestures in, a MediaPipe .task bundle out.",
    epilog="Try it without a photo of your own:  gesture-maker demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gesture-maker {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Photos of hand gestures in, a MediaPipe .task bundle out."""


def _register() -> None:
    """Add each command in the order in which a newcomer meets them."""
    from gesture_maker.cli import (
        assets,
        check,
        collect,
        compare,
        demo,
        diagnose,
        evaluate,
        export,
        hub,
        image,
        landmarks,
        live,
        motion,
        registry,
        rename,
        serve,
        studio,
        train,
        tune,
    )

    app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
    app.command("collect", epilog=collect.EXAMPLE)(collect.collect)
    app.command("rename", epilog=rename.EXAMPLE)(rename.rename)
    app.command("check", epilog=check.EXAMPLE)(check.check)
    app.command("landmarks", epilog=landmarks.EXAMPLE)(landmarks.landmarks)
    app.command("train", epilog=train.EXAMPLE)(train.train)
    app.command("diagnose", epilog=diagnose.EXAMPLE)(diagnose.diagnose)
    app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
    app.command("tune", epilog=tune.EXAMPLE)(tune.tune)
    app.command("export", epilog=export.EXAMPLE)(export.export)
    app.command("eval", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
    app.command("live", epilog=live.EXAMPLE)(live.live)
    app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
    app.command("studio", epilog=studio.EXAMPLE)(studio.studio)
    app.add_typer(registry.app, name="registry")
    app.add_typer(motion.app, name="motion")
    app.add_typer(image.app, name="image")
    app.add_typer(hub.app, name="hub")
    app.add_typer(assets.app, name="assets")


_register()


def with_track(arguments: list[str]) -> list[str]:
    """Return the arguments with a bare `--track` as `--track=default`: Typer has no options whose value may be left out.

    It is bare when nothing with `://` follows: an option, a dataset's name, or the end.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    following = [*arguments, ""][1:]
    return [
        f"{one}={LOCAL_STORE}" if one == "--track" and place < end and "://" not in after else one
        for place, (one, after) in enumerate(zip(arguments, following, strict=True))
    ]


def main() -> None:
    """Run the command line and leave with 0, with 1 for bad input, 2 for wrong usage, or 130 when interrupted."""
    # A `kill` unwinds like Ctrl-C, so that temporary files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    try:
        app(args=with_track(sys.argv[1:]), prog_name="gesture-maker")
    except (GestureMakerError, OSError) as error:
        status = _fail(sentence_of(error))
    except KeyboardInterrupt as interrupt:
        status = _interrupted(interrupt)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
        if status == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C
            status = _interrupted(leaving)
    sys.stdout.flush()
    sys.exit(status)


def _fail(sentence: str) -> int:
    typer.echo(f"Error: {sentence}", err=True)
    return 1


def _interrupted(error: BaseException | None) -> int:
    """Say how to go on, in the words of the step that was interrupted if it has some."""
    sentence = "Interrupted: what was finished is kept, run the same command again to go on."
    while error is not None:
        if isinstance(error, KeyboardInterrupt) and error.args:
            sentence = str(error)
            break
        error = error.__cause__ or error.__context__
    typer.echo(sentence, err=True)
    return EXIT_INTERRUPTED
