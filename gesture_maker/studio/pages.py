"""The page itself, and the plain page that says why a request was refused."""

from __future__ import annotations

import html
from pathlib import Path

from starlette.responses import HTMLResponse

STATIC = Path(__file__).with_name("static")

_REFUSAL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>gesture-maker studio</title></head><body><main><h1>gesture-maker studio</h1><p>{sentence}</p></main></body></html>
"""


def index() -> HTMLResponse:
    """Return the studio's page."""
    return HTMLResponse(STATIC.joinpath("index.html").read_bytes(), headers={"cache-control": "no-store"})


def refusal(status: int, sentence: str) -> HTMLResponse:
    """Return a page with one sentence, for requests that come before the studio's page is there to show it."""
    return HTMLResponse(_REFUSAL.format(sentence=html.escape(sentence)), status, {"cache-control": "no-store"})
