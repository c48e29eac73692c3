"""Try, server side: what a run's bundle answers to a page's frames, photos and films, over real sockets."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Trained
from hands import hand_like
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from studios import PATIENCE, StudioProcess, frame_message, memory_of, studio

from gesture_maker.bundle.task import read_task
from gesture_maker.errors import BundleError
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.hands import Hand, embedder_inputs
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.class_scores import ClassScores
from gesture_maker.recognition.frames import Frame, open_film
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.tracking import FilmRecognizer
from gesture_maker.synthetic.film import draw_film

CLOSE = 1e-5  # what is told is rounded to five figures
FILM_NAME = "gesture-maker-film-*"


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    """The frames of a drawn film of a gesture."""
    return [frame.pixels for frame in draw_film("victory", 1, 0, 0, seconds=1.5)]


@pytest.fixture(scope="module")
def jpegs(pictures: list[Pixels]) -> list[bytes]:
    return [jpeg_of(picture) for picture in pictures]


@pytest.fixture(scope="module")
def film(pictures: list[Pixels], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "victory.mp4"
    with Recorder(path) as recorder:
        for number, picture in enumerate(pictures):
            recorder.add(picture, number / 15)
    return path


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio with the run `first`, and runs of which the bundle is broken, or no bundle at all, or that lacks a part."""
    folder = tmp_path_factory.mktemp("served")
    runs = folder / "exported_models"
    shutil.copytree(trained.folder / "exported_models", runs)
    for name in ("broken", "bare"):
        shutil.copytree(runs / "first", runs / name)
    bundle = runs / "broken/gesture_recognizer.task"
    bundle.write_bytes(bundle.read_bytes()[:-1000])
    (runs / "bare/gesture_recognizer.task").unlink()
    temporary = folder / "temporary"
    temporary.mkdir()
    with studio(folder, TMPDIR=str(temporary)) as running:
        yield running


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Path:
    return trained.export.bundle


def jpeg_of(picture: Pixels, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def sized(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose header says another size."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[start + 4 :]


def answers_of(served: StudioProcess, frames: Sequence[bytes], run: str = "first") -> list[dict[str, Any]]:
    """Send frames, each after the answer to the one before, and return the answers."""
    answers = []
    with served.socket(f"/ws/try?run={run}") as socket:
        assert json.loads(socket.recv(PATIENCE)) == {"ready": True}
        for number, frame in enumerate(frames, 1):
            socket.send(frame_message(number, frame))
            answers.append(json.loads(socket.recv(PATIENCE)))
            assert answers[-1]["n"] == number
    return answers


def check_hands(told: list[dict[str, Any]], wanted: Recognition, bundle: Path) -> None:
    """Check that the page is told what the runtime answers, and of all classes what the bundle's models say."""
    assert [(one["gesture"], one["canned"]) for one in told] == [(one.gesture, one.canned) for one in wanted.hands]
    scores = offline(bundle, [one.hand for one in wanted.hands])
    for one, hand, classes in zip(told, wanted.hands, scores, strict=True):
        assert one["score"] == pytest.approx(hand.score, abs=CLOSE)
        assert one["side"] == ("right" if hand.hand.handedness > 0.5 else "left")
        np.testing.assert_allclose(one["points"], hand.hand.landmarks[:, :2], atol=CLOSE)
        assert one["scores"] == pytest.approx(classes, abs=CLOSE)
        if not one["canned"] and max(classes.values()) > 0.51:  # at or above the threshold: the runtime's own winner
            assert max(one["scores"], key=one["scores"].__getitem__) == one["gesture"]


def offline(bundle: Path, hands: list[Hand]) -> list[dict[str, float]]:
    """Return the scores of all classes as TensorFlow's TFLite computes them."""
    from gesture_maker.training.tflite import TfliteEmbedder, classify

    parts = read_task(bundle)
    assert parts.custom_gesture_classifier is not None
    scores = classify(parts.custom_gesture_classifier, TfliteEmbedder(parts.gesture_embedder)(embedder_inputs(hands)))
    return [dict(zip(("none", "open_palm", "thumbs_up", "victory"), map(float, row), strict=True)) for row in scores]


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def threads_of(process: int) -> int:
    return len([*Path(f"/proc/{process}/task").iterdir()])


# Frames.


def test_frames_are_answered_as_the_runtime_answers_a_film(
    served: StudioProcess, jpegs: list[bytes], bundle: Path
) -> None:
    answers = answers_of(served, jpegs)
    with FilmRecognizer(bundle) as recognizer:
        for number, (answer, jpeg) in enumerate(zip(answers, jpegs, strict=True)):
            check_hands(answer["hands"], recognizer.recognize(Frame(read_image(jpeg), number, number / 15)), bundle)
            assert answer["ms"] > 0
    assert [hand["gesture"] for answer in answers for hand in answer["hands"]].count("victory") > len(jpegs) / 2


def test_of_frames_that_come_too_fast_the_newest_is_answered(served: StudioProcess, jpegs: list[bytes]) -> None:
    sent, answered = 50, []
    with served.socket("/ws/try?run=first") as socket:
        socket.recv(PATIENCE)
        for number in range(1, sent + 1):
            socket.send(frame_message(number, jpegs[number % len(jpegs)]))
        while not answered or answered[-1] != sent:
            answered.append(json.loads(socket.recv(PATIENCE))["n"])
    assert answered == sorted(set(answered))
    assert len(answered) < sent / 2


def test_two_pages_are_answered_at_once(served: StudioProcess, jpegs: list[bytes]) -> None:
    with served.socket("/ws/try?run=first") as one, served.socket("/ws/try?run=first") as other:
        for socket in (one, other):
            socket.recv(PATIENCE)
        for number, jpeg in enumerate(jpegs[:4], 1):
            for socket in (one, other):
                socket.send(frame_message(number, jpeg))
            told = [json.loads(socket.recv(PATIENCE)) for socket in (one, other)]
            assert told[0]["n"] == told[1]["n"] == number
            assert told[0]["hands"] == told[1]["hands"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda _: b"", "The frame: the file is empty."),
        (lambda _: b"no picture", "The frame: not an image."),
        (lambda jpeg: jpeg[: len(jpeg) // 2], "The frame: the image is damaged or cut short."),
        (
            lambda jpeg: sized(jpeg, 30_000, 30_000),
            "The frame: 30000x30000 is over 100 megapixels, make it smaller first.",
        ),
    ],
    ids=["empty", "no image", "cut short", "huge"],
)
def test_what_is_no_picture_is_told_and_the_next_is_answered(
    served: StudioProcess, jpegs: list[bytes], spoil: Callable[[bytes], bytes], sentence: str
) -> None:
    good = jpegs[len(jpegs) // 2]
    bad, answer = answers_of(served, [spoil(good), good])
    assert bad == {"n": 1, "error": sentence}
    assert answer["hands"]


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ("nothing", 'There is no run "nothing"'),
        ("", 'There is no run ""'),
        ("..%2Fexported_models%2Ffirst", 'There is no run "../exported_models/first"'),
        ("%2Fetc", 'There is no run "/etc"'),
        (".", 'There is no run "."'),
        ("first%00", "There is no run"),
        ("bare", 'The run "bare" has no gesture_recognizer.task yet'),
        ("broken", "exported_models/broken/gesture_recognizer.task is cut short or damaged"),
    ],
)
def test_a_run_that_cannot_answer_is_refused_in_a_sentence(served: StudioProcess, run: str, sentence: str) -> None:
    with served.socket(f"/ws/try?run={run}") as socket:
        told = json.loads(socket.recv(PATIENCE))
        assert list(told) == ["error"]
        assert sentence in told["error"]
        with pytest.raises(Exception, match="1000"):
            socket.recv(PATIENCE)
    for what in ("photo", "video"):
        response = served.session.post(f"{served.origin}/api/upload/try/{what}?run={run}", data=b"x", timeout=PATIENCE)
        assert response.status_code == 400
        assert "error" in response.json()


def test_what_a_connection_took_is_freed(served: StudioProcess, jpegs: list[bytes]) -> None:
    process = served.process.pid

    def use() -> None:
        answers_of(served, jpegs)
        served.post("/api/upload/try/photo", jpegs[10], run="first")

    for _ in range(2):
        use()
    eventually(lambda: threads_of(process) < 60)
    threads, memory = threads_of(process), memory_of(process)
    for _ in range(5):
        use()
    eventually(lambda: threads_of(process) <= threads + 2)  # of the pool that blocking requests are answered in
    assert memory_of(process) < 1.1 * memory
    libraries = Path(f"/proc/{process}/maps").read_text()
    assert "mediapipe" in libraries
    assert "tensorflow" not in libraries


# Photos and films.


def test_a_photo_is_answered_as_the_runtime_answers_it(
    served: StudioProcess, pictures: list[Pixels], bundle: Path
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pictures[len(pictures) // 2]).save(buffer, "PNG")
    told = served.post("/api/upload/try/photo", buffer.getvalue(), run="first")
    height, width = pictures[0].shape[:2]
    assert (told["width"], told["height"]) == (width, height)
    with Recognizer(bundle, num_hands=2) as recognizer:
        check_hands(told["hands"], recognizer.recognize(pictures[len(pictures) // 2]), bundle)
    assert told["hands"]


def test_a_photo_without_a_hand_has_none(served: StudioProcess) -> None:
    told = served.post("/api/upload/try/photo", jpeg_of(np.full((90, 120, 3), 128, np.uint8)), run="first")
    assert told == {"width": 120, "height": 90, "hands": []}


def test_a_broken_photo_or_film_is_refused_in_a_sentence(served: StudioProcess, jpegs: list[bytes]) -> None:
    told = served.post("/api/upload/try/photo", jpegs[0][:500], 400, run="first")
    assert told == {"error": "The photo: the image is damaged or cut short."}
    told = served.post("/api/upload/try/video", b"no film", 400, run="first")
    assert told == {"error": "The video is not a video that can be read: convert it to MP4 (H.264) first."}
    assert_no_films_left(served)


def test_a_film_is_answered_frame_by_frame(served: StudioProcess, film: Path, bundle: Path) -> None:
    response = served.session.post(
        f"{served.origin}/api/upload/try/video", params={"run": "first"}, data=film.read_bytes(), timeout=PATIENCE
    )
    about, *frames, last = [json.loads(line) for line in response.text.splitlines()]
    source = open_film(film)
    assert (about["width"], about["height"], last) == (320, 320, {"done": True})
    with FilmRecognizer(bundle) as recognizer:
        for answer in frames:
            frame = source.read()
            assert frame is not None
            assert answer["t"] == pytest.approx(frame.seconds, abs=0.001)
            check_hands(answer["hands"], recognizer.recognize(frame), bundle)
    assert source.read() is None
    source.close()
    assert_no_films_left(served)


def test_a_film_that_breaks_off_is_answered_up_to_there(served: StudioProcess, tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "long.avi"  # an AVI says at its beginning how many frames there are
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (64, 48))
    for _ in range(60):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    content = path.read_bytes()
    response = served.session.post(
        f"{served.origin}/api/upload/try/video?run=first", data=content[: len(content) // 2], timeout=PATIENCE
    )
    *lines, last = [json.loads(line) for line in response.text.splitlines()]
    assert 5 < len(lines) < 59
    assert "breaks off" in last["error"]
    assert last["error"].startswith("The video")


def test_a_film_that_nobody_waits_for_is_given_up(served: StudioProcess, film: Path) -> None:
    for _ in range(10):  # more often than there are seats
        with served.session.post(
            f"{served.origin}/api/upload/try/video?run=first", data=film.read_bytes(), stream=True, timeout=PATIENCE
        ) as response:
            assert response.status_code == 200
            next(response.iter_lines(chunk_size=1))
    assert_no_films_left(served)


def test_an_upload_that_is_broken_off_leaves_nothing(served: StudioProcess) -> None:
    connection = begun(served, "video", 10_000_000)
    connection.send(bytes(5_000_000))
    eventually(lambda: films_left(served) > 0)
    connection.close()
    assert_no_films_left(served)


@pytest.mark.parametrize(("what", "size"), [("video", 2_000_000_001), ("photo", 200_000_001)])
def test_what_is_too_large_is_refused_before_it_comes(served: StudioProcess, what: str, size: int) -> None:
    connection = begun(served, what, size)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "is larger than" in json.loads(answer.read())["error"]
    connection.close()
    assert_no_films_left(served)


def begun(served: StudioProcess, what: str, size: int) -> http.client.HTTPConnection:
    """Return the connection of an upload whose body is still to come."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    connection.putrequest("POST", f"/api/upload/try/{what}?run=first")
    for name, value in {"Cookie": served.cookie, "Origin": served.origin, "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def films_left(served: StudioProcess) -> int:
    return len([*(served.folder / "temporary").glob(FILM_NAME)])


def assert_no_films_left(served: StudioProcess) -> None:
    eventually(lambda: films_left(served) == 0)


# Scores.


@pytest.fixture(scope="module")
def scores(bundle: Path) -> Iterator[ClassScores]:
    opened = ClassScores(bundle)
    yield opened
    opened.close()


@settings(max_examples=30)
@given(worlds=st.lists(hand_like(), max_size=3), right=st.floats(0, 1, width=32))
def test_scores_are_those_of_the_bundles_models(
    scores: ClassScores, bundle: Path, worlds: list[Any], right: float
) -> None:
    hands = [Hand(np.asarray(world, np.float32), np.asarray(world, np.float32), right, 640, 480) for world in worlds]
    for found, wanted in zip(scores.of(hands), offline(bundle, hands) if hands else [], strict=True):
        assert found == pytest.approx(wanted, abs=2e-6)


def test_a_bundle_of_other_models_than_fit_is_refused(bundle: Path) -> None:
    from dataclasses import replace

    from gesture_maker.bundle.task import write_task

    parts = read_task(bundle)
    swapped = replace(parts, custom_gesture_classifier=parts.gesture_embedder)
    with pytest.raises(BundleError):
        ClassScores(write_task(swapped))
