"""`gesture-maker serve`: a model behind MLflow's scoring server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.tracking.serving import Served

EXAMPLE = "Example:  gesture-maker serve first --port 5001"

_PHOTO = """(printf '{"instances": [{"image": "'; base64 < photo.jpg | tr -d '\\n'; printf '"}]}')"""

_CURL = "curl -H 'Content-Type: application/json'"  # its --json is of 2022


def serve(
    model: str = typer.Argument(
        ...,
        metavar="MODEL",
        help="A registered model (NAME, NAME/3, NAME@staging, models:/NAME@production), a .task, a run or a comparison.",
    ),
    host: str = typer.Option(
        "127.0.0.1", "--host", metavar="ADDRESS", help="Where to listen; others can reach any but this."
    ),
    port: int = typer.Option(
        5001, "--port", metavar="N", min=0, max=65535, help="Where to listen, 0 for any free one."
    ),
    workers: int = typer.Option(1, "--workers", metavar="N", min=1, help="Processes that answer; a core each."),
    store: str | None = typer.Option(
        None, "--store", metavar="URI", help="The MLflow store of the model, in place of exported_models/mlflow.db."
    ),
) -> None:
    """Serve a model with MLflow's scoring server until Ctrl-C: landmarks of hands or photos in, gestures out.

    Of a bare NAME the version in production is served, or else in staging, or else the newest.
    """
    from gesture_maker.tracking.serving import serve as run_server

    try:
        run_server(model, host=host, port=port, workers=workers, store=store, ready=_ready)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("The server has ended.") from interrupt


def _ready(served: Served) -> None:
    if served.open_to_others:
        typer.echo("Warning: whoever can reach this machine can ask the server, which knows no passwords.", err=True)
    labels = ", ".join(served.labels)
    typer.echo(f"Serving {served.model}: {labels}")
    typer.echo(f"The server is at  {served.address}/invocations")
    if served.takes_images:
        typer.echo("Ask it about a photo:")
        typer.echo(f"  {_PHOTO} | {_CURL} --data-binary @- {served.address}/invocations")
    typer.echo("Ask it about a hand, by its landmarks:")
    body = f'{{"instances": [{{"row": [{",".join(f"{number:.2f}" for number in served.example)}]}}]}}'
    typer.echo(f"  {_CURL} -d '{body}' {served.address}/invocations")
    typer.echo("End it with Ctrl-C.")
    sys.stdout.flush()  # for who started it with its output in a pipe
