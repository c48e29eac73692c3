"""The camera of the collect page: hands for its preview, and photos into the dataset.

A frame's header is {n} for a preview, {n, keep: {label, burst}} for a photo to be kept; the photos of a burst are one group. The
answer: {n, hands: [{points}]}, for a photo also kept: {file, usable, reason}, or repeated: true when the dataset has it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, WebSocket

from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import SourceError
from gesture_maker.images import MIN_SIDE, read_image
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.looking import Look, look_at
from gesture_maker.recognition.capturing import new_group
from gesture_maker.studio.collecting import Collecting
from gesture_maker.studio.collection import points_of
from gesture_maker.studio.frames import PageFrame, answer_frames
from gesture_maker.studio.state import Studio

SOURCE = "camera of the studio"
"""What the manifest calls it."""

PREVIEW_VIEW = (0.1,)
"""One look instead of four, which without a hand take 70 ms: with this border a hand is found in 0.90 of photos of people and 0.95
of close ones (`landmarks/views.py`), which no other single view does."""

JPEG_BEGIN = b"\xff\xd8\xff"
MAX_BURSTS = 100  # of one page that are remembered; only the newest is being added to


def routes(studio: Studio) -> APIRouter:
    """Return the WebSocket for the camera of the collect page."""
    router = APIRouter()
    parts = studio.part(Collecting.of)

    @contextlib.contextmanager
    def opened() -> Iterator[Callable[[PageFrame], Mapping[str, Any]]]:
        with HandDetector() as detector:
            yield _PageCamera(parts, detector).answer
        parts.collection.save_what_can_be()

    @router.websocket("/ws/camera")
    async def camera(websocket: WebSocket) -> None:
        await answer_frames(websocket, studio.seats, opened)

    return router


class _PageCamera:
    """One page's camera."""

    def __init__(self, parts: Collecting, detector: HandDetector) -> None:
        self._parts, self._detector = parts, detector
        self._groups: dict[tuple[str, str], str] = {}

    def answer(self, frame: PageFrame) -> dict[str, Any]:
        """Return what to tell of a frame. Raises GestureMakerError, OSError."""
        self._parts.looker.camera(frame.kept)
        if not frame.jpeg.startswith(JPEG_BEGIN):
            raise SourceError("The camera's picture is no JPEG: reload the page.")
        if frame.kept:
            return self._keep(frame.jpeg, frame.header["keep"])
        pixels = read_image(frame.jpeg, "the camera's picture")
        hand = self._detector.find(pixels, PREVIEW_VIEW) if min(pixels.shape[:2]) >= MIN_SIDE else None
        return {"hands": _shown(hand)}

    def _keep(self, jpeg: bytes, keep: Any) -> dict[str, Any]:
        label, burst = (keep.get("label"), keep.get("burst")) if isinstance(keep, dict) else (None, None)
        if not isinstance(label, str) or not isinstance(burst, str):
            raise SourceError("The page did not say which class the photo is for: reload the page.")
        label = normalize_label(label)
        read_image(jpeg, "the camera's picture")  # raises when it is damaged
        answer = look_at(jpeg, "", Look(), self._detector)
        hand = answer if isinstance(answer, Hand) else None
        file = self._parts.collection.keep(label, self._group(label, burst), SOURCE, jpeg, answer)
        if file is None:
            return {"hands": _shown(hand), "repeated": True}
        reason = None if isinstance(answer, Hand) else answer.reason
        return {"hands": _shown(hand), "kept": {"file": file, "usable": hand is not None, "reason": reason}}

    def _group(self, label: str, burst: str) -> str:
        key = (label, burst)
        if key not in self._groups:
            while len(self._groups) >= MAX_BURSTS:
                del self._groups[next(iter(self._groups))]
            self._groups[key] = new_group()
        return self._groups[key]


def _shown(hand: Hand | None) -> list[dict[str, Any]]:
    return [] if hand is None else [{"points": points_of(hand)}]
