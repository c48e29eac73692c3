"""`hub`: share a run on a Hub, and take over one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker hub push first my-name/rps"
EXAMPLE_PUSH = "Example:  gesture-maker hub push first my-name/rps --license apache-2.0"
EXAMPLE_PULL = "Example:  gesture-maker hub pull my-name/rps --name theirs"

app = typer.Typer(
    name="hub",
    help="Share runs on a Hub, privately unless you say otherwise, and take over those that are there.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

Revision = typer.Option(
    None, "--revision", metavar="REVISION", help="Of the repository; by default main.", show_default=False
)
TokenFile = typer.Option(
    None,
    "--token-file",
    metavar="FILE",
    help="With a token in it; by default HF_TOKEN, or that of `hf auth login`.",
    show_default=False,
)
Endpoint = typer.Option(
    None,
    "--endpoint",
    metavar="URL",
    help="Another Hub than that of HF_ENDPOINT or huggingface.co.",
    show_default=False,
)


@app.command("push", epilog=EXAMPLE_PUSH)
def push(
    run: str = typer.Argument(
        ..., metavar="RUN", help="An exported run, a comparison or a motion run.", show_default=False
    ),
    repo: str = typer.Argument(
        ..., metavar="REPO", help="OWNER/NAME, or NAME for one of your own.", show_default=False
    ),
    public: bool = typer.Option(False, "--public", help="For all to see; otherwise a new repository is private."),
    license_name: str | None = typer.Option(
        None, "--license", metavar="ID", help="Under which others may use it, such as apache-2.0.", show_default=False
    ),
    message: str | None = typer.Option(None, "--message", metavar="TEXT", help="Of the commit.", show_default=False),
    revision: str | None = Revision,
    token_file: Path | None = TokenFile,
    endpoint: str | None = Endpoint,
) -> None:
    """Push a run: its model, labels, model card and checksums.

    No photo, landmark, name of a file or path of yours goes along. A REPO that does not exist is made.
    """
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.hub.pushing import push as run_push

    with progress_bar("Pushing (kB)") as show:
        pushed = run_push(
            run,
            repo,
            public=public,
            revision=revision,
            token=_token(token_file),
            endpoint=endpoint,
            message=message,
            license_name=license_name,
            progress=_kilobytes(show),
        )
    seen = "private" if pushed.private else "public"
    how = "Nothing is new in" if pushed.again else "Pushed to"
    typer.echo(f"{how} {pushed.address} ({seen}), commit {pushed.commit}")
    typer.echo(f"Files: {', '.join(pushed.files)}")
    if public and pushed.private:
        typer.echo("It was made private before and stays so: its settings page makes it public.")
    typer.echo(f"Fingerprint: {pushed.fingerprint}")


@app.command("pull", epilog=EXAMPLE_PULL)
def pull(
    repo: str = typer.Argument(..., metavar="REPO", help="OWNER/NAME or OWNER/NAME@REVISION.", show_default=False),
    name: str | None = typer.Option(
        None,
        "--name",
        metavar="NAME",
        help="Of the run that it becomes; by default the repository's.",
        show_default=False,
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="In place of what was pulled under this name, with all that is in its folder."
    ),
    fingerprint: str | None = typer.Option(
        None,
        "--fingerprint",
        metavar="SHA256",
        help="As push told it: refuse any other model, whoever put it there.",
        show_default=False,
    ),
    revision: str | None = Revision,
    token_file: Path | None = TokenFile,
    endpoint: str | None = Endpoint,
) -> None:
    """Pull a model that push put there, every file checked, into exported_models/.

    Files that are not what was pushed, or could run code of their own, are refused. To use one at once, `live hf://REPO` is enough.
    """
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.hub.pulling import pull as run_pull

    with progress_bar("Pulling (kB)") as show:
        pulled = run_pull(
            repo,
            name=name,
            revision=revision,
            token=_token(token_file),
            endpoint=endpoint,
            fingerprint=fingerprint,
            overwrite=overwrite,
            progress=_kilobytes(show),
        )
    if pulled.again:
        typer.echo(f"Already there: {pulled.path} is {pulled.repo} at {pulled.revision}")
    else:
        typer.echo(f"Pulled {pulled.repo} at {pulled.revision}")
        typer.echo(f"Written: {pulled.path} ({', '.join(pulled.files)})")
    for left_out in pulled.left_out:
        typer.echo(f"Left out: {left_out}, which was changed after the push")
    typer.echo(f"Try it:  {_how_to_try(pulled)}")


def model_of(text: str) -> str:
    """Return what a command's model is called here: of `hf://OWNER/NAME` the folder that it is pulled into, any other as it is."""
    if not text.startswith("hf://"):
        return text
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.hub.finding import local_of

    with progress_bar("Pulling (kB)") as show:
        folder = local_of(text, progress=_kilobytes(show), notice=lambda what: typer.echo(what, err=True))
    return str(folder)


def results_folder(text: str, of: str | Path | None) -> Path | None:
    """Return where the results of a model named `hf://OWNER/NAME` go: not into the cache, where nobody looks. None for any other."""
    if not text.startswith("hf://"):
        return None
    from gesture_maker.hub.addresses import parse_address

    name = Path(of).resolve().stem if of is not None else "camera"
    return Path(f"{parse_address(text).name}_evaluation", name)


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    from gesture_maker.hub.client import read_token

    return read_token(file)


def _kilobytes(show: Any) -> Any:
    return lambda done, total: show(done // 1000, total // 1000)


def _how_to_try(pulled: Any) -> str:
    import shlex

    from gesture_maker.hub.kinds import KINDS

    return f"gesture-maker {KINDS[pulled.kind].live} {shlex.quote(pulled.path.name)}"
