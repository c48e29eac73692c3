"""Frames into an MP4 film, H.264, each at its own time, since a camera's frames come irregularly.

While it grows, the film is fragmented: once a second another piece follows that can be played by itself, so that what a kill
or a full disk leaves plays as well. At the end it is copied, not encoded again, into an ordinary MP4 with its index first,
which players begin at once and can jump in.

The encoder works in a thread of its own. MediaPipe and libx264 both let go of Python's lock, so on two cores recognizing goes
on beside it. A 1280x720 frame takes 4.4 ms of processor time, 1 of them the conversion of its colours, where recognizing takes 22.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.files import atomic_write
from gesture_maker.images import Pixels
from gesture_maker.recognition.growing import GrowingFile, RecordingError

PRESET, QUALITY = "ultrafast", 23
"""libx264's. A film of 195 frames of 1280x720 takes 4.1 ms a frame and 1.7 MB (2.4 MB with its overlay; the original has 2.6);
with superfast 7 ms and 2.2 MB, with veryfast 11 ms and 1.3 MB. Recognizing has to go on beside it, so time decides."""

THREADS = 1  # more would take the recognizer's core, and cost as much processor time
TICKS = 90_000  # a second, the usual clock of H.264: times are kept to 11 microseconds
COLOURS = {"color_primaries": 1, "color_trc": 1, "colorspace": 6, "color_range": 1}
"""What OpenCV converts to, in FFmpeg's numbers: BT.709, but BT.601 as matrix, and limited range. Untold, Chromium takes the
matrix of BT.709 for what has 720 lines, and shows a red (200, 40, 40) as (213, 55, 39)."""

PIECE_SECONDS = 1.0  # what a kill costs at most, beside what waits to be encoded
WAITING = 8  # frames that wait for the encoder before `add` waits itself: 22 MB at 1280x720, 200 at 3840x2160
SMALLEST = 16  # pixels a side, a macroblock of H.264; nothing smaller plays everywhere


class Recorder:
    """A film that grows as `NAME.recording.mp4` and gets its name at `close`. As a context manager it is kept after an
    error or Ctrl-C too.

    Raises ConfigError for another suffix than .mp4 or when the file exists (unless `overwrite`), OSError where nothing
    can be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() != ".mp4":
            raise ConfigError(f"{path} is no name for a recording: give one that ends with .mp4.")
        self._growing = GrowingFile(path, overwrite=overwrite)
        self._waiting: queue.Queue[tuple[Pixels, float] | None] = queue.Queue(WAITING)
        self._problem: BaseException | None = None
        self._pieces = False  # whether there is something in the file that plays
        self._closed = False
        self._kept: Path | None = None
        self._thread = threading.Thread(target=self._encode, name=f"recorder of {path}", daemon=True)
        self._thread.start()

    def add(self, pixels: Pixels, seconds: float) -> None:
        """Add a picture, uint8 [height, width, 3] RGB, which must not be written to afterwards, and its time.

        Times are counted from that of the first picture; one that is not later than the one before is shown 11 microseconds
        after it. The film has the size of the first picture, one more pixel where that is odd; pictures of another size
        are fitted in. Returns at once, unless the encoder is behind. Raises RecordingError when an earlier picture
        could not be written.
        """
        self._raise_problem()
        self._waiting.put((pixels, seconds))

    def close(self) -> Path | None:
        """Finish the film and return where it is; None, and no file, when it has no picture.

        Raises RecordingError when it could not be written to its end; what was recorded is in its place then, too.
        """
        if not self._closed:
            self._waiting.put(None)
            self._thread.join()
            self._closed = True
            if self._pieces:
                with contextlib.suppress(OSError):  # no room for a copy: in pieces it plays as well
                    _copied_in_order(self._growing.partial)
                self._kept = self._growing.finish()
            else:
                self._growing.discard()
        self._raise_problem()
        return self._kept

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except RecordingError:
            if kind is None:  # else the first problem is being raised already
                raise

    def _raise_problem(self) -> None:
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem

    def _encode(self) -> None:
        """Encode until there is a None."""
        film: _Film | None = None
        problem: BaseException | None = None
        ended = False
        try:
            while not (ended := (item := self._waiting.get()) is None):
                film = film or _Film(self._growing.partial, item[0])
                film.add(*item)
        except BaseException as error:  # nobody would see it in this thread
            problem = error
        try:
            if film is not None:
                film.close()
        except BaseException as error:
            problem = problem or error
        try:
            self._pieces = _cut_to_whole_pieces(self._growing.partial)
        except OSError as error:  # it may have been removed
            problem = problem or error
        self._problem = self._growing.problem(problem, self._pieces) if isinstance(problem, OSError) else problem
        while not ended:  # or somebody would wait for ever for a place in the queue
            ended = self._waiting.get() is None


class _Film:
    """A fragmented MP4 that is being encoded."""

    def __init__(self, path: Path, first: Pixels) -> None:
        import av

        height, width = first.shape[:2]
        self._height, self._width = (max(SMALLEST, side + side % 2) for side in (height, width))
        # The absolute name, because FFmpeg takes what stands before a colon for a protocol.
        self._container = av.open(
            str(path.absolute()),
            "w",
            format="mp4",
            options={
                "movflags": "empty_moov+default_base_moof",
                "frag_duration": str(round(1e6 * PIECE_SECONDS)),
                "flush_packets": "1",
                "video_track_timescale": str(TICKS),
            },
        )
        settings = {"preset": PRESET, "crf": str(QUALITY), "tune": "zerolatency"}  # no frame waits in the encoder
        self._stream: Any = self._container.add_stream("libx264", rate=30, options=settings)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self._width, self._height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.thread_count = THREADS
        for name, number in COLOURS.items():
            setattr(self._stream.codec_context, name, number)
        self._begin = 0.0
        self._last = -1

    def add(self, pixels: Pixels, seconds: float) -> None:
        import av
        import cv2

        # 1 ms at 1280x720, FFmpeg's own conversion takes 3.
        planes = np.asarray(cv2.cvtColor(self._fitted(pixels), cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        if self._last < 0:
            self._begin = seconds
        self._last = max(self._last + 1, round(TICKS * (seconds - self._begin)))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        try:
            for packet in self._stream.encode():
                self._container.mux(packet)
        finally:
            self._container.close()

    def _fitted(self, pixels: Pixels) -> Pixels:
        """Return a picture in the film's size: with its edge repeated when it is a pixel short, else scaled with bars."""
        import cv2

        height, width = pixels.shape[:2]
        if (height, width) == (self._height, self._width):
            return pixels
        bars = cv2.BORDER_REPLICATE
        if not (0 <= self._height - height <= 1 and 0 <= self._width - width <= 1):
            scale = min(self._height / height, self._width / width)
            height, width = (max(1, round(scale * side)) for side in (height, width))
            pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            bars = cv2.BORDER_CONSTANT
        down, across = self._height - height, self._width - width
        return np.asarray(
            cv2.copyMakeBorder(pixels, down // 2, down - down // 2, across // 2, across - across // 2, bars), np.uint8
        )


def _cut_to_whole_pieces(path: Path) -> bool:
    """Cut off what was written of a piece that could not be finished. Return whether there is a whole one.

    An MP4 is a row of boxes, each beginning with its length (4 bytes, big endian; 1 means that 8 bytes after the name say
    it) and name (4 bytes). A piece is a `moof` and the `mdat` after it. Source: ISO/IEC 14496-12.
    """
    size = path.stat().st_size
    whole = 0
    with path.open("r+b") as file:
        begin = 0
        while begin + 16 <= size:
            file.seek(begin)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length
            begin += max(length, 8)
            if begin <= size and head[4:8] in (b"mdat", b"mfra"):  # the latter is an index at the very end
                whole = begin
        if whole < size:
            file.truncate(whole)
    return whole > 0


def _copied_in_order(path: Path) -> None:
    """Replace a fragmented MP4 by an ordinary one of the same pictures, with its index first."""
    import av

    with atomic_write(path) as temporary:
        source = av.open(str(path.absolute()))
        target = av.open(
            str(temporary.absolute()),
            "w",
            format="mp4",
            options={"movflags": "faststart", "video_track_timescale": str(TICKS)},
        )
        with source, target:
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream, opaque=True)  # else it would prepare to encode
            for packet in source.demux(stream):
                if packet.dts is not None:  # the last one is empty
                    packet.stream = copy
                    target.mux(packet)
