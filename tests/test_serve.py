"""`gesture-maker serve`: a real server on loopback, asked in every form that MLflow reads, and by those who mean no good."""

from __future__ import annotations

import base64
import io
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli, Trained
from hands import answering, drawn, hands, make_bundle, silent_bundle
from helpers import one_sentence_error, write
from hypothesis import HealthCheck, given, settings
from PIL import Image
from servers import PATIENCE, Server, serving

from gesture_maker.errors import BundleError, TrackingError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import Hand, embedder_inputs
from gesture_maker.recognition.class_scores import ClassScores
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.recognition.remote import record_of
from gesture_maker.tracking.gate import LONGEST_SENTENCE, MOST_BYTES
from gesture_maker.tracking.models import data_of, load_model, write_model
from gesture_maker.tracking.pyfunc import GestureModel

HANDS = [drawn(label, person)[1] for label in ("open_palm", "thumbs_up", "victory") for person in range(2)]


@pytest.fixture(scope="module")
def server(trained: Trained) -> Iterator[Server]:
    """A server of the trained run."""
    with serving("first", cwd=trained.folder) as one:
        yield one


@pytest.fixture(scope="module")
def scores(trained: Trained) -> Iterator[ClassScores]:
    """The bundle's own answers to landmarks."""
    found = ClassScores(trained.export.bundle)
    yield found
    found.close()


def row_of(hand: Hand) -> list[float]:
    row: list[float] = embedder_inputs([hand]).rows()[0].tolist()
    return row


def columns_of(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [record[name] for record in records] for name in records[0]}


def image_of(pixels: Pixels, kind: str = "PNG", **options: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def check_answers(answers: list[dict[str, Any]], asked: list[Hand], scores: ClassScores, within: float = 1e-6) -> None:
    """Check that these are the bundle's answers to these hands."""
    assert len(answers) == len(asked)
    for answer, expected in zip(answers, scores.of(asked), strict=True):
        assert answer["scores"] == pytest.approx(expected, abs=within)
        winner = max(expected, key=expected.__getitem__)
        assert answer["score"] == pytest.approx(expected[winner], abs=within)
        assert answer["gesture"] == (winner if expected[winner] >= 0.5 else "none")


# What it answers


def test_what_it_says_of_itself(server: Server) -> None:
    assert server.said[0] == "Serving exported_models/first: none, open_palm, thumbs_up, victory"
    for path, text in (("ping", "\n"), ("health", "\n")):
        found = server.session.get(f"{server.address}/{path}", timeout=PATIENCE)
        assert (found.status_code, found.text) == (200, text)
    assert re.match(r"3\.\d+", server.session.get(f"{server.address}/version", timeout=PATIENCE).text)
    assert server.session.get(f"{server.address}/nowhere", timeout=PATIENCE).status_code == 404


def test_its_examples_work_as_they_are_printed(server: Server, tmp_path: Path) -> None:
    commands = [line.strip() for line in server.said if "| curl" in line or line.strip().startswith("curl")]
    assert len(commands) == 2
    Image.fromarray(drawn("open_palm")[0]).save(tmp_path / "photo.jpg", quality=95)
    import shutil
    import subprocess

    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    told = [
        subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in commands
    ]
    (photo,), (hand,) = (json.loads(one)["predictions"] for one in told)
    assert len(photo["hands"]) == 1
    assert set(hand) == {"gesture", "score", "scores"}


RECORDS = [record_of(hand) for hand in HANDS]
ROWS = [row_of(hand) for hand in HANDS]
FORMS: dict[str, Any] = {
    "instances": {"instances": RECORDS},
    "records": {"dataframe_records": RECORDS},
    "split": {"dataframe_split": {"columns": list(RECORDS[0]), "data": [list(one.values()) for one in RECORDS]}},
    "inputs by column": {"inputs": columns_of(RECORDS)},
    "inputs by record": {"inputs": RECORDS},
    "instances of rows": {"instances": [{"row": row} for row in ROWS]},
    "bare rows as instances": {"instances": ROWS},
    "bare rows as inputs": {"inputs": ROWS},
    "bare rows as split": {"dataframe_split": {"data": ROWS}},
    "rows as records": {"dataframe_records": [{"row": row, "label": "x"} for row in ROWS]},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_landmarks(form: str, server: Server, scores: ClassScores) -> None:
    check_answers(server.answers(FORMS[form]), HANDS, scores)


def test_one_record_and_none(server: Server, scores: ClassScores) -> None:
    check_answers(server.answers({"instances": RECORDS[:1]}), HANDS[:1], scores)
    assert server.answers({"inputs": []}) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hands)
def test_any_hand_has_the_bundle_s_answer(server: Server, scores: ClassScores, hand: Hand) -> None:
    check_answers(server.answers({"instances": [record_of(hand)]}), [hand], scores, 1e-5)


def test_csv_of_landmarks_and_of_pixels(server: Server, scores: ClassScores, tmp_path: Path) -> None:
    import pandas as pd

    from gesture_maker.landmarks.csv_table import landmark_csv_tables
    from gesture_maker.landmarks.rows import answers_of

    check_answers(server.answers(pd.DataFrame(RECORDS).to_csv(index=False), "text/csv"), HANDS, scores)
    pixels = [hand.landmarks * (hand.width, hand.height, 1) for hand in HANDS]
    names = [f"{axis}{point}" for point in range(1, 22) for axis in "xyz"]
    table = pd.DataFrame([one.reshape(-1) for one in pixels], columns=names).assign(label="four")
    table.to_csv(tmp_path / "hands.csv", index=False)
    (found,) = landmark_csv_tables(tmp_path / "hands.csv")
    expected = [answer for answer in answers_of(found) if isinstance(answer, Hand)]
    check_answers(server.answers((tmp_path / "hands.csv").read_text(), "text/csv"), expected, scores, 1e-5)


def test_photos(server: Server, trained: Trained, scores: ClassScores) -> None:
    pixels, _ = drawn("victory", 1)
    with Recognizer(trained.export.bundle, num_hands=2) as recognizer:
        expected = recognizer.recognize(pixels)
    assert len(expected.hands) == 1
    for body in (
        {"instances": [{"image": image_of(pixels)}]},
        {"dataframe_records": [{"image": f"data:image/png;base64,{image_of(pixels)}"}]},
        {"inputs": [{"image": image_of(pixels)}]},
    ):
        (answer,) = server.answers(body)
        for told, one in zip(answer["hands"], expected.hands, strict=True):
            assert (told["gesture"], told["classifier"]) == (one.gesture, "custom")
            assert told["score"] == pytest.approx(one.score, abs=1e-6)
            assert np.allclose(told["landmarks"], one.hand.landmarks, atol=1e-6)
            assert np.allclose(told["world_landmarks"], one.hand.world, atol=1e-6)
            assert told["handedness"] == pytest.approx(one.hand.handedness, abs=1e-6)
            assert told["scores"] == pytest.approx(scores.of([one.hand])[0], abs=1e-5)


def test_a_photo_that_lies_on_its_side_and_one_without_a_hand(server: Server) -> None:
    pixels, _ = drawn("open_palm")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = image_of(np.ascontiguousarray(np.rot90(pixels)), "JPEG", exif=exif, quality=95)
    empty = image_of(np.full((240, 320, 3), 90, np.uint8))
    upright, nothing = server.answers({"instances": [{"image": turned}, {"image": empty}]})
    assert (len(upright["hands"]), nothing["hands"]) == (1, [])
    points = np.array(upright["hands"][0]["landmarks"])
    assert points[12, 1] < points[0, 1]  # the middle finger is above the wrist, as in the photo


def test_a_score_below_the_bundle_s_threshold_is_no_gesture(tmp_path: Path) -> None:
    probabilities = [0.1, 0.6, 0.3]
    for threshold, gesture in ((0.55, "yes"), (0.65, "none")):
        task = write(
            tmp_path / f"{threshold}.task",
            make_bundle(answering(probabilities), ["None", "yes", "no"], threshold=threshold),
        )
        write_model(tmp_path / f"model {threshold}", task=task)
        loaded = load_model(tmp_path / f"model {threshold}")
        (answer,) = loaded.predict([{"row": ROWS[0]}])
        assert answer["gesture"] == gesture
        assert answer["score"] == pytest.approx(0.6, abs=1e-6)
        loaded._model_impl.close()


def test_many_clients_at_once_get_their_own_answers(server: Server, scores: ClassScores) -> None:
    body = [{"instances": [record]} for record in RECORDS]
    expected = scores.of(HANDS)
    photo = {"instances": [{"image": image_of(drawn("victory")[0])}]}
    problems: list[BaseException] = []
    ready = threading.Barrier(20)

    def ask(number: int) -> None:
        try:
            ready.wait(PATIENCE)
            for turn in range(10):
                which = (number + turn) % len(HANDS)
                (answer,) = server.answers(body[which])
                assert answer["scores"] == pytest.approx(expected[which], abs=1e-6)
                if number < 3 and turn == 5:
                    assert len(server.answers(photo)[0]["hands"]) == 1
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert problems == []


# What it refuses


def changed(**values: Any) -> dict[str, Any]:
    return {"instances": [RECORDS[0] | values]}


NOT_FINITE = [[0.0, 0.0, float("nan")], *RECORDS[0]["landmarks"][1:]]
PHOTO = image_of(np.zeros((64, 64, 3), np.uint8))
BAD: dict[str, tuple[Any, str]] = {
    "no JSON": ('{"instances": [', r"Invalid input. Ensure that input is a valid JSON"),
    "not UTF-8": (b"\xff\xfe{}", r"Invalid input"),
    "nested too deeply": ('{"instances":' + "[" * 100_000, r"nested too deeply"),
    "a list": ("[1]", r"Received a list"),
    "nothing": ({"instances": [{}]}, r"^The request is empty: give landmarks, world_landmarks, .*image \(base64\)\.$"),
    "nothing known": ({"instances": [{"hand": 1}]}, r"^Record 1 of 1: give landmarks, world_landmarks, .*image \(base64\)\.$"),
    "no form": ({"hands": []}, r"The input must be a JSON dictionary with exactly one of the input fields"),
    "a text": ({"instances": "hand"}, r"no list of records|Each column"),
    "numbers": ({"instances": [1, 2, 3]}, r"^The request is no list of records"),
    "20 points": (
        changed(landmarks=RECORDS[0]["landmarks"][:20]),
        r"^Record 1 of 1: landmarks has to be 21 points of 3 numbers, but has the shape \(20, 3\)\.$",
    ),
    "ragged points": (changed(landmarks=[[1], [1, 2]]), r"inhomogeneous|landmarks has to be 21 points"),
    "words for points": (changed(landmarks="far away"), r"^Record 1 of 1: landmarks has to be 21 points of 3 numbers\.$"),
    "NaN": (json.dumps(changed(landmarks=NOT_FINITE)), r"^Record 1 of 1: landmarks has numbers that are not finite\.$"),
    "1e300": (changed(world_landmarks=[[1e300] * 3] * 21), r"^Record 1 of 1: world_landmarks has numbers beyond 1,000,000\.$"),
    "no handedness": (
        {"dataframe_records": [RECORDS[0], {k: v for k, v in RECORDS[1].items() if k != "handedness"}]},
        r"^Record 2 of 2: handedness is missing\.$",
    ),
    "handedness 2": (changed(handedness=2), r"^Record 1 of 1: handedness is 2, but is the probability"),
    "no width": (changed(width=0), r"^Record 1 of 1: width is 0, but is a number of pixels"),
    "126 numbers": ({"instances": [{"row": ROWS[0][1:]}]}, r"^Record 1 of 1: row has to be 127 numbers, but has the shape \(126,\)\.$"),
    "two kinds": ({"instances": [{"row": ROWS[0], "image": PHOTO}]}, r"^Record 1 of 1: it has row and image, give one of them\.$"),
    "two kinds of records": ({"instances": [{"row": ROWS[0]}, {"image": PHOTO}]}, r"it has row and image, give one of them"),
    "columns of different length": ({"inputs": {"width": [1, 2], "row": [ROWS[0]]}}, r"all of them equally long"),
    "no base64": ({"instances": [{"image": "?"}]}, r"^Record 1 of 1: image is not base64\.$"),
    "a number for an image": ({"instances": [{"image": 1}]}, r"^Record 1 of 1: image has to be a text"),
    "no image": (
        {"instances": [{"image": base64.b64encode(b"words").decode()}]},
        r"^Record 1 of 1: the image cannot be read, not an image\.$",
    ),
    "half an image": (
        {"instances": [{"image": PHOTO[: len(PHOTO) // 2 // 4 * 4]}]},
        r"^Record 1 of 1: the image cannot be read, the image is damaged or cut short\.$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_answered_with_one_sentence(kind: str, server: Server) -> None:
    body, sentence = BAD[kind]
    told = server.refusal(body)
    assert re.search(sentence, told), told
    assert len(told) <= LONGEST_SENTENCE + 1


def test_bad_input_csv(server: Server) -> None:
    assert re.search("Failed to parse input as a Pandas DataFrame", server.refusal('a\n"', "text/csv"))
    assert "give landmarks" in server.refusal("a,b\n1,2\n", "text/csv")
    names = ",".join(f"{axis}{point}" for point in range(1, 22) for axis in "xyz")
    numbers = np.random.default_rng(0).random(63)
    assert "have to be pixels" in server.refusal(f"{names}\n{','.join(map(str, numbers))}\n", "text/csv")
    assert "the palm has no size" in server.refusal(f"{names}\n{','.join(['5'] * 63)}\n", "text/csv")
    assert "z21 is missing" in server.refusal(f"{names[:-4]}\n{','.join(['5'] * 62)}\n", "text/csv")


def test_bad_input_content_types(server: Server) -> None:
    assert "only supports the following content types" in server.refusal("{}", "text/plain", 415)
    request = f"POST /invocations HTTP/1.1\r\nHost: {server.address[7:]}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    assert b"415" in raw(server, request.encode()).splitlines()[0]


def raw(server: Server, request: bytes) -> bytes:
    """Return the answer to the bytes of a request, after which the server hangs up, or the request says that it should."""
    told = b""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.sendall(request)
        while piece := connection.recv(1 << 16):
            told += piece
    return told


def test_bad_input_huge_requests(server: Server, scores: ClassScores) -> None:
    host = server.address.removeprefix("http://")
    head = f"POST /invocations HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    told = raw(server, f"{head}Content-Length: {MOST_BYTES + 1}\r\n\r\n".encode())
    assert told.startswith(b"HTTP/1.1 413")
    assert b"over 16 MB" in told

    def pieces() -> Iterator[bytes]:
        for _ in range((MOST_BYTES >> 20) + 1):
            yield bytes(1 << 20)

    try:
        status = server.session.post(
            f"{server.address}/invocations", data=pieces(), headers={"Content-Type": "text/csv"}, timeout=PATIENCE
        ).status_code
    except OSError:  # it answers before all was sent, and ends the connection
        status = 413
    assert status == 413
    wide = base64.b64encode(huge_png()).decode()
    assert "is over 24 megapixels" in server.refusal({"instances": [{"image": wide}]})
    check_answers(server.answers({"instances": RECORDS}), HANDS, scores)


def huge_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (20000, 6000)).save(buffer, "PNG")
    return buffer.getvalue()


# Its process


def test_ctrl_c_ends_it_without_a_traceback_and_its_port_is_free_again(
    tmp_path: Path, trained: Trained, cli: Cli
) -> None:
    with serving(trained.export.bundle, cwd=tmp_path) as server:
        check = server.answers({"instances": RECORDS[:1]})
        taken = cli("serve", trained.export.bundle, "--port", str(server.port), cwd=tmp_path)
        assert re.fullmatch(
            rf"The server cannot listen at 127.0.0.1, port {server.port} \(Address already in use\): choose another "
            r"--port, or 0 for any free one.",
            one_sentence_error(taken),
        )
        assert server.end() == (130, "The server has ended.\n")
        port = str(server.port)
    assert not list(tmp_path.iterdir())
    with serving(trained.export.bundle, "--port", port, "--workers", "2", "--host", "0.0.0.0", cwd=tmp_path) as again:
        assert again.answers({"instances": RECORDS[:1]}) == check
        status, err = again.end(signal.SIGTERM)
    assert status == 143
    assert err == "Warning: whoever can reach this machine can ask the server, which knows no passwords.\n"


NO_MODEL = {
    "nobody": r"There is no run or comparison nobody, and no MLflow store with registered models",
    "models:/nobody@production": r"There is no MLflow store ",
    "words.task": r"words.task",
    "gone.task": r"There is no file gone.task",
    "empty": r"empty",
    "silent.task": r"silent",
}


@pytest.mark.parametrize("model", NO_MODEL)
def test_bad_input_no_model(model: str, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "words.task", "words")
    (tmp_path / "empty").mkdir()
    whole = silent_bundle()
    write(tmp_path / "silent.task", whole[: len(whole) // 2])
    before = sorted(tmp_path.rglob("*"))
    assert re.search(NO_MODEL[model], one_sentence_error(cli("serve", model, "--port", "0", cwd=tmp_path)))
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_input_an_address_that_is_none(trained: Trained, cli: Cli) -> None:
    done = cli("serve", "first", "--host", "nowhere.invalid", cwd=trained.folder)
    assert "nowhere.invalid is no address to listen at" in one_sentence_error(done)


# Registered models


@pytest.fixture(scope="module")
def registered(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the local store, in which four versions of `digits` are registered, each named in its metadata."""
    from gesture_maker.tracking.registry import archive
    from gesture_maker.tracking.store import local_uri, opened

    folder = tmp_path_factory.mktemp("registered")
    uri = local_uri(folder / "exported_models")
    with opened(uri) as store:
        store.client.create_registered_model("digits")
        for number in range(1, 5):
            write_model(folder / f"models/{number}", task=trained.export.bundle, name=f"version {number}")
            store.client.create_model_version("digits", str(folder / f"models/{number}"))
    archive("digits", 4, uri)
    return folder


def named(folder: Path) -> str:
    """Return what a model folder was called when it was written."""
    import yaml

    return str(yaml.safe_load((folder / "MLmodel").read_text())["metadata"]["name"])


def test_which_version_a_name_stands_for(registered: Path, trained: Trained, tmp_path: Path, cli: Cli) -> None:
    from gesture_maker.tracking.finding import model_folder
    from gesture_maker.tracking.registry import promote
    from gesture_maker.tracking.store import local_uri

    runs = registered / "exported_models"
    uri = local_uri(runs)

    def served(name: str, number: int) -> tuple[str, str]:
        title, folder = model_folder(name, tmp_path / f"{number}", runs=runs)
        assert data_of(folder).read_bytes() == trained.export.bundle.read_bytes()
        return title, named(folder)

    assert served("digits", 1) == ("digits, version 3", "version 3")  # the newest that is not archived
    promote("digits", 2, "staging", uri)
    assert served("digits", 2) == ("digits, version 2 (staging)", "version 2")
    promote("digits", 1, "production", uri)
    for number, name in enumerate(("digits", "models:/digits", "models:/digits@production", "digits@production"), 3):
        assert served(name, number) == ("digits, version 1 (production)", "version 1")
    assert served("digits@staging", 8)[1] == "version 2"
    assert served("digits/4", 9) == served("models:/digits/4", 10) == ("digits, version 4 (archived)", "version 4")
    for name, sentence in (
        ("digits/7", "digits has no version 7"),
        ("digits@tuesday", "digits has no version with the alias tuesday"),
        ("letters", 'No model "letters" is registered in .*: use digits.'),
        ("models:/letters@production", 'No model "letters" is registered in '),
        ("models:/digits/latest/x", "names no registered model"),
    ):
        assert re.search(sentence, one_sentence_error(cli("serve", name, "--port", "0", cwd=registered)))
    (registered / "models/3").rename(registered / "models/gone")
    done = cli("serve", "digits/3", "--port", "0", "--store", uri, cwd=tmp_path)
    assert "The files of digits, version 3 cannot be fetched, " in one_sentence_error(done)


# Model folders


def test_a_model_folder_holds_no_pickle_and_no_code(trained: Trained, tmp_path: Path) -> None:
    write_model(tmp_path / "model", task=trained.export.bundle, name="first")
    files = {
        path.relative_to(tmp_path / "model").as_posix() for path in (tmp_path / "model").rglob("*") if path.is_file()
    }
    data = f"data/{trained.export.bundle.name}"
    assert files == {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", data}
    assert (tmp_path / "model" / data).read_bytes() == trained.export.bundle.read_bytes()
    assert data_of(tmp_path / "model") == tmp_path / "model" / data
    for name in files - {data}:
        text = (tmp_path / "model" / name).read_text()
        assert "pickle" not in text
        assert "://" not in text  # no host of a registry
        assert str(tmp_path) not in text
    assert "gesture-maker==" in (tmp_path / "model/requirements.txt").read_text()
    with pytest.raises(TrackingError, match="exists already"):
        write_model(tmp_path / "model", task=trained.export.bundle)
    with pytest.raises(BundleError):
        write_model(tmp_path / "other", task=write(tmp_path / "words.task", "words"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "words.task"]


def test_bad_input_a_model_that_brings_its_own_code_is_not_loaded(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    """MLflow would import whatever module a model names, and unpickle what it holds."""
    write_model(tmp_path / "model", task=trained.export.bundle)
    file = tmp_path / "model/MLmodel"
    whole = file.read_text()
    for before, after, sentence in (
        ("gesture_maker.tracking.pyfunc", "mlflow.pyfunc.model", "is loaded by mlflow.pyfunc.model, which was not run"),
        ("code: null", "code: code", "is loaded by code of its own, which was not run"),
        (f"data: data/{trained.export.bundle.name}", "data: ../elsewhere", "its data is gone"),
        ("flavors", "favours", "is damaged"),
        (whole, "[", "is damaged"),
    ):
        assert before in whole
        file.write_text(whole.replace(before, after))
        assert sentence in one_sentence_error(cli("serve", "model", "--port", "0", cwd=tmp_path))


def test_a_classifier_s_folder_answers_as_its_bundle_does(trained: Trained, tmp_path: Path) -> None:
    from gesture_maker.classifiers.bundling import bundle_classifier
    from gesture_maker.classifiers.classifier import fit
    from gesture_maker.classifiers.storing import save_classifier

    rows = np.concatenate([trained.training.run.hands(part).rows() for part in ("train", "validation", "test")])
    classes = np.concatenate(
        [trained.training.run.embeddings(part).classes for part in ("train", "validation", "test")]
    )
    labels = tuple(trained.training.run.labels)
    classifier = fit("logistic-regression", "builtin", {"C": 1.0, "max_iter": 500}, labels, rows, classes)
    save_classifier(classifier, tmp_path / "saved")
    bundle_classifier(classifier, tmp_path / "classifier.task", rows)
    write_model(tmp_path / "one", classifier=tmp_path / "saved")
    write_model(tmp_path / "other", task=tmp_path / "classifier.task")
    assert not [path for path in (tmp_path / "one").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    models = [load_model(tmp_path / name) for name in ("one", "other")]
    body = [{"row": row} for row in (*ROWS, *rows[:5].tolist())]
    answers: list[list[dict[str, Any]]] = [model.predict(body) for model in models]
    for one, other in zip(*answers, strict=True):
        assert one["gesture"] == other["gesture"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
    only: GestureModel = models[0]._model_impl
    assert (only.takes_images, models[1]._model_impl.takes_images) == (False, True)
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="takes landmarks only"):
        models[0].predict([{"image": PHOTO}])
    for model in models:
        model._model_impl.close()
