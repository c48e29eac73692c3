"""The registry: which version is in staging, in production or archived, in a real store."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Cli
from helpers import one_sentence_error
from hypothesis import given, settings
from hypothesis import strategies as st
from trackings import new_store

from gesture_maker.errors import ConfigError, TrackingError
from gesture_maker.tracking.recording import ensure_registered
from gesture_maker.tracking.registry import (
    Version,
    archive,
    list_versions,
    promote,
    put_forward,
    registry_name,
)
from gesture_maker.tracking.store import opened


def registered(uri: str, name: str, pipelines: int = 2) -> None:
    """Register pairs of a classifier and a pipeline, as comparisons do."""
    with opened(uri) as store:
        ensure_registered(store.client, name)
        for number in range(pipelines):
            for what in ("classifier", "pipeline"):
                tags = {"what": what, "kind": "mlp", "accuracy": f"0.9{number}"}
                made = store.client.create_model_version(name, "file:///nowhere", tags=tags, description=f"The {what}.")
            put_forward(store.client, name, str(made.version))


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A store with the model `digits`, of which 2 and 4 are pipelines, and 4 is in staging."""
    uri = new_store(tmp_path)
    registered(uri, "digits")
    return uri


def aliases(uri: str, name: str = "digits") -> dict[str, int]:
    return {alias: one.number for one in list_versions(name, uri) for alias in one.aliases}


def retired(uri: str, name: str = "digits") -> set[int]:
    return {one.number for one in list_versions(name, uri) if one.archived}


def test_the_newest_pipeline_waits_in_staging(uri: str) -> None:
    assert [(one.number, one.what, one.accuracy) for one in list_versions("digits", uri)] == [
        (4, "pipeline", 0.91),
        (3, "classifier", 0.91),
        (2, "pipeline", 0.90),
        (1, "classifier", 0.90),
    ]
    assert aliases(uri) == {"staging": 4}


def test_what_is_promoted_takes_the_place_of_what_was_there(uri: str) -> None:
    first = promote("digits", 2, uri=uri)
    assert (first.version.number, first.retired, first.already) == (2, None, False)
    second = promote("digits", uri=uri)  # that in staging
    assert (second.version.number, second.retired) == (4, 2)
    assert aliases(uri) == {"production": 4, "archived": 2}
    assert retired(uri) == {2}


def test_going_back_to_an_archived_version(uri: str) -> None:
    promote("digits", 2, uri=uri)
    promote("digits", 4, uri=uri)
    back = promote("digits", 2, uri=uri)
    assert back.retired == 4
    assert aliases(uri) == {"production": 2, "archived": 4}
    assert retired(uri) == {4}


def test_promoting_what_is_there_changes_nothing(uri: str) -> None:
    promote("digits", 4, uri=uri)
    again = promote("digits", 4, uri=uri)
    assert (again.already, again.retired) == (True, None)
    assert aliases(uri) == {"production": 4}
    assert retired(uri) == set()


def test_staging_is_for_the_newest_pipeline_or_the_one_that_is_named(uri: str) -> None:
    assert promote("digits", 1, "staging", uri).version.number == 1
    assert aliases(uri) == {"staging": 1}
    assert promote("digits", to="staging", uri=uri).version.number == 4
    assert retired(uri) == set()  # what was in staging was never in use


def test_archiving_takes_the_aliases_away(uri: str) -> None:
    assert archive("digits", 4, uri).aliases == ("archived",)
    assert aliases(uri) == {"archived": 4}
    archive("digits", 1, uri)
    assert aliases(uri) == {"archived": 1}
    assert retired(uri) == {1, 4}


def test_production_is_archived_by_force_only(uri: str) -> None:
    promote("digits", 4, uri=uri)
    with pytest.raises(TrackingError, match=r"in production.*--force"):
        archive("digits", 4, uri)
    assert aliases(uri) == {"production": 4}
    archive("digits", 4, uri, force=True)
    assert aliases(uri) == {"archived": 4}


def test_what_there_is_not_is_said_with_what_there_is(uri: str, tmp_path: Path) -> None:
    registered(uri, "it's")
    for call, sentence in (
        (lambda: promote("digit", uri=uri), 'No model "digit".*use digits, it\'s'),
        (lambda: list_versions("digit", uri), 'No model "digit"'),
        (lambda: promote("digits", 9, uri=uri), "no version 9: there are 1, 2, 3, 4"),
        (lambda: archive("digits", 0, uri), "no version 0: there are 1, 2, 3, 4"),
        (lambda: list_versions(uri=f"sqlite:///{tmp_path}/none.db"), "There is no MLflow store .*none.db"),
    ):
        with pytest.raises(TrackingError, match=sentence):
            call()
    with pytest.raises(ConfigError, match="production or staging"):
        promote("digits", 4, "archived", uri)
    promote("digits", uri=uri)
    with pytest.raises(TrackingError, match=r"no version in staging.*1, 2, 3, 4"):
        promote("digits", uri=uri)
    assert [one.number for one in list_versions("it's", uri)] == [4, 3, 2, 1]


def test_names_that_mlflow_does_not_take() -> None:
    assert registry_name("a/b:c") == "a-b-c"
    assert registry_name("/") != ""


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return new_store(tmp_path_factory.mktemp("any order"))


@settings(max_examples=6)
@given(
    st.lists(
        st.tuples(st.sampled_from(["production", "staging", "archive"]), st.integers(1, 4)), min_size=1, max_size=8
    ),
    st.uuids(),
)
def test_in_whatever_order(one_store: str, steps: list[tuple[str, int]], name: object) -> None:
    """A version has one alias at most, and what was last in production is archived once something else is."""
    model, production, was = str(name), 0, set[int]()
    registered(one_store, model)
    for to, number in steps:
        if to == "archive":
            archive(model, number, one_store, force=True)
            was.add(number)
            production = 0 if production == number else production
        else:
            promote(model, number, to, one_store)
            was.discard(number)
            if to == "production":
                was |= {production} - {0, number}
                production = number
            elif production == number:
                production = 0
        versions: list[Version] = list_versions(model, one_store)
        assert all(len(one.aliases) <= 1 for one in versions)
        assert {one.number for one in versions if one.archived} == was
        assert [one.number for one in versions if "production" in one.aliases] == ([production] if production else [])
        assert not any(one.archived and {"production", "staging"} & set(one.aliases) for one in versions)


def test_the_commands(uri: str, tmp_path: Path, cli: Cli) -> None:
    listed = cli("registry", "list", cwd=tmp_path)
    assert listed.returncode == 0
    for word in ("digits", "pipeline", "classifier", "mlp", "91.0%", "staging"):
        assert word in listed.stdout
    promoted = cli("registry", "promote", "digits", "2", "--store", uri, cwd=tmp_path)
    assert promoted.stdout.startswith("digits version 2 is now in production")
    promoted = cli("registry", "promote", "digits", cwd=tmp_path)
    assert "Archived: version 2" in promoted.stdout
    assert "in production" in one_sentence_error(cli("registry", "archive", "digits", "4", cwd=tmp_path))
    assert cli("registry", "archive", "digits", "4", "--force", cwd=tmp_path).returncode == 0
    assert aliases(uri) == {"archived": 4}
    assert "use digits" in one_sentence_error(cli("registry", "list", "digit", cwd=tmp_path))
    empty = cli("registry", "list", "--store", new_store(tmp_path / "empty"), cwd=tmp_path)
    assert "Nothing is registered" in empty.stdout
