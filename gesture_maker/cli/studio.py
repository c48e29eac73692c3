"""`gesture-maker studio`: collect, train, try and play in a local web page."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLE = "Example:  gesture-maker studio --dataset rps"


def studio(
    dataset: str = typer.Option(
        "gestures", "--dataset", metavar="DATASET", help="A folder, or a name under datasets/; made when new."
    ),
    port: int | None = typer.Option(
        None, "--port", metavar="N", min=0, max=65535, help="Where to listen, 0 for any free one (default: 8765)."
    ),
    no_open: bool = typer.Option(False, "--no-open", help="Only print the address, open no browser."),
    assets: Path | None = typer.Option(None, "--assets", metavar="DIR", help="Folder of Google's TFLite files."),
) -> None:
    """Collect, train, try and play in a page that this machine serves to itself, until Ctrl-C.

    Nobody else can open it, and nothing leaves the machine. It works on the same folders as the commands.
    """
    from gesture_maker.dataset.folder import place_for
    from gesture_maker.studio.server import run_studio
    from gesture_maker.training.run_folder import RUNS

    def opened(address: str) -> None:
        typer.echo(f"The studio is at  {address}")
        typer.echo("End it with Ctrl-C.")
        if not no_open:
            import threading

            threading.Thread(target=_open_browser, args=(address,), daemon=True).start()

    run_studio(place_for(dataset), runs=RUNS, port=port, assets=assets, opened=opened)


def _open_browser(address: str) -> None:
    """Open an address in a process of its own: a browser in the terminal would take the studio's, and Ctrl-C would end any.

    The address goes there by a pipe: arguments of processes can be read by every user of the machine.
    """
    import subprocess
    import sys

    code = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"
    nowhere = subprocess.DEVNULL
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=address, text=True, stdout=nowhere, stderr=nowhere, start_new_session=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        typer.echo("No browser could be opened: open the address yourself.")
