"""Videos as a source of images: every n-th frame, as JPEG.

All frames of a video are one group, because neighbouring frames are nearly the same photo: split across train and test
they would flatter the accuracy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gesture_maker.errors import SourceError
from gesture_maker.files import sha256_of_file

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp"})
EVERY = 10  # frames; a third of a second at 30 frames/s, in which a moving hand changes visibly
JPEG_QUALITY = 95  # of 100; a frame has been compressed once already, PNG would be ten times the size for nothing seen


def is_video_name(name: str | Path) -> bool:
    """Tell by its suffix whether a file is meant to be a video."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def video_group(path: Path) -> str:
    """Return a group's name for a video that is the same for the same bytes wherever the file lies."""
    return f"{path.name}-{sha256_of_file(path)[:8]}"


def count_frames(path: Path) -> int:
    """Return about how many frames a video has; its header may be a little wrong, 0 is unknown.

    Raises SourceError when it is not a video that can be opened and has a first frame.
    """
    import cv2

    video = open_capture(str(path.absolute()))
    try:
        if not video.isOpened() or not video.grab():
            raise SourceError(f"{path} is not a video that can be read: convert it to MP4 (H.264) first.")
        return max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        video.release()


def read_frames(path: Path, every: int = EVERY) -> Iterator[tuple[int, bytes]]:
    """Yield (frame number from 0, JPEG bytes) of every `every`-th frame, upright, until the video ends or breaks off.

    The same video gives the same bytes, so that collecting it twice finds them there already.
    """
    import cv2

    video = open_capture(str(path.absolute()))
    try:
        number = 0
        while video.grab():
            if number % every == 0:
                decoded, frame = video.retrieve()
                if decoded:
                    _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                    yield number, jpeg.tobytes()
            number += 1
    finally:
        video.release()


def open_capture(what: str | int, *settings: Any) -> Any:
    """Return the cv2.VideoCapture of a file, address or camera's number, opened or not, without OpenCV's chatter.

    `settings`: what cv2.VideoCapture takes after the source. What is wrong with a source, its caller says in one sentence.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent; read when FFmpeg is first used
    import cv2

    cv2.setLogLevel(0)  # by the environment it would be too late: mediapipe has imported it
    return cv2.VideoCapture(what, *settings)
