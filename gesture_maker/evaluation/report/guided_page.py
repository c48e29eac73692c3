"""The report of a guided validation: what was recognized of each gesture, how soon, and what was answered instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from gesture_maker.dataset.names import NONE
from gesture_maker.evaluation.bundle import Bundle
from gesture_maker.evaluation.guided_results import GuidedEvaluation, Said, Try
from gesture_maker.evaluation.report.html import (
    Html,
    Section,
    Tile,
    cell,
    element,
    facts,
    figure,
    figures,
    join,
    name,
    notes,
    page,
    paragraph,
    table,
    tiles,
)
from gesture_maker.evaluation.report.numbers import between, counted, percent
from gesture_maker.evaluation.report.style import SHADES
from gesture_maker.recognition.runtime import RuntimeOptions

MOST_TIMELINES = 150
"""Of 2 to 4 kB each; of more tries the worst are shown."""

MOST_LANES = 5  # answers a timeline has a line for each; the rarest others share one

WHAT_COUNTS = (
    "A frame is recognized when any hand in it was answered with the gesture that was asked for, by the custom classifier. "
    "A canned gesture counts as what it is, also where it means the same. All frames count, those in which the hand was "
    "still on its way too. The time until recognized runs from the beginning of {what} to the first recognized frame. Without "
    "a gesture, every frame answered with one is a false alarm; such frames with the same answer that follow each other are "
    "one. The intervals are 95 % and take each {one} for a group, since the frames of one are much alike."
)


@dataclass(frozen=True)
class Watching:
    """Which bundle was asked, with which options, and when (UTC)."""

    bundle: Bundle
    options: RuntimeOptions
    when: str


def guided_page(evaluation: GuidedEvaluation, watching: Watching) -> Html:
    """Return the whole page. The same evaluation gives the same bytes."""
    sections = [
        Section("glance", "At a glance", _glance(evaluation)),
        Section("gestures", "Gestures", _gestures(evaluation)),
        Section("taken", "What they were taken for", _taken_for(evaluation, watching.bundle.labels)),
        Section("alarms", "False alarms", _alarms(evaluation)),
        Section("timelines", "Over time", _timelines(evaluation)),
        Section("training", "How it was trained", watching.bundle.training()),
        Section("asked", "How it was asked", _asked(evaluation, watching)),
    ]
    return page(f"{watching.bundle.name} watching {evaluation.source}", sections, _lead(evaluation))


def _lead(evaluation: GuidedEvaluation) -> Html:
    found = evaluation.interval
    if found is None:
        return join(["No gesture was watched."])
    share = element("strong", percent(found.accuracy))
    sure = between(found.low, found.high)
    return join([share, f" of {counted(found.hands, 'frame')} with a gesture recognized (95 % interval {sure})."])


def _glance(evaluation: GuidedEvaluation) -> Html:
    found, idle = evaluation.interval, evaluation.idle
    numbers = []
    if found is not None:
        right = sum(one.recognized for one in evaluation.gestures)
        sure = between(found.low, found.high)
        numbers.append(
            Tile("Frames recognized", percent(found.accuracy), f"{right:,} of {found.hands:,}; 95 %: {sure}")
        )
        times = sorted(float("inf") if s is None else s for one in evaluation.gestures for s in one.first)
        never = sum(s is None for one in evaluation.gestures for s in one.first)
        middle = times[(len(times) - 1) // 2]
        note = f"median of {counted(len(times), 'try', 'tries')}" + (f"; never in {never}" if never else "")
        numbers.append(Tile("Until recognized", _seconds(None if middle == float("inf") else middle), note))
    if idle is not None:
        note = f"in {idle.seconds:.0f} s without a gesture: {percent(idle.share)} of frames"
        numbers.append(Tile("False alarms", f"{idle.count:,}", note))
    latency = f"median; p95 {evaluation.latency_p95:.1f} ms"
    numbers.append(Tile("Latency", f"{evaluation.latency_p50:.1f} ms", latency))
    what, one = ("the watch", "watch") if evaluation.live else ("the film", "film")
    partial = [f"This is not all of it. {evaluation.partial}"] if evaluation.partial else []
    return join(
        [
            tiles(numbers),
            notes([*partial, *evaluation.warnings]),
            paragraph(WHAT_COUNTS.format(what=what, one=one), class_="note"),
        ]
    )


def _gestures(evaluation: GuidedEvaluation) -> Html:
    if not evaluation.gestures:
        return paragraph("No gesture was watched.")
    rows = []
    for one in evaluation.gestures:
        rows.append(
            [
                name(one.gesture),
                one.tries,
                one.frames,
                percent(one.share),
                between(one.interval.low, one.interval.high) if one.interval else None,
                _seconds(one.median_seconds),
                _seconds(one.worst_seconds),
                percent(one.steady),
            ]
        )
    columns = [
        "gesture",
        "watches" if evaluation.live else "films",
        "frames",
        "recognized",
        "95 % interval",
        "until recognized",
        "at worst",
        "once recognized",
    ]
    caption = "Recognized: share of the frames. Once recognized: share of the frames from the first recognized one on."
    return table(caption, columns, rows)


def _taken_for(evaluation: GuidedEvaluation, labels: Sequence[str]) -> Html:
    answers: dict[str, Counter[Said]] = {}
    for one in evaluation.tries:
        answers.setdefault(one.asked, Counter()).update(frame.said for frame in one.frames)
    asked = [label for label in (*(one for one in labels if one != NONE), NONE) if label in answers]
    seen = {said for counts in answers.values() for said in counts}
    columns = [Said(label) for label in (*(one for one in asked if one != NONE), NONE)]
    columns += [Said(label) for label in labels if Said(label) in seen and Said(label) not in columns]
    columns += sorted((said for said in seen if said.canned), key=str)
    columns += [Said(None)] if Said(None) in seen else []
    rows = []
    for label in asked:
        counts = answers[label]
        cells = [
            _share(counts[said], counts.total(), not said.alarms if label == NONE else said == Said(label))
            for said in columns
        ]
        rows.append([name(label) if label != NONE else "no gesture", *cells])
    caption = "Rows: what was asked for; columns: the answer, in % of the frames of the row."
    return table(caption, ["", *(name(said) for said in columns)], rows, kind="matrix")


def _share(count: int, whole: int, right: bool) -> Html:
    if not count:
        return cell("", "none")
    step = max(1, round(SHADES * count / whole))
    return cell(percent(count / whole).removesuffix(" %"), f"{'right' if right else 'wrong'} shade-{step}")


def _alarms(evaluation: GuidedEvaluation) -> Html:
    idle = evaluation.idle
    if idle is None:
        return paragraph("Not measured: no hands without a gesture were watched.")
    about = f"{counted(idle.frames, 'frame')} in {idle.seconds:.1f} s without a gesture"
    if idle.interval is None:
        return paragraph(f"{about}.")
    sure = between(idle.interval.low, idle.interval.high)
    sentence = f"{about}, {percent(idle.share)} of them with a false alarm (95 % interval {sure})."
    rows = [[name(said), said.classifier, frames, percent(frames / idle.frames), times]
            for said, (frames, times) in idle.alarms.items()]  # fmt: skip
    columns = ["answer", "classifier", "frames", "share", "alarms"]
    return join([paragraph(sentence), table("False alarms by answer.", columns, rows, words=2) if rows else ""])


def _timelines(evaluation: GuidedEvaluation) -> Html:
    tries = [one for one in evaluation.tries if one.frames]
    worst = sorted(range(len(tries)), key=lambda i: tries[i].recognized / len(tries[i].frames))[:MOST_TIMELINES]
    parts: list[Any] = []
    if len(worst) < len(tries):
        sentence = f"The {len(worst):,} worst of {len(tries):,}; frames.csv has all of them."
        parts.append(paragraph(sentence, class_="note"))
    shown = [tries[i] for i in sorted(worst)]
    for asked, several in groupby(shown, key=lambda one: one.asked):
        parts.append(element("h3", name(asked) if asked != NONE else "No gesture"))
        parts.append(figures(_timeline(one, evaluation.live) for one in several))
    return join(parts)


def _timeline(one: Try, live: bool) -> Html:
    """Return a line for each answer to a try, marked where it was given."""
    length = max(one.seconds, one.frames[-1].seconds, 1e-3)
    counts = Counter(frame.said for frame in one.frames)
    right = [said for said in counts if said == Said(one.asked)]
    others = [said for said, _ in counts.most_common() if said not in right]
    lanes: list[tuple[Any, str, frozenset[Said]]] = [(name(said), "as-asked", frozenset([said])) for said in right]
    room = MOST_LANES - len(lanes)
    own = others if len(others) <= room else others[: room - 1]
    lanes += [(name(said), _kind(said), frozenset([said])) for said in own]
    if len(own) < len(others):
        lanes.append((f"{len(others) - len(own)} others", "another", frozenset(others[len(own) :])))
    asked = name(one.asked) if one.asked != NONE else "no gesture"
    drawn = [
        _lane(join(["asked: ", asked]), "asked", [(0.0, length)], length),
        *(_lane(label, kind, _spans(one, said, length), length) for label, kind, said in lanes),
        element("div", element("span"), element("span", element("span", "0 s"), element("span", f"{length:.1f} s"),
                class_="axis"), class_="lane"),
    ]  # fmt: skip
    share = percent(one.recognized / len(one.frames))
    if one.asked == NONE:
        said = f"{share} of {counted(len(one.frames), 'frame')} without an alarm"
    else:
        first = "never recognized" if one.first is None else f"first after {_seconds(one.first)}"
        said = f"{share} of {counted(len(one.frames), 'frame')}, {first}"
    cut = "" if one.whole else ", not to its end"
    title = [name(one.name), ": "] if not live or one.name else []
    return figure(
        element("div", *drawn, role="img", aria_label=f"Answers over time: {said}"), join([*title, said, cut])
    )


def _lane(label: Any, kind: str, spans: Sequence[tuple[float, float]], length: float) -> Html:
    marks = (
        element(
            "rect", x=f"{1000 * begin / length:.1f}", y="0", width=f"{1000 * (end - begin) / length:.1f}", height="10"
        )
        for begin, end in spans
    )
    line = element("svg", *marks, viewBox="0 0 1000 10", preserveAspectRatio="none", aria_hidden="true")
    return element("div", element("span", label), line, class_=f"lane {kind}")


def _spans(one: Try, said: frozenset[Said], length: float) -> list[tuple[float, float]]:
    """Return from when to when these were the answer: each frame counts until the next."""
    begins = [frame.seconds for frame in one.frames]
    ends = [*begins[1:], length]
    spans = []
    for given, frames in groupby(range(len(begins)), key=lambda i: one.frames[i].said in said):
        indices = list(frames)
        if given:
            spans.append((begins[indices[0]], ends[indices[-1]]))
    return spans


def _kind(said: Said) -> str:
    return "canned" if said.canned else "another" if said.alarms else "nothing"


def _asked(evaluation: GuidedEvaluation, watching: Watching) -> Html:
    return join(
        [
            facts(_facts(evaluation, watching)),
            element("h3", "The bundle"),
            facts(watching.bundle.about().items()),
            watching.bundle.versions(),
        ]
    )


def _facts(evaluation: GuidedEvaluation, watching: Watching) -> Iterator[tuple[str, Any]]:
    options = watching.options
    yield "date", watching.when
    yield "watched", name(evaluation.source)
    mode = "LIVE_STREAM: a camera's newest frame" if evaluation.live else "VIDEO: every frame of every film"
    yield "GestureRecognizer's mode", mode
    if evaluation.live:
        yield "frames without an answer", f"{evaluation.dropped:,}"
        yield "latency", "from a frame's arrival to its answer, on this machine"
    else:
        yield "latency", "of one call on one frame, on this machine"
    yield "--num-hands", options.num_hands
    for option, value in options.confidences.items():
        yield f"--{option.replace('_', '-')}", f"{value:g}"
    yield "canned gestures", "may answer" if options.canned else "silenced"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f}\N{NO-BREAK SPACE}s"
