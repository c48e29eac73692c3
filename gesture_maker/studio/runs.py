"""The runs of a studio as its pages see them: read from their folders, removed with a way back, watched for changes."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gesture_maker.errors import GestureMakerError, RunError
from gesture_maker.studio.state import Studio
from gesture_maker.training.config import chosen_settings, usual_settings
from gesture_maker.training.run import BUNDLE, Run
from gesture_maker.training.run_folder import free_run_name, valid_run_name

DIAGNOSIS = "diagnosis.json"
"""Lies in a run: what `diagnose` found, as the page shows it."""

REPORT = Path("evaluation", "studio")
"""Where in a run the page's report is, so that those of `gesture-maker eval` are never mistaken for it."""

DELETED = ".deleted"
"""In the folder of runs: what was removed, until somebody empties it."""

WATCH_SECONDS = 1.0  # between two looks at the names and times of all runs, 20 µs each

FILES: dict[str, tuple[Path, str, str]] = {
    "task": (Path(BUNDLE), "{run}.task", "application/octet-stream"),
    "card": (Path(BUNDLE).with_suffix(".md"), "{run}.md", "text/markdown; charset=utf-8"),
    "report": (REPORT / "report" / "index.html", "{run}-report.html", "text/html; charset=utf-8"),
    "labels": (Path("labels.txt"), "{run}-labels.txt", "text/plain; charset=utf-8"),
    "curves": (Path("curves.png"), "{run}-curves.png", "image/png"),
    "confusion": (Path("confusion_matrix.png"), "{run}-confusion_matrix.png", "image/png"),
    "split": (Path("split.csv"), "{run}-split.csv", "text/csv; charset=utf-8"),
}
"""What can be downloaded of a run: its file, the name it is given, and its media type."""

_WORTH = ("test", "cross_validation", "validation", "train")


class Runs:
    """The runs in a studio's folder. Threads may share it."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._folder = studio.runs
        self._known: dict[str, tuple[Any, dict[str, Any]]] = {}  # by name: what it was read from, and what it said
        self._lock = threading.Lock()
        self._told: Any = None
        self._ended = threading.Event()

    def watch(self) -> None:
        """Tell all pages of changes from now on, also of those that commands make, until the studio ends."""
        watching = threading.Thread(target=self._watch, name="watching runs", daemon=True)
        watching.start()
        self._studio.at_end(self._ended.set)

    def _watch(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                self.tell()
            if self._ended.wait(WATCH_SECONDS):
                return

    def tell(self) -> None:
        """Tell all pages if something changed."""
        with self._lock:
            now = {name: _state_of(folder) for name, folder in self._folders()}
            if now == self._told:
                return
            self._told = now
        self._studio.hub.publish("runs", {"runs": self.all()})

    def folder(self, name: str) -> Path:
        """Return the folder of a run of this studio. Raises RunError for what is none, also for paths elsewhere."""
        try:
            known = valid_run_name(name) == name and (self._folder / name / "run.json").is_file()
        except RunError:
            known = False
        if not known:
            raise RunError(f'There is no run "{name}" in {self._folder}: it may have been removed or renamed.')
        return self._folder / name

    def load(self, name: str) -> Run:
        """Return a run of this studio. Raises RunError."""
        return Run.load(self.folder(name))

    def all(self) -> list[dict[str, Any]]:
        """Return what is to be said of every run in a list, the newest first; folders that cannot be read are passed over."""
        found = []
        for name, folder in self._folders():
            with contextlib.suppress(GestureMakerError, OSError):
                found.append(self._summary(name, folder))
        return sorted(found, key=lambda run: (run["created"], run["name"]), reverse=True)

    def one(self, name: str) -> dict[str, Any]:
        """Return all that is to be said of a run. Raises RunError."""
        folder = self.folder(name)
        run = Run.load(folder)
        metrics = _json(folder / "metrics.json")
        found = {
            **self._summary(name, folder),
            "path": str(folder.absolute()),
            "fingerprint": run.description.get("fingerprint", ""),
            "settings": plain(chosen_settings(run.description)),
            "confusion": _confusion(metrics),
            "parts": {
                part: {"accuracy": values.get("accuracy"), "photos": values.get("photos")}
                for part, values in metrics.items()
                if part in _WORTH and values.get("photos")
            },
            "history": _history(folder / "history.csv"),
            "diagnosis": _json(folder / DIAGNOSIS) or None,
            "warnings": run.description.get("warnings", []),
            "files": [what for what in FILES if self._file_of(folder, what) is not None],
        }
        described: dict[str, Any] = plain(found)
        return described

    def file(self, name: str, what: str) -> tuple[Path, str, str]:
        """Return a file of a run for download, the name it is given, and its media type. Raises RunError."""
        folder = self.folder(name)
        if what not in FILES:
            raise RunError(f'There is nothing called "{what}" to download of a run: use one of {", ".join(FILES)}.')
        path = self._file_of(folder, what)
        if path is None:
            how = {"task": "export it", "card": "export it", "report": "make it"}.get(what, "train again")
            raise RunError(f'The run "{name}" has no {FILES[what][0].name} yet: {how} first.')
        _, called, kind = FILES[what]
        return path, called.format(run=name), kind

    def delete(self, name: str) -> str:
        """Move a run to the folder of removed ones and return what `undo` brings it back by. Raises RunError, OSError."""
        folder = self.folder(name)
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")
        removed = self._folder / DELETED / f"{stamp}_{name}"
        removed.parent.mkdir(exist_ok=True)
        folder.rename(removed)
        self.tell()
        return removed.name

    def undo(self, removed: str) -> str:
        """Bring a removed run back and return its name, another one when that is taken. Raises RunError, OSError."""
        place = self._folder / DELETED
        if not place.is_dir() or removed not in {folder.name for folder in place.iterdir()}:
            raise RunError("This run was brought back already, or its folder was emptied.")
        with self._lock:
            name = free_run_name(valid_run_name(removed.partition("_")[2]), self._folder)
            (place / removed).rename(self._folder / name)
        self.tell()
        return name

    def _folders(self) -> Iterator[tuple[str, Path]]:
        if not self._folder.is_dir():
            return
        for folder in sorted(self._folder.iterdir()):
            if not folder.name.startswith(".") and (folder / "run.json").is_file():
                yield folder.name, folder

    def _summary(self, name: str, folder: Path) -> dict[str, Any]:
        state = _state_of(folder)
        with self._lock:
            if name in self._known and self._known[name][0] == state:
                return self._known[name][1]
        summary: dict[str, Any] = plain(_summary(Run.load(folder), self._studio.dataset))
        with self._lock:
            self._known[name] = (state, summary)
        return summary

    def _file_of(self, folder: Path, what: str) -> Path | None:
        path = folder / FILES[what][0]
        if not path.is_file():
            return None
        if what == "report":  # of another bundle than the one that is there now
            bundle = folder / BUNDLE
            if not bundle.is_file() or bundle.stat().st_mtime_ns > path.stat().st_mtime_ns:
                return None
        return path


def runs_of(studio: Studio) -> Runs:
    """Return a studio's runs, watched; use it by `studio.part(runs_of)`."""
    runs = Runs(studio)
    runs.watch()
    return runs


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numbers that are none, such as the loss of a failed epoch, become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _summary(run: Run, dataset: Path) -> dict[str, Any]:
    about = run.description
    estimate = _json(run.path / "metrics.json").get("estimate") or {}
    hands = about.get("hands", {})
    return {
        "name": run.name,
        "created": about.get("created", ""),
        "labels": run.labels,
        "photos": about.get("photos", 0),
        "hands": sum(hands.values()),
        "tested": hands.get("test", 0),
        "state": "finished" if run.finished else "unfinished",
        "accuracy": estimate.get("accuracy"),
        "low": estimate.get("low"),
        "high": estimate.get("high"),
        "sentences": estimate.get("sentences", []),
        "bundle": run.finished and run.bundle.is_file(),
        "dataset": Path(about.get("dataset", "")).name,
        "of_this_dataset": Path(about.get("dataset", "")) == dataset.resolve(),
        "changed": _changed(about),
        "version": f"{hash(_state_of(run.path)) & 0xFFFFFFFF:08x}",  # another one when there is something new to be shown
    }


def _changed(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are others than would have been taken without a word from the user."""
    try:
        usual = usual_settings(about)
        return {name: value for name, value in chosen_settings(about).items() if value != usual.get(name, value)}
    except (GestureMakerError, KeyError, TypeError, ValueError):  # of an older version
        return {}


def _confusion(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the confusion matrix that says most about other people's hands, and of which hands it is."""

    def worth(part: str) -> tuple[int, int]:
        hands = metrics.get(part, {}).get("photos", 0)
        return (2 if part in _WORTH[:2] else -_WORTH.index(part), hands) if hands else (-9, 0)

    part = max(_WORTH, key=worth)
    found = metrics.get(part, {})
    if not found.get("photos") or "confusion" not in found:
        return None
    return {"of": part, "photos": found["photos"], "accuracy": found["accuracy"], **found["confusion"]}


def _history(path: Path) -> list[dict[str, float | None]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error):
        return []


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _state_of(folder: Path) -> tuple[int, ...]:
    """Return something that differs once a run has changed in what the pages show."""
    return tuple(
        _time_of(folder / name) for name in ("run.json", "metrics.json", BUNDLE, DIAGNOSIS, FILES["report"][0])
    )


def _time_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
