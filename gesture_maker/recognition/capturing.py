"""Photos from a camera into a dataset, in bursts: without a screen so many at a rate, or by the space bar (`capture_window.py`).

A photo is what the camera saw, never mirrored, as a JPEG. One press of the space bar, or one run without a screen, is one burst
and a group of its own, because its photos are nearly alike: split across train and test they would flatter the accuracy.

A photo in which nothing has moved is kept: the camera's noise makes it another photo, a group counts as a whole, and how much
a hand should move between two photos nobody knows beforehand. A frame that repeats another in every pixel is not.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from gesture_maker.dataset.adding import DatasetWriter, next_number
from gesture_maker.dataset.folder import check_is_folder, label_order
from gesture_maker.dataset.manifest import ManifestRow
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.videos import JPEG_QUALITY
from gesture_maker.errors import ConfigError, SourceError
from gesture_maker.files import sha256_of
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import Hand
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.recognition.frames import Frame, FrameSource, is_address, open_frames, without_password
from gesture_maker.recognition.stages import interrupts_noted

RATE = 5.0  # photos per second: a hand that is turned slowly looks visibly different after a fifth of a second
MAX_RATE = 60.0
LOOK_SECONDS = 0.03  # how often keys and Ctrl-C are looked at while no frame comes
CLOSE_SECONDS = 5.0  # at most, for the look at a frame that is under way; it takes 0.1
COUNTDOWN = 3  # seconds, to bring the hand in front of the camera
NO_HAND_SECONDS = 60.0  # without a hand, after which `only_usable` gives up where nobody sees a screen
UNDONE = ".undone"
"""Folder within a dataset for the photos of bursts that were undone: hidden, so that no step takes them for images of it."""


@dataclass(frozen=True)
class CaptureResult:
    """What a session with a camera did.

    Per label how many photos it `added`, in how many of these a hand is found (`usable`), and how many the dataset has now
    (`totals`). `bursts` with at least one photo; `repeated`: frames that are in the dataset already; `without_hand`: frames
    passed over with `only_usable`; `undone`: photos taken back, which lie in the hidden folder `UNDONE`.
    """

    dataset: Path
    added: dict[str, int]
    usable: dict[str, int]
    totals: dict[str, int]
    bursts: int
    repeated: int = 0
    without_hand: int = 0
    undone: int = 0


class Pace:
    """Which moments a photo is due at: `rate` times a second by the clock, however often is asked.

    Moments that nobody asked at are passed over, not made up for.
    """

    def __init__(self, rate: float) -> None:
        if not (math.isfinite(rate) and 0 < rate <= MAX_RATE):
            raise ConfigError(f"--rate {rate:g} is impossible: it counts photos per second, up to {MAX_RATE:g}.")
        self._step = 1 / rate
        self._next = -math.inf

    def restart(self) -> None:
        """Have the next photo due at once."""
        self._next = -math.inf

    def due(self, now: float) -> bool:
        """Tell whether a photo is due at the time `now` (seconds, never going back), and count it as taken."""
        if now < self._next:
            return False
        late = now - self._next
        self._next = self._next + self._step if late < self._step else now + self._step
        return True


@dataclass(frozen=True)
class Photo:
    """A frame that may become a photo of the dataset: JPEG bytes, when it was seen, and whether a hand is found in it."""

    jpeg: bytes
    seconds: float
    usable: bool


@dataclass
class Burst:
    """Photos of one press or run: a class, a group that no other burst will ever have, and per file whether it is usable."""

    label: str
    group: str
    files: dict[str, bool] = field(default_factory=dict)


class Album:
    """The bursts of one session, on their way into a dataset."""

    def __init__(self, dataset: DatasetWriter, source: str, only_usable: bool = False) -> None:
        self.dataset, self.source, self.only_usable = dataset, source, only_usable
        self.bursts: list[Burst] = []
        self.undone: list[Burst] = []
        self.repeated = self.without_hand = 0

    def begin(self, label: str) -> Burst:
        """Return a new burst of a class, as yet without photos."""
        return Burst(label, new_group())

    def keep(self, photo: Photo, burst: Burst) -> bool:
        """Put a photo into the dataset and its burst; return False for one that is there already or shows no hand."""
        if self.only_usable and not photo.usable:
            self.without_hand += 1
            return False
        sha256 = sha256_of(photo.jpeg)
        if sha256 in self.dataset:
            self.repeated += 1
            return False
        row = ManifestRow("", burst.label, self.source, burst.group, sha256)
        row = self.dataset.add(photo.jpeg, row, ".jpg")
        if not burst.files:
            self.bursts.append(burst)
        burst.files[row.file] = photo.usable
        self.dataset.save_when_due()
        return True

    def undo(self) -> Burst | None:
        """Move the photos of the last burst to `UNDONE`, from where `bring_back` returns them; None when there is none."""
        if not self.bursts:
            return None
        burst = self.bursts[-1]
        place = self.dataset.root / UNDONE / burst.label / burst.group
        place.mkdir(parents=True, exist_ok=True)
        kept, burst.files = burst.files, {}
        for file, usable in kept.items():
            moved = place / Path(file).name
            with contextlib.suppress(FileNotFoundError):  # somebody has removed it meanwhile
                (self.dataset.root / file).replace(moved)
                burst.files[moved.relative_to(self.dataset.root).as_posix()] = usable
            self.dataset.forget(file)
        with contextlib.suppress(OSError):
            (self.dataset.root / burst.label).rmdir()  # only when empty: the burst was the first of its class
        self.undone.append(self.bursts.pop())
        self.dataset.save()
        return burst

    def bring_back(self) -> Burst | None:
        """Put the photos of the burst that was undone last back, under new numbers; None when there is none."""
        if not self.undone:
            return None
        burst = self.undone[-1]
        kept, burst.files = burst.files, {}
        self.bursts.append(self.undone.pop())
        for file, usable in kept.items():
            moved = self.dataset.root / file
            content = moved.read_bytes()
            row = ManifestRow("", burst.label, self.source, burst.group, sha256_of(content))
            burst.files[self.dataset.add(content, row, ".jpg").file] = usable
            moved.unlink()
        place = self.dataset.root / UNDONE / burst.label / burst.group
        for folder in (place, place.parent, place.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()  # only when empty
        self.dataset.save()
        return burst

    def counts(self, label: str) -> tuple[int, int, int]:
        """Return how many photos, usable photos and bursts of a class this session has."""
        mine = [burst.files for burst in self.bursts if burst.label == label]
        return sum(map(len, mine)), sum(sum(files.values()) for files in mine), len(mine)

    def result(self) -> CaptureResult:
        """Return what was done until now."""
        added: Counter[str] = Counter()
        usable: Counter[str] = Counter()
        for burst in self.bursts:
            added[burst.label] += len(burst.files)
            usable[burst.label] += sum(burst.files.values())
        totals = {label: n for label, n in self.dataset.totals.items() if n}
        return CaptureResult(
            self.dataset.root,
            dict(added),
            dict(usable),
            {label: totals[label] for label in sorted(totals, key=label_order)},
            len(self.bursts),
            self.repeated,
            self.without_hand,
            sum(len(burst.files) for burst in self.undone),
        )


def new_group() -> str:
    """Return a name for the group of a burst that no other burst will ever have."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
    return f"camera-{stamp}-{secrets.token_hex(4)}"


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame, uint8 [height, width, 3] RGB; when it came, by the monotonic clock; and its hand, where one was looked for."""

    pixels: Pixels
    seconds: float
    hand: Hand | None = None


class Newest:
    """The newest frame of a source, for those who cannot wait until one comes: a thread waits in their place.

    With a detector, the thread also looks for the hand, so that whoever shows frames hears each key in time.
    """

    def __init__(self, source: FrameSource, detector: HandDetector | None = None) -> None:
        self._source, self._detector = source, detector
        self._changed = threading.Condition()
        self._frame: Seen | None = None
        self._problem: BaseException | None = None
        self.over = False
        self._thread = threading.Thread(target=self._read, name=f"newest of {source.name}", daemon=True)
        self._thread.start()

    def get(self, seconds: float) -> Seen | None:
        """Return a frame that was not returned before, None when none comes in time. Raises what the source raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._problem or self.over, seconds)
            frame, self._frame = self._frame, None
            if frame is None and self._problem is not None:
                raise self._problem
            return frame

    def close(self) -> None:
        """Close the source, and wait until nobody works with its frames any more."""
        self._source.close()
        self._thread.join(CLOSE_SECONDS)

    def _read(self) -> None:
        frame: Frame | None
        try:
            while (frame := self._source.read()) is not None:
                now = time.monotonic()
                hand = None if self._detector is None else find_hand(frame.pixels, self._detector)
                seen = Seen(frame.pixels, now, hand)
                with self._changed:
                    self._frame = seen
                    self._changed.notify_all()
        except BaseException as problem:
            self._problem = problem
        with self._changed:
            self.over = self._problem is None
            self._changed.notify_all()


@dataclass(frozen=True)
class Session:
    """What is worked with: the frames, who finds hands in them, where the photos go, and Ctrl-C, which is `interrupted`."""

    frames: Newest
    detector: HandDetector
    album: Album
    interrupted: threading.Event

    @property
    def over(self) -> bool:
        """Whether it was interrupted or there are no more frames."""
        return self.interrupted.is_set() or self.frames.over


@contextlib.contextmanager
def open_session(
    camera: int | str,
    label: str,
    dataset: Path | str,
    *,
    only_usable: bool = False,
    mirrored_source: bool = False,
    look_always: bool = False,
    progress: StageProgress | None = None,
) -> Iterator[Session]:
    """Open a dataset and a camera, and have everything in the dataset and its manifest however the block ends.

    Within the block, Ctrl-C only sets `interrupted`. `look_always`: have hands looked for in all frames. `progress` is called
    while the dataset's images are learned. Raises DatasetError, ConfigError or SourceError, the last with what is
    kept when the camera is gone in the middle, and OSError for a dataset that cannot be written to.
    """
    if isinstance(camera, str) and not is_address(camera):
        raise ConfigError(
            f"{camera} is neither a camera's number nor an address such as rtsp://…: collect a video file as SOURCE."
        )
    root = Path(dataset)
    if root.exists():
        check_is_folder(root)
    next_number(root / label, label)  # raises where no folder can be
    check_writable(root)
    writer = DatasetWriter(root)
    writer.learn(of_stage(progress, "dataset"))
    album = Album(writer, _name_of(camera), only_usable)
    with HandDetector() as detector:
        source = open_frames(camera, mirrored=mirrored_source)
        frames = Newest(source, detector if look_always else None)
        try:
            with interrupts_noted() as interrupted:
                yield Session(frames, detector, album, interrupted)
        except SourceError as problem:
            raise SourceError(f"{str(problem).rstrip('.')}; {_kept(album)}.") from problem
        finally:
            try:
                writer.save()
            finally:
                frames.close()


def collect_headless(
    camera: int | str,
    label: str,
    dataset: Path | str,
    count: int,
    *,
    rate: float = RATE,
    only_usable: bool = False,
    mirrored_source: bool = False,
    countdown: Callable[[int], None] | None = None,
    progress: StageProgress | None = None,
) -> CaptureResult:
    """Take `count` photos of a class at `rate` per second and return what was added to the dataset.

    `camera`: its number from 0, or a stream's address. The first comes `COUNTDOWN` seconds after the camera works; `countdown`
    is told the seconds left, then 0. `only_usable`: save no photo without a hand, and count none. `mirrored_source`: the camera
    gives a mirror's view, which is turned back. `progress` (stage, done, total): the stages are "dataset" and "photos".

    Raises SourceError for a camera that cannot be used or is gone, and KeyboardInterrupt at Ctrl-C: all photos taken until
    then are in the dataset. LabelError, DatasetError and ConfigError come before anything is opened.
    """
    wanted, pace = normalize_label(label), Pace(rate)
    if count < 1:
        raise ConfigError(f"--count {count} is impossible: take at least one photo.")
    with open_session(
        camera, wanted, dataset, only_usable=only_usable, mirrored_source=mirrored_source, progress=progress
    ) as session:
        _count_down(session, countdown)
        _take(session, wanted, count, pace, progress)
        result = session.album.result()
    if session.interrupted.is_set():
        raise KeyboardInterrupt(f"Interrupted: {_kept(session.album)}.")
    return result


def _take(session: Session, label: str, count: int, pace: Pace, progress: StageProgress | None) -> None:
    burst, taken, seen = session.album.begin(label), 0, time.monotonic()
    while taken < count and not session.over:
        frame = session.frames.get(LOOK_SECONDS)
        if frame is None or not pace.due(now := frame.seconds):
            continue
        usable = find_hand(frame.pixels, session.detector) is not None
        if usable or not session.album.only_usable:
            taken, seen = taken + 1, now
        elif now - seen > NO_HAND_SECONDS:
            raise SourceError(f"No hand has been seen for {NO_HAND_SECONDS:.0f} s: bring it nearer and into the light.")
        session.album.keep(Photo(jpeg_of(frame.pixels), now, usable), burst)
        if progress:
            progress("photos", taken, count)


def _count_down(session: Session, countdown: Callable[[int], None] | None) -> None:
    """Wait for the first frame, then `COUNTDOWN` seconds."""
    while session.frames.get(LOOK_SECONDS) is None and not session.over:
        pass
    for left in range(COUNTDOWN, -1, -1):
        if session.over:
            break
        if countdown:
            countdown(left)
        session.interrupted.wait(min(left, 1.0))


def find_hand(pixels: Pixels, detector: HandDetector) -> Hand | None:
    """Return the hand that the training will find in a photo of these pixels, None when it will find none."""
    return detector.find(pixels) if min(pixels.shape[:2]) >= MIN_SIDE else None


def _kept(album: Album) -> str:
    count = sum(len(burst.files) for burst in album.bursts)
    if not count:
        return "no photo was taken"
    return f"the {f'{count} photos' if count > 1 else 'photo'} taken until then {'are' if count > 1 else 'is'} in {album.dataset.root}"


def jpeg_of(pixels: Pixels) -> bytes:
    """Return pixels (uint8 [height, width, 3] RGB) as JPEG; the same pixels give the same bytes."""
    import cv2

    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()


def _name_of(camera: int | str) -> str:
    """Return what the manifest calls a camera."""
    return f"camera {camera}" if isinstance(camera, int) else without_password(camera)


def check_writable(root: Path) -> None:
    """Raise OSError, naming the dataset, unless files can be made in it: before a camera is opened and a hand raised."""
    place = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        error.filename = str(root)
        raise
