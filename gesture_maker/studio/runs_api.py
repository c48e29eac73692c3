"""Requests about runs: which there are, what is to be said of one, its files, and removing one with a way back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Body
from fastapi.responses import Response

from gesture_maker.errors import RunError
from gesture_maker.studio.jobs import BusyError, jobs_of
from gesture_maker.studio.runs import runs_of
from gesture_maker.studio.state import Studio
from gesture_maker.training.run import Run


def routes(studio: Studio) -> APIRouter:
    """Return the routes of this part."""
    router = APIRouter()
    runs, jobs = studio.part(runs_of), studio.part(jobs_of)

    @router.get("/api/runs")
    def every() -> dict[str, Any]:
        return {"runs": runs.all()}

    @router.get("/api/runs/one")
    def one(run: str) -> dict[str, Any]:
        return runs.one(run)

    @router.get("/api/runs/file")
    def file(run: str, what: str) -> Response:
        path, name, kind = runs.file(run, what)
        content = path.read_bytes()  # whole, so that a file that cannot be read is an error and no cut download
        return Response(
            content, media_type=kind, headers={"content-disposition": f"attachment; filename*=utf-8''{quote(name)}"}
        )

    @router.post("/api/runs/diagnose")
    def diagnose(run: str = Body(embed=True)) -> dict[str, Any]:
        return work("diagnose", run)

    @router.post("/api/runs/export")
    def export(run: str = Body(embed=True)) -> dict[str, Any]:
        return work("export", run)

    @router.post("/api/runs/report")
    def report(run: str = Body(embed=True)) -> dict[str, Any]:
        if not runs.load(run).bundle.is_file():
            raise RunError(f'The run "{run}" has no bundle yet: make that first.')
        return work("report", run)

    def work(kind: str, run: str) -> dict[str, Any]:
        Run.load_finished(runs.folder(run))
        return {"job": jobs.start(kind, run)}

    @router.post("/api/runs/delete")
    def delete(run: str = Body(embed=True)) -> dict[str, Any]:
        if jobs.works_on(run):
            raise BusyError(f'The run "{run}" is being worked on: wait for the end of that, or cancel it.')
        return {"undo": runs.delete(run)}

    @router.post("/api/runs/undo")
    def undo(undo: str = Body(embed=True)) -> dict[str, Any]:
        return {"run": runs.undo(undo)}

    return router
