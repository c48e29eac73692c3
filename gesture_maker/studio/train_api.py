"""Requests about training: whether it makes sense yet, its settings, and starting, continuing and cancelling it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body

from gesture_maker.assets import ASSETS, asset_bytes
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import AssetError, DatasetError, RunError
from gesture_maker.studio.collecting import Collecting
from gesture_maker.studio.jobs import jobs_of
from gesture_maker.studio.runs import runs_of
from gesture_maker.studio.state import Studio
from gesture_maker.studio.train_ready import NO_PHOTOS, Ready, default_name, readiness_of
from gesture_maker.training.config import TrainConfig, usual_settings
from gesture_maker.training.options import OPTIONS, text_of, values_of
from gesture_maker.training.prepare import check_labels
from gesture_maker.training.recipe import RECIPES
from gesture_maker.training.run_folder import check_writable, valid_run_name
from gesture_maker.training.session import ENOUGH_TO_TEST, check_arguments


def routes(studio: Studio) -> APIRouter:
    """Return the routes of this part."""
    router = APIRouter()
    runs, jobs, readiness = studio.part(runs_of), studio.part(jobs_of), studio.part(readiness_of)

    @router.get("/api/train/ready")
    def ready() -> dict[str, Any]:
        now = readiness.now()
        return {
            **asdict(now),
            "ready": not now.problems,
            "photos": now.total("photos"),
            "usable": now.total("usable"),
            "pending": now.total("pending"),
            "name": default_name(studio),
        }

    @router.get("/api/train/settings")
    def settings() -> dict[str, Any]:
        defaults = _defaults(studio, readiness.now())
        options = [{**asdict(option), "defaults": defaults[option.name]} for option in OPTIONS]
        return {"options": options, "google": _about_google(studio)}

    @router.get("/api/train/job")
    def job() -> dict[str, Any]:
        return {"job": jobs.now()}

    @router.post("/api/train/start")
    def start(settings: Annotated[dict[str, str], Body(embed=True)]) -> dict[str, Any]:
        name, arguments = _checked(studio, settings)
        studio.part(Collecting.of).collection.save()  # the groups of the photos that were taken last are in memory
        return {"job": jobs.start("train", name, arguments=arguments)}

    @router.post("/api/train/cancel")
    def cancel() -> dict[str, Any]:
        jobs.cancel()
        return {"job": jobs.now()}

    @router.post("/api/train/resume")
    def resume(run: str = Body(embed=True)) -> dict[str, Any]:
        if runs.load(run).finished:
            raise RunError(f'The run "{run}" is finished: there is nothing to continue.')
        return {"job": jobs.start("resume", run)}

    return router


def _checked(studio: Studio, given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the name of a new run and the arguments for `steps.train`.

    Raises a GestureMakerError for what can be known to be wrong before the training's process is started.
    """
    arguments = TrainConfig.from_file_and_flags(None, values_of(given)).arguments()
    named = arguments.pop("name")
    plan = check_arguments(*(arguments[name] for name in ("embedder", "recipe", "seed", "shares", "settings")))
    if arguments["embedder"] == "mediapipe" and (problem := _about_google(studio)):
        raise AssetError(problem)
    name = valid_run_name(named) if named is not None else default_name(studio)
    _refuse_taken(studio.runs / name)
    check_writable(studio.runs)
    dataset = studio.dataset
    if not dataset.exists():
        raise DatasetError(NO_PHOTOS)
    if dataset.is_dir():
        data = load_dataset(dataset)
        if NONE not in data.labels:  # on the page it is always there
            (dataset / NONE).mkdir(exist_ok=True)
            data = load_dataset(dataset)
        check_labels(dataset, data.counts, background=plan.background > 0)
    return name, arguments


def _refuse_taken(folder: Path) -> None:
    """Raise RunError when a run of this name cannot be made, in the words of the page."""
    if folder.exists():
        raise RunError(f'There is already a run "{folder.name}": choose another name, or leave it empty.')


def _about_google(studio: Studio) -> str:
    """Return why Google's embedder cannot be used now; empty when it can. Nothing is downloaded."""
    try:
        for name, asset in ASSETS.items():
            if asset.in_wheel is None:
                asset_bytes(name, studio.assets, download=False)
    except AssetError as error:
        return str(error)
    return ""


def _defaults(studio: Studio, now: Ready) -> dict[str, dict[str, str]]:
    """Return what each option is, as text, when nothing is said, for each recipe and the photos that there are."""
    found: dict[str, dict[str, str]] = {option.name: {} for option in OPTIONS}
    labels = [one["label"] for one in now.classes]
    for recipe in RECIPES:
        usual = usual_settings({"recipe": recipe, "hands": {"train": now.hands}, "labels": labels})
        tested = now.hands * int(usual["split"].split(",")[2]) // 100
        usual |= {"name": default_name(studio), "estimate": recipe == "auto" and tested < ENOUGH_TO_TEST}
        for name, of_recipes in found.items():
            of_recipes[recipe] = text_of(usual[name]) or "none"
    return found
