"""Hands found here, gestures asked of a server: what `live --server` does in place of its own classifier.

Each hand's landmarks are posted to the server's `/invocations`, by one thread, so that there is never more than one request under way.
Whoever asks waits for at most the time-out. When there is no answer the server counts as gone: frames pass without waiting, their
hands unanswered, while the thread asks about the newest hands again, at growing intervals, until an answer comes.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from gesture_maker.assets import asset_bytes
from gesture_maker.bundle.task import TaskBundle, write_task
from gesture_maker.dataset.names import NONE
from gesture_maker.embedders.builtin import silent_canned_classifier_bytes, tflite_bytes
from gesture_maker.errors import ConfigError, GestureMakerError
from gesture_maker.landmarks.hands import Hand
from gesture_maker.recognition.answers import UNANSWERED, Recognition
from gesture_maker.synthetic.hand import HandShape, landmarks
from gesture_maker.synthetic.poses import POSES

if TYPE_CHECKING:
    import requests

    from gesture_maker.recognition.frames import Frame

TIMEOUT = 1.0
"""Seconds for an answer; one on the same machine takes 0.005, one on another continent 0.3."""

RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""After so long a server that was gone is asked again; the last for all further times."""

MOST_BYTES = 1 << 20  # of an answer; one to two hands has 500, with a hundred classes 10,000


class ServerError(GestureMakerError):
    """A server that cannot be reached, or answers nonsense."""


@dataclass(frozen=True)
class Outage:
    """A server that is not answering: `since`, on the clock of `time.monotonic`, and why in a few words."""

    since: float
    reason: str

    @property
    def sentence(self) -> str:
        """What to show, with how long it has been."""
        return f"server not answering since {time.monotonic() - self.since:.0f} s: {self.reason}"


@dataclass(frozen=True)
class _Answer:
    gesture: str
    score: float


class _NoAnswerError(Exception):
    """Why there is no answer, in a few words."""


class RemoteClassifier:
    """A scoring server, asked about the hands of one frame after the other. To be closed.

    `url`: its address, with or without `/invocations`; `timeout`: seconds in which it has to connect, and to answer. `labels`: its
    classes. `unanswered`: frames with hands that it did not answer; `outages`: how often it was gone. Raises ConfigError for what is no
    address, ServerError when it does not answer a first question.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        if not 0 < timeout <= 60:
            raise ConfigError(f"server_timeout is {timeout:g}, but has to be more than 0 and at most 60 seconds.")
        self._address, self.name, is_near = _address_of(url)
        self._timeout = timeout
        self.labels: tuple[str, ...] = ()
        self.unanswered = self.outages = 0
        self._changed = threading.Condition()
        self._question: bytes | None = None  # what the thread has to ask next
        self._hands = 0  # in it
        self._asking = self._closed = False
        self._answers: list[_Answer] | None = None
        self._outage: Outage | None = None
        self._session = _session(is_near)
        try:
            self._post(_body([example_hand()]), 1)
        except _NoAnswerError as error:
            self._session.close()
            raise ServerError(
                f"The server {self.name} does not answer ({error}): start it with `gesture-maker serve`, or correct the address."
            ) from None
        self._thread = threading.Thread(target=self._work, name="asking the server", daemon=True)
        self._thread.start()

    @property
    def outage(self) -> Outage | None:
        """What is wrong with the server just now; None when it answers."""
        with self._changed:
            return self._outage

    @property
    def notice(self) -> str:
        """What to show of it: nothing when it answers."""
        return outage.sentence if (outage := self.outage) else ""

    def answered(self, recognition: Recognition, frame: Frame | None = None) -> Recognition:  # noqa: ARG002
        """Return a frame's hands with the server's gestures, or with `UNANSWERED`; the time that it took counts."""
        hands = recognition.hands
        if not hands:
            return recognition
        begin = time.perf_counter()
        answers = self._ask([one.found for one in hands])
        if answers is None:
            self.unanswered += 1
            answers = [_Answer(UNANSWERED, 0.0)] * len(hands)
        told = tuple(
            replace(one, gesture=answer.gesture, score=answer.score, canned=False)
            for one, answer in zip(hands, answers, strict=True)
        )
        return Recognition(told, recognition.seconds + time.perf_counter() - begin)

    def close(self) -> None:
        """Ask no more. A request that is under way ends by itself."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(self._timeout)
        self._session.close()

    def __enter__(self) -> RemoteClassifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, hands: Sequence[Hand]) -> list[_Answer] | None:
        """Wait for the answers to these hands, or return None: at once when the server is gone."""
        body = _body(hands)
        with self._changed:
            self._question, self._hands = body, len(hands)  # the newest: also what a server that was gone is asked next
            if self._outage is not None:
                return None
            self._answers = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answers is not None or self._outage is not None, self._timeout)
            answers, self._answers = self._answers, None
            if answers is None and self._outage is None:
                self._gone(f"no answer within {self._timeout:g} s")
            return answers

    def _gone(self, reason: str) -> None:
        """Begin an outage, or tell a newer reason of it. The lock is held."""
        if self._outage is None:
            self.outages += 1
            self._outage = Outage(time.monotonic(), reason)
        else:
            self._outage = replace(self._outage, reason=reason)
        self._changed.notify_all()

    def _work(self) -> None:
        """Ask what is to be asked, and a server that is gone again and again."""
        failures = 0
        while True:
            with self._changed:
                if failures:
                    pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
                    self._changed.wait_for(lambda: self._closed, pause)
                self._changed.wait_for(lambda: self._closed or self._question is not None)
                if self._closed:
                    return
                body, hands, self._question = self._question, self._hands, None
            assert body is not None
            try:
                answers = self._post(body, hands)
            except _NoAnswerError as error:
                failures += 1
                with self._changed:
                    self._gone(str(error))
            else:
                failures = 0
                with self._changed:
                    if self._outage is None:
                        self._answers = answers
                    self._outage = None  # the answers to hands of a while ago are not shown
                    self._changed.notify_all()

    def _post(self, body: bytes, hands: int) -> list[_Answer]:
        """Return the server's answers to so many hands. Raises _NoAnswerError."""
        import requests

        try:
            with self._session.post(
                self._address, data=body, timeout=self._timeout, stream=True, allow_redirects=False
            ) as response:
                content = _limited(response, time.monotonic() + self._timeout)
        except requests.exceptions.Timeout:
            raise _NoAnswerError(f"no answer within {self._timeout:g} s") from None
        except requests.exceptions.SSLError:
            raise _NoAnswerError("its certificate is not accepted") from None
        except requests.exceptions.ConnectionError as error:
            refused = "refused" in str(error)
            raise _NoAnswerError("connection refused" if refused else "no connection") from None
        except (requests.exceptions.RequestException, OSError, ValueError):
            raise _NoAnswerError("its answer breaks off") from None
        if response.status_code != 200:
            raise _NoAnswerError(f"it answers {response.status_code} {response.reason or ''}".strip())
        answers, labels = _read(content, hands)
        self.labels = labels
        return answers


def example_hand() -> Hand:
    """Return an open right hand, which any server can be asked about."""
    world = landmarks(HandShape(), POSES["open_palm"])
    return Hand((3 * world + 0.5).astype(np.float32), world, 1.0, 640, 640)


def record_of(hand: Hand) -> dict[str, Any]:
    """Return a hand as the scoring server takes it, see `tracking/records.py`: in the picture in which it was found."""
    points, margin = hand.landmarks, hand.margin
    width, height = hand.width + 2 * margin, hand.height + 2 * margin
    if margin:
        shares = np.array([hand.width / width, hand.height / height, hand.width / width], np.float32)
        points = points * shares + np.array([margin / width, margin / height, 0], np.float32)
    return {
        "landmarks": points.tolist(),
        "world_landmarks": hand.world.tolist(),
        "handedness": hand.handedness,
        "width": width,
        "height": height,
    }


def landmarks_bundle() -> bytes:
    """Return a bundle that finds hands and says nothing of them."""
    finders = asset_bytes("hand_detector"), asset_bytes("hand_landmarks_detector")
    return write_task(TaskBundle(*finders, tflite_bytes(), silent_canned_classifier_bytes()))


def _body(hands: Sequence[Hand]) -> bytes:
    return json.dumps({"instances": [record_of(hand) for hand in hands]}).encode()


def _address_of(url: str) -> tuple[str, str, bool]:
    """Return where to post, the server's name without a password, and whether it is this machine. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ConfigError(f"{url} is no address of a server: give one such as http://127.0.0.1:5001.")
    path = parts.path.rstrip("/").removesuffix("/invocations")
    shown = f"[{host}]" if ":" in host else host
    name = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"
    near = host == "localhost"
    with contextlib.suppress(ValueError):
        near = ipaddress.ip_address(host).is_loopback
    return f"{parts.scheme}://{parts.netloc}{path}/invocations", name, near


def _session(is_near: bool) -> requests.Session:
    import requests

    session = requests.Session()
    session.headers["Content-Type"] = "application/json"
    if is_near:  # a proxy would look for it on its own machine
        session.trust_env = False
    return session


def _limited(response: requests.Response, end: float) -> bytes:
    """Return the body of an answer. Raises _NoAnswerError for one that is too long, or takes too long."""
    content = b""
    for piece in response.iter_content(1 << 16):
        content += piece
        if len(content) > MOST_BYTES:
            raise _NoAnswerError(f"its answer is over {MOST_BYTES >> 20} MB")
        if time.monotonic() > end:
            raise _NoAnswerError("its answer does not come to an end")
    return content


def _read(content: bytes, hands: int) -> tuple[list[_Answer], tuple[str, ...]]:
    """Return the answers to so many hands and the classes. Raises _NoAnswerError for anything else."""
    try:
        told = json.loads(content)["predictions"]
        answers = [_Answer(str(one["gesture"]), float(one["score"])) for one in told]
        labels = tuple(str(label) for one in told[:1] for label in one["scores"])
        sensible = all(
            one.gesture in (*labels, NONE) and math.isfinite(one.score) and 0 <= one.score <= 1 for one in answers
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _NoAnswerError("what it answers is no gesture") from None
    if len(answers) != hands or not sensible:
        raise _NoAnswerError("what it answers is no gesture")
    return answers, labels
