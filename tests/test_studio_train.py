"""Train, the server's side: a real studio, real trainings in a process of their own, and whatever may befall them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cameras import wait_until
from conftest import CLASSES, Trained
from helpers import write
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from studios import StudioProcess, studio
from typer.testing import CliRunner

from gesture_maker.errors import ConfigError
from gesture_maker.files import write_json
from gesture_maker.studio.answers import Answers
from gesture_maker.studio.runs import DELETED, FILES, Runs
from gesture_maker.studio.state import Studio
from gesture_maker.studio.train_ready import NO_GESTURE, NO_PHOTOS, Readiness, default_name
from gesture_maker.training.config import TrainConfig
from gesture_maker.training.options import OPTIONS, text_of, values_of
from gesture_maker.training.recipe import SETTINGS
from gesture_maker.training.run import Run

FAST = {"augment": "no", "background": "no", "mirror": "no", "epochs": "3", "steps_per_epoch": "20"}
"""Settings, as the page sends them, with which a training takes no longer than the import of TensorFlow."""

LONG = {**FAST, "epochs": "60", "steps_per_epoch": "60", "estimate": "no"}
"""For a training that is interrupted: 3600 steps take some seconds."""

ENDED = ("finished", "cancelled", "failed")

Job = dict[str, Any]


def working_folder(trained: Trained, folder: Path) -> Path:
    """Return a copy of the working folder of `trained`, whose run is of the copied photos."""
    shutil.copytree(trained.folder, folder)
    described = folder / "exported_models/first/run.json"
    write_json(described, json.loads(described.read_text()) | {"dataset": str(folder / "datasets/small")})
    return folder


@pytest.fixture(scope="module")
def place(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a photo of an open palm among the victories."""
    folder = working_folder(trained, tmp_path_factory.mktemp("studio") / "place")
    palm = folder / "datasets/small/open_palm/open_palm_000001.jpg"
    shutil.copy(palm, folder / "datasets/small/victory/victory_000099.jpg")
    return folder


@pytest.fixture(scope="module")
def here(place: Path) -> Iterator[StudioProcess]:
    with studio(place) as running:
        yield running


@pytest.fixture(scope="module")
def told(here: StudioProcess) -> list[Job]:
    """All that pages are told of a training from its start to its end, all of it answered with settings of FAST."""
    with here.socket("/ws/events") as events:
        started = here.post("/api/train/start", {"settings": FAST})["job"]
        said: list[Job] = [started]
        while said[-1]["state"] not in ENDED:
            event = json.loads(events.recv(120))
            if event["kind"] == "job":
                said.append(event["data"])
    assert said[-1]["state"] == "finished", said[-1]
    return said


def until(running: StudioProcess, wanted: Callable[[Job], Any]) -> Job:
    """Wait for the job to be as wanted."""
    found: Job = running.event("job", lambda job: bool(wanted(job)) or job["state"] == "failed")
    assert wanted(found), found
    return found


def child_of(process: int) -> int:
    """Return the process that a studio started for its job."""

    def children() -> list[int]:
        tasks = Path(f"/proc/{process}/task").iterdir()
        found = [int(one) for task in tasks for one in (task / "children").read_text().split()]
        return [one for one in found if b"job_process" in Path(f"/proc/{one}/cmdline").read_bytes()]

    found = wait_until(children, "the process of the job")
    return int(found[0])


def has_tensorflow(process: int) -> bool:
    return "libtensorflow" in Path(f"/proc/{process}/maps").read_text()


def is_gone(process: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


# Runs as pages see them


def test_the_run_of_a_command_is_listed_with_what_it_measured(here: StudioProcess, place: Path) -> None:
    listed = {run["name"]: run for run in here.get("/api/runs")["runs"]}["first"]
    metrics = json.loads((place / "exported_models/first/metrics.json").read_text())
    estimate = metrics["estimate"]
    assert (listed["state"], listed["bundle"], listed["labels"]) == ("finished", True, list(CLASSES))
    assert [listed[key] for key in ("accuracy", "low", "high")] == [estimate[k] for k in ("accuracy", "low", "high")]
    assert listed["sentences"] == estimate["sentences"]
    assert (listed["photos"], listed["hands"], listed["of_this_dataset"]) == (48, 48, True)
    assert listed["changed"] == {"split": "80,10,10", "epochs": 3}
    one = here.get("/api/runs/one", run="first")
    assert one["confusion"]["counts"] == metrics["test"]["confusion"]["counts"]
    rows = (place / "exported_models/first/history.csv").read_text().splitlines()
    assert [f"{epoch['loss']}" for epoch in one["history"]] == [row.split(",")[1] for row in rows[1:]]
    assert one["diagnosis"] is None


def test_files_come_as_they_are_under_a_name_of_their_own(here: StudioProcess, place: Path) -> None:
    for what, (path, called, kind) in FILES.items():
        answer = here.session.get(f"{here.origin}/api/runs/file", params={"run": "first", "what": what}, timeout=60)
        if what == "report":
            assert "make it first" in answer.json()["error"]
            continue
        assert answer.content == (place / "exported_models/first" / path).read_bytes()
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{called.format(run='first')}"
    for what in ("run.json", "../first/run.json", "embeddings", ""):
        assert "nothing called" in here.get("/api/runs/file", 400, run="first", what=what)["error"]


PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "first", "exported_models", DELETED, "elsewhere", "\0", "%2e%2e", " ", "~"]
)


@given(st.one_of(st.lists(PIECES, max_size=6).map("".join), st.text(max_size=20)))
def test_no_name_leads_out_of_the_folder_of_runs(workspace_of_runs: Runs, name: str) -> None:
    if name == "first":
        return
    for ask in (workspace_of_runs.one, workspace_of_runs.delete, lambda run: workspace_of_runs.file(run, "task")):
        with pytest.raises(Exception, match="There is no run") as refused:
            ask(name)
        assert type(refused.value).__name__ == "RunError"
    with pytest.raises(Exception, match="brought back already"):
        workspace_of_runs.undo(name)


@pytest.fixture(scope="module")
def workspace_of_runs(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The runs of a folder beside which there is another that looks like a run."""
    folder = working_folder(trained, tmp_path_factory.mktemp("runs") / "place")
    shutil.copytree(folder / "exported_models/first", folder / "elsewhere")
    return Runs(Studio(folder / "datasets/small", folder / "exported_models"))


def test_paths_are_refused_over_the_wire_too(here: StudioProcess, place: Path) -> None:
    shutil.copytree(place / "exported_models/first", place / "elsewhere", dirs_exist_ok=True)
    for name in ("../elsewhere", str(place / "elsewhere"), "first/../../elsewhere", ""):
        for path in ("/api/runs/one", "/api/runs/file"):
            assert "There is no run" in here.get(path, 400, run=name, what="task")["error"]
        for path in ("delete", "report", "export", "diagnose"):
            assert "There is no run" in here.post(f"/api/runs/{path}", {"run": name}, 400)["error"]
        assert "There is no run" in here.post("/api/train/resume", {"run": name}, 400)["error"]
    assert (place / "elsewhere/run.json").is_file()


def test_a_removed_run_comes_back(workspace: Path) -> None:
    runs = Runs(Studio(workspace / "datasets/small", workspace / "exported_models"))
    before = sorted(path.name for path in (workspace / "exported_models/first").iterdir())
    undo = runs.delete("first")
    assert runs.all() == []
    shutil.copytree(workspace / "exported_models" / DELETED / undo, workspace / "exported_models/first")
    assert runs.undo(undo) == "first-2"  # nothing is put in the place of what is there
    assert sorted(path.name for path in (workspace / "exported_models/first-2").iterdir()) == before
    assert [run["name"] for run in runs.all()] == ["first-2", "first"]
    with pytest.raises(Exception, match="brought back already"):
        runs.undo(undo)


def test_pages_are_told_when_a_command_removes_or_damages_a_run(here: StudioProcess, place: Path) -> None:
    def names(told: Job) -> set[str]:
        return {run["name"] for run in told["runs"]}

    shutil.copytree(place / "exported_models/first", place / "exported_models/copied")
    assert here.event("runs", lambda told: "copied" in names(told))
    write(place / "exported_models/copied/run.json", "{")
    assert here.event("runs", lambda told: names(told) and "copied" not in names(told))
    assert "damaged" in here.get("/api/runs/one", 400, run="copied")["error"]
    shutil.rmtree(place / "exported_models/copied")


# What there is to train on


def ready(folder: Path) -> Readiness:
    return Readiness(folder, Answers(folder))


def test_what_is_missing_is_said_in_sentences(tmp_path: Path, drawn: Path) -> None:
    data = tmp_path / "data"
    look = ready(data)
    assert look.now().problems == (NO_PHOTOS,)
    data.mkdir()
    assert look.now().problems == (NO_PHOTOS,)
    shutil.copytree(drawn / "none", data / "none")
    assert look.now().problems == (NO_GESTURE,)
    (data / "victory").mkdir()
    assert look.now().problems == ('The class "victory" is empty: add photos to it, or remove its folder.',)
    shutil.copytree(drawn / "victory", data / "victory", dirs_exist_ok=True)
    now = look.now()
    assert now.problems == ()
    assert [one["pending"] for one in now.classes] == [12, 12]  # nobody looked yet

    for path in drawn.glob("*landmarks.parquet*"):
        shutil.copy(path, data)
    assert look.now().classes == tuple(
        {"label": label, "photos": 12, "usable": 12, "unusable": 0, "pending": 0} for label in ("none", "victory")
    )
    shutil.rmtree(data / "none")
    now = look.now()
    assert now.problems == ()  # the studio makes its folder
    assert any('"none" is empty' in sentence for sentence in now.hints)


def test_names_of_runs(tmp_path: Path) -> None:
    (tmp_path / "runs/mine").mkdir(parents=True)
    assert default_name(Studio(tmp_path / "mine", tmp_path / "runs")) == "mine-2"
    assert default_name(Studio(tmp_path / ".mine", tmp_path / "runs")) == "gestures"


# Settings


def test_the_options_are_those_of_the_command_in_its_words() -> None:
    from gesture_maker.cli import app

    help_of = {}
    import typer

    command = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    for parameter in command.params:
        help_of[parameter.name] = (parameter.help, parameter.rich_help_panel or "")
    assert {option.name: (option.help, option.group) for option in OPTIONS} == {
        option.name: help_of[option.name] for option in OPTIONS
    }
    left_out = {"dataset", "test", "group_by", "config", "resume", "export", "track", "assets"}
    assert set(help_of) - {option.name for option in OPTIONS} - {"help"} == left_out
    assert set(SETTINGS) <= {option.name for option in OPTIONS}
    assert CliRunner().invoke(app, ["train", "--help"]).exit_code == 0


NUMBERS = st.floats(0.001, 1000).map(lambda value: float(f"{value:g}"))
VALUES = {
    "text": st.from_regex(r"[a-z0-9_]{1,9}", fullmatch=True),
    "choice": st.nothing(),
    "whole number": st.integers(-5, 10**9),
    "number": NUMBERS,
    "yes or no": st.booleans(),
    "whole numbers": st.lists(st.integers(1, 999), min_size=1, max_size=3),
    "weights": st.dictionaries(st.from_regex(r"[a-z=]{1,5}x", fullmatch=True), NUMBERS, min_size=1, max_size=3),
}
SOME = st.fixed_dictionaries({}, optional={one.name: VALUES[one.kind] for one in OPTIONS if one.kind != "choice"})


@given(SOME)
def test_what_is_typed_is_what_is_meant(values: dict[str, Any]) -> None:
    assert values_of({name: f" {text_of(value)} " for name, value in values.items()}) == values


@pytest.mark.parametrize(
    "option", [one for one in OPTIONS if one.kind not in ("text", "choice")], ids=lambda one: one.name
)
def test_nonsense_is_refused_in_a_sentence(option: Any) -> None:
    with pytest.raises(ConfigError, match=option.name):
        TrainConfig.from_file_and_flags(None, values_of({option.name: "so and so"}))


def test_settings_that_cannot_be_are_refused_before_anything_is_begun(here: StudioProcess) -> None:
    for settings, sentence in (
        ({"epochs": "0"}, "epochs is 0, but has to be"),
        ({"recipe": "best"}, "There is no recipe"),
        ({"embedder": "best"}, "There is no embedder"),
        ({"seed": "-1"}, "seed is -1"),
        ({"split": "50,50"}, "three whole numbers"),
        ({"name": "first"}, "already a run"),
        ({"name": "../first"}, "no folder name"),
        ({"colour": "red"}, "There is no option"),
    ):
        assert sentence in here.post("/api/train/start", {"settings": settings}, 400)["error"]
    assert "understand" in here.post("/api/train/start", {"settings": {"epochs": 3}}, 422)["error"]


def test_googles_embedder_is_offered_where_its_files_are(workspace: Path, tmp_path: Path) -> None:
    empty = tmp_path / "none"
    empty.mkdir()
    with studio(workspace, "--assets", str(empty), XDG_CACHE_HOME=str(tmp_path / "cache")) as running:
        google = running.get("/api/train/settings")["google"]
        assert "gesture_embedder.tflite is not on this machine" in google
        refused = running.post("/api/train/start", {"settings": {"embedder": "mediapipe"}}, 400)
        assert refused["error"] == google
        defaults = {one["name"]: one["defaults"] for one in running.get("/api/train/settings")["options"]}
        assert defaults["learning_rate"] == {"auto": "0.02", "stock": "0.001"}
        assert defaults["split"] == {"auto": "100,0,0", "stock": "80,10,10"}
        assert defaults["name"]["auto"] == "small"


# A training


def test_a_training_is_told_step_by_step(told: list[Job], here: StudioProcess) -> None:
    last = told[-1]
    assert last["stages"] == ["landmarks", "cross-validation", "training", "export", "diagnosis"]
    # A page is told the newest, so of steps that follow each other at once some are passed over.
    done = [job["done"] for job in told if job["stages"][-1:] == ["training"] and job["total"] == 3]
    assert done == sorted(done)
    assert set(done) <= {0, 1, 2, 3}
    validating = [job["epochs"] for job in told if job["epochs"] and job["epochs"][-1]["stage"] == "cross-validation"]
    assert 1 <= max(len(epochs) for epochs in validating) <= 3  # each of the five begins anew
    run = here.get("/api/runs/one", run=last["run"])
    values = [{key: epoch[key] for key in ("epoch", "loss", "accuracy")} for epoch in last["epochs"]]
    assert values == [{key: epoch[key] for key in ("epoch", "loss", "accuracy")} for epoch in run["history"]]
    assert (last["trained"], last["resumable"], last["sentence"]) == (True, False, "")
    assert run["name"] == "small"  # as the dataset
    assert run["bundle"] is True
    assert run["changed"] == {
        "mirror": False,
        "augment": False,
        "background": False,
        **{name: run["settings"][name] for name in ("epochs", "batch_size", "learning_rate")},
    }


def test_the_doubtful_photos_are_found(told: list[Job], here: StudioProcess) -> None:
    run = here.get("/api/runs/one", run=told[-1]["run"])
    suspects = {one["file"]: one for one in run["diagnosis"]["suspects"]}
    assert suspects["victory/victory_000099.jpg"]["answer"] == "open_palm"
    assert run["confusion"]["of"] == "cross_validation"
    assert sum(map(sum, run["confusion"]["counts"])) == run["hands"] == 49
    assert run["diagnosis"]["advice"]


def test_the_report_of_a_run_without_test_part_says_what_it_is_about(told: list[Job], here: StudioProcess) -> None:
    name = told[-1]["run"]
    here.post("/api/runs/report", {"run": name})
    until(here, lambda job: job["kind"] == "report" and job["state"] == "finished")
    asked = {"run": name, "what": "report"}
    page = here.session.get(f"{here.origin}/api/runs/file", params=asked, timeout=60)
    assert page.headers["content-disposition"].startswith("attachment")
    assert "The run was trained on 49 of these 49 photos: the accuracy flatters." in page.text
    assert "report" in here.get("/api/runs/one", run=name)["files"]
    os.utime(here.folder / "exported_models" / name / "gesture_recognizer.task")  # exported anew
    assert "report" not in here.get("/api/runs/one", run=name)["files"]


def test_the_server_answers_meanwhile_without_tensorflow(here: StudioProcess, told: list[Job]) -> None:
    assert told
    job = here.post("/api/train/start", {"settings": {**LONG, "name": "long"}})["job"]
    child = child_of(here.process.pid)
    until(here, lambda job: job["run"] == "long" and job["epochs"])
    for path in ("/api/about", "/api/runs", "/api/train/ready", "/api/train/settings", "/static/train.js"):
        assert here.session.get(here.origin + path, timeout=60).status_code == 200
    assert has_tensorflow(child)
    assert not has_tensorflow(here.process.pid)
    assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, here.process.pid) + 10

    refused = here.post("/api/train/start", {"settings": FAST}, 400)["error"]
    assert refused == 'The training of "long" is under way: wait for its end, or cancel it.'
    for path in ("/api/train/resume", "/api/runs/delete"):
        here.post(path, {"run": "long"}, 400)
    now = here.get("/api/train/job")["job"]
    assert (now["number"], now["state"]) == (job["number"], "running")  # it was running all the while

    assert here.post("/api/train/cancel")["job"]["state"] in ("cancelling", "cancelled")
    ended = until(here, lambda job: job["state"] == "cancelled")
    assert (ended["run"], ended["resumable"], ended["trained"]) == ("long", True, False)
    folder = here.folder / "exported_models/long"
    assert not Run.load(folder).finished
    assert (folder / "checkpoints/checkpoint.npz").is_file()
    here.post("/api/train/cancel", status=400)

    listed = {run["name"]: run for run in here.get("/api/runs")["runs"]}["long"]
    assert (listed["state"], listed["bundle"], listed["accuracy"]) == ("unfinished", False, None)
    here.post("/api/runs/report", {"run": "long"}, 400)
    here.post("/api/train/resume", {"run": "long"})
    done = until(here, lambda job: job["kind"] == "resume" and job["state"] == "finished")
    assert done["epochs"][0]["epoch"] > len(ended["epochs"])  # it went on
    run = here.get("/api/runs/one", run="long")
    assert [epoch["epoch"] for epoch in run["history"]] == list(range(1, 61))
    assert (run["state"], run["bundle"]) == ("finished", True)
    here.post("/api/train/resume", {"run": "long"}, 400)


def test_a_process_that_is_killed_is_a_failure_with_a_sentence(here: StudioProcess, told: list[Job]) -> None:
    assert told
    here.post("/api/train/start", {"settings": {**LONG, "name": "killed"}})
    until(here, lambda job: job["run"] == "killed" and job["epochs"])
    os.kill(child_of(here.process.pid), signal.SIGKILL)
    failed = here.event("job", lambda job: job["run"] == "killed" and job["state"] in ENDED)
    assert failed["state"] == "failed"
    assert re.match(r"The work was ended from outside \(SIGKILL", failed["sentence"])
    assert failed["resumable"] is True
    undo = here.post("/api/runs/delete", {"run": "killed"})["undo"]  # nothing holds on to it
    assert here.post("/api/runs/undo", {"undo": undo}) == {"run": "killed"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_when_the_studio_ends_so_does_the_training(trained: Trained, tmp_path: Path, how: signal.Signals) -> None:
    folder = working_folder(trained, tmp_path / "place")
    with studio(folder) as running:
        running.post("/api/train/start", {"settings": {**LONG, "name": "left"}})
        until(running, lambda job: job["epochs"])
        child = child_of(running.process.pid)
        assert running.stop(how) == (0 if how == signal.SIGINT else -signal.SIGKILL)
        wait_until(lambda: is_gone(child), "the end of the training")
        assert "Traceback" not in running.said
    run = Run.load(folder / "exported_models/left")
    assert not run.finished
    assert (run.path / "checkpoints/checkpoint.npz").is_file()


def test_what_training_refuses_is_told_in_its_words(trained: Trained, tmp_path: Path) -> None:
    folder = working_folder(trained, tmp_path / "place")
    shutil.rmtree(folder / "datasets/small/none")
    (folder / "datasets/small/blank").mkdir()
    Image.new("RGB", (64, 64)).save(folder / "datasets/small/blank/blank.png")
    with studio(folder) as running:
        refused = running.post("/api/train/start", {"settings": {"recipe": "stock"}}, 400)["error"]
        assert 'The class "none"' in refused
        assert (folder / "datasets/small/none").is_dir()  # made by the studio, which shows it always
        running.post("/api/train/start", {"settings": {"mirror": "no"}})
        failed = running.event("job", lambda job: job["state"] in ENDED)
        assert failed["state"] == "failed"
        assert failed["sentence"].startswith('No hand was found in any of the 1 photos of the class "blank"')
        assert failed["resumable"] is False
        assert [run["name"] for run in running.get("/api/runs")["runs"]] == ["first"]
        running.stop()
        assert running.said == ""  # what was told on the page is not told again in the terminal
