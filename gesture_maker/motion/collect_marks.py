"""One long video cut into clips by marks: a table that says when each gesture begins and ends.

    begin,end,label,group
    3.2,4.5,swipe_left,anna
    1:05,1:06.4,swipe_right,anna

Times are seconds, or minutes and seconds, from the video's first frame; the column group may be missing. Marks may overlap. What
lies between them may become clips of the background. A clip is encoded anew, because a film can be cut without that only at its
key frames, which are seconds apart.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset.collecting import CollectResult
from gesture_maker.dataset.formats.class_folders import shown
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.sources import Skipped, check_apart
from gesture_maker.errors import LabelError, SourceError
from gesture_maker.motion.collect_recording import RecordedClip
from gesture_maker.motion.collecting import ClipCollector, check_place
from gesture_maker.progress import Progress
from gesture_maker.recognition.frames import open_film

COLUMNS, GROUP = ("begin", "end", "label"), "group"

STILL_SECONDS = 1.0  # between marks at least, for a clip of the background: a window of 30 frames is about as long
LATE_SECONDS = 1.0  # so much after the end of the video a mark may end: players round to whole seconds

_TIME = re.compile(r"(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


@dataclass(frozen=True)
class Mark:
    """What becomes one clip: from `begin` to before `end`, in seconds from the first frame; `label` is normalised."""

    begin: float
    end: float
    label: str
    group: str = ""


def cut_by_marks(
    video: str | Path,
    marks: str | Path,
    dataset: str | Path,
    *,
    group: str = "",
    still_between: bool = False,
    progress: Progress | None = None,
) -> CollectResult:
    """Cut a video into clips of a motion dataset by a table of marks, and return what was added.

    `group`: who makes the gestures, where the table does not say. `still_between`: the times between the marks, of
    `STILL_SECONDS` and more, become clips of the background. `progress` (done, total) counts clips.

    Raises SourceError for marks that are wrong (with the line) and a video that cannot be read, before anything is written,
    SourceError too for a video that breaks off: the clips before that are kept, as they are after Ctrl-C.
    """
    film, root = Path(video), Path(dataset)
    check_place(root)
    if film.exists():
        check_apart(film, root)
    with contextlib.closing(open_film(film)):  # says what is wrong with it
        length = seconds_of(film)
    wanted = read_marks(Path(marks), length, group.strip())
    collector = ClipCollector(root, progress, len(wanted))
    with collector.under_way():
        if still_between:
            wanted += between(wanted, length, collector.writer.background)
        _cut(film, sorted(wanted, key=lambda mark: (mark.begin, mark.end, mark.label)), collector)
    return collector.result()


def read_marks(path: Path, length: float = math.inf, group: str = "") -> list[Mark]:
    """Return the marks of a table; `length`: of the video, in seconds; `group`: where the table says none.

    Raises SourceError, which says the line and what to do, for a file that is no such table.
    """
    rows = _rows(path)
    marks = [_mark(row, f"{path}, line {line}", length, group) for line, row in rows]
    if not marks:
        raise SourceError(f"There is no mark in {path}: give a line such as 3.2,4.5,swipe_left for each gesture.")
    return marks


def between(marks: list[Mark], length: float, label: str) -> list[Mark]:
    """Return the times of the video in which there is no mark, those of `STILL_SECONDS` and more, as marks of the background.

    Their group is that of the mark before (of the first one, where they come before it): most likely the same person.
    """
    gaps: list[Mark] = []
    reached, group = 0.0, min(marks, key=lambda mark: mark.begin).group
    for mark in sorted(marks, key=lambda mark: mark.begin):
        if mark.begin - reached >= STILL_SECONDS:
            gaps.append(Mark(reached, mark.begin, label, group))
        reached, group = max(reached, mark.end), mark.group
    if math.isfinite(length) and length - reached >= STILL_SECONDS:
        gaps.append(Mark(reached, length, label, group))
    return gaps


def seconds_of(film: Path) -> float:
    """Return how long a film is from its first frame to the end of its last, without decoding it."""
    import av

    begin, end = math.inf, -math.inf
    try:
        # The absolute name, because FFmpeg takes what stands before a colon for a protocol.
        with av.open(str(film.absolute())) as container:
            stream = container.streams.video[0]
            step = float(1 / stream.average_rate) if stream.average_rate else 0.0
            for packet in container.demux(stream):
                if packet.pts is not None and packet.time_base is not None:
                    seconds = float(packet.pts * packet.time_base)
                    length = float((packet.duration or 0) * packet.time_base) or step
                    begin, end = min(begin, seconds), max(end, seconds + length)
    except (av.FFmpegError, IndexError):  # what OpenCV reads, and PyAV does not
        return math.inf
    return end - begin if end > begin else math.inf


def _cut(video: Path, marks: list[Mark], collector: ClipCollector) -> None:
    source = shown(video).as_posix()
    under_way: list[tuple[Mark, RecordedClip]] = []
    waiting = list(reversed(marks))

    def finish(until: float) -> None:
        for one in [one for one in under_way if one[0].end <= until]:
            under_way.remove(one)
            mark, clip = one
            clip.finish(collector, f"{source}#{mark.begin:.2f}-{mark.end:.2f}", mark.group)
            collector.count()

    with contextlib.closing(open_film(video)) as film:
        try:
            while (waiting or under_way) and (frame := film.read()) is not None:
                finish(frame.seconds)
                while waiting and waiting[-1].begin <= frame.seconds:
                    mark = waiting.pop()
                    under_way.append((mark, RecordedClip(collector.writer, mark.label)))
                for mark, clip in under_way:
                    if frame.seconds < mark.end:  # one may be too short for a frame
                        clip.add(frame)
            finish(math.inf)
            late = [f"{source}#{mark.begin:.2f}-{mark.end:.2f}" for mark in reversed(waiting)]
            collector.skipped += [Skipped(name, "the video is over before") for name in late]
        finally:
            for _, clip in under_way:
                clip.drop()


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a table of marks with their numbers, the header being line 1."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SourceError(f"There is no {path}: check the path of the marks.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({(error.strerror or 'unknown').lower()}).") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not text in UTF-8: save it as CSV in UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise SourceError(f"{path} is not a readable CSV file ({error}).") from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    header = [name.lower() for name in lines[0][1]] if lines else []
    _check_header(header, path)
    for number, cells in lines[1:]:
        if len(cells) > len(header):
            raise SourceError(
                f"{path}, line {number} has {len(cells)} values, the first line {len(header)}: remove some."
            )
    return [(number, dict(zip(header, cells, strict=False))) for number, cells in lines[1:]]


def _check_header(header: list[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise SourceError(
            f"{path} lacks the columns {', '.join(missing)}: marks begin with the line begin,end,label, separated by commas."
        )
    unknown = [name for name in header if name not in (*COLUMNS, GROUP)]
    if unknown:
        named = ", ".join(name or "one without a name" for name in unknown)
        raise SourceError(f"{path} has unknown columns ({named}): marks have begin, end, label and, if wanted, group.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(f"{path} has the column {twice[0]} twice: remove one.")


def _mark(row: dict[str, str], place: str, length: float, group: str) -> Mark:
    begin, end = (_seconds(row.get(name, ""), name, place) for name in ("begin", "end"))
    if end <= begin:
        raise SourceError(f"{place}: the end, {row['end']}, does not come after the begin, {row['begin']}.")
    if begin >= length:
        raise SourceError(f"{place}: it begins at {row['begin']}, and the video is over after {length:.2f} s.")
    if end >= length + LATE_SECONDS:
        raise SourceError(f"{place}: it ends at {row['end']}, and the video is over after {length:.2f} s.")
    try:
        label = normalize_label(row.get("label", ""))
    except LabelError as error:
        raise SourceError(f"{place}: {error}") from error
    return Mark(begin, end, label, row.get(GROUP, "") or group)


def _seconds(text: str, name: str, place: str) -> float:
    """Return the seconds that a time says: `3.2`, `1:05.5` or `1:02:03`."""
    match = _TIME.fullmatch(text)
    if match is None:
        said = f"the {name} {text!r} is no time" if text else f"the {name} is missing"
        raise SourceError(f"{place}: {said}: write seconds (65.5) or minutes and seconds (1:05.5).")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
