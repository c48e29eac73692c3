"""MLflow's own server over a store of ours: what it answers, what its page shows, and recording through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from runtimes import had, script
from trackings import (
    BEGAN,
    CANDIDATES,
    PATIENCE,
    WINNER,
    made_comparison,
    made_tuning,
    mlflow_server,
    new_store,
)

from gesture_maker.classifiers.comparison import Comparison
from gesture_maker.tracking.models import data_of
from gesture_maker.tracking.record import track_comparison, track_tuning
from gesture_maker.tracking.registry import list_versions, promote
from gesture_maker.tracking.store import check_store, opened

NAME = "finger spelling"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def compared(folder: Path) -> Comparison:
    return made_comparison(folder / "exported_models/compared", began=BEGAN + 100)  # so that it is the newest run


@pytest.fixture(scope="module")
def store(folder: Path, compared: Comparison) -> str:
    """A store with a comparison, of which a version is in production, and a search."""
    uri = new_store(folder)
    track_tuning(made_tuning(folder / "exported_models/searched"), uri)
    track_comparison(compared, uri)
    promote(NAME, uri=uri)
    return uri


@pytest.fixture(scope="module")
def server(store: str, folder: Path) -> Iterator[str]:
    with mlflow_server(store, folder / "server") as address:
        yield address


def asked(address: str, path: str, **query: Any) -> Any:
    answer = requests.get(f"{address}/api/2.0/mlflow/{path}", params=query, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()


def searched_runs(address: str) -> list[dict[str, Any]]:
    number = asked(address, "experiments/get-by-name", experiment_name=NAME)["experiment"]["experiment_id"]
    body = {"experiment_ids": [number], "max_results": 1000}
    answer = requests.post(f"{address}/api/2.0/mlflow/runs/search", json=body, timeout=PATIENCE)
    answer.raise_for_status()
    runs: list[dict[str, Any]] = answer.json()["runs"]
    return runs


def test_the_server_has_runs_and_those_in_them(server: str) -> None:
    runs = searched_runs(server)
    tags = {run["info"]["run_id"]: {tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in runs}
    names = {identity: its["mlflow.runName"] for identity, its in tags.items()}
    inside: dict[str, int] = {}
    for its in tags.values():
        parent = names.get(its.get("mlflow.parentRunId", ""), "")
        inside[parent] = inside.get(parent, 0) + 1
    assert inside == {"": 2, "compared": len(CANDIDATES), "searched": 4}


def test_the_server_has_versions_and_aliases(server: str) -> None:
    model = asked(server, "registered-models/get", name=NAME)["registered_model"]
    assert {one["alias"]: one["version"] for one in model["aliases"]} == {"production": "2"}
    versions = asked(server, "model-versions/search", filter=f"name = '{NAME}'")["model_versions"]
    tags = {one["version"]: {tag["key"]: tag["value"] for tag in one["tags"]} for one in versions}
    assert {number: its["what"] for number, its in tags.items()} == {"1": "classifier", "2": "pipeline"}
    assert {its["kind"] for its in tags.values()} == {WINNER}


def test_the_page_shows_runs_versions_and_aliases_and_asks_no_other_host(
    server: str, store: str, tmp_path: Path
) -> None:
    drawing = script("draw_tracking")
    had(script("parity_runtimes").web_ready)
    seen = drawing.draw(store, tmp_path, NAME, server)
    assert seen["missing"] == {"runs": [], "model": []}
    for text in ("compared", "searched", WINNER, "test_accuracy"):
        assert text in seen["texts"]["runs"]
    for text in ("Version 1", "Version 2", "production", "pipeline"):
        assert text in seen["texts"]["model"]
    assert (seen["refused"], seen["errors"]) == ([], [])
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("runs", "model"))


def test_recording_through_a_server(server: str, folder: Path, tmp_path: Path) -> None:
    """Files go to it over HTTP, and come back whole."""
    from mlflow.artifacts import download_artifacts

    other = made_comparison(folder / "exported_models/other", "/data/through a server")
    check_store(server)
    tracked = track_comparison(other, server)
    assert track_comparison(other, server).again is True
    assert tracked.versions == (("through a server", "1"), ("through a server", "2"))
    assert [one.aliases for one in list_versions("through a server", server)] == [("staging",), ()]
    assert promote("through a server", uri=server).version.number == 2
    with opened(server) as remote:
        client = remote.client
        assert len(client.search_runs([remote.experiment("through a server")])) == 1 + len(CANDIDATES)
        place = client.get_model_version_download_uri("through a server", "2")
    model = Path(download_artifacts(place, dst_path=str(tmp_path), tracking_uri=server))
    assert data_of(model).read_bytes() == other.bundle.read_bytes()
