"""Maps of where a classifier on pixels looks, as part of the report: of each class an answer that is right and one that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from gesture_maker.errors import GestureMakerError
from gesture_maker.evaluation.report.html import (
    Html,
    code,
    element,
    figure,
    figures,
    image,
    join,
    name,
    paragraph,
    text,
)
from gesture_maker.evaluation.report.pictures import picture_of
from gesture_maker.evaluation.results import Prediction
from gesture_maker.images import read_image
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.pixels.maps import Mapper, overlaid
from gesture_maker.pixels.pictures import Seeing, cut
from gesture_maker.pixels.run import PixelRun

MOST_MAPS = 48
"""Pictures: each is 12 kB and takes a call of the network."""


def where_it_looks(run: PixelRun, predictions: Sequence[Prediction]) -> Html:
    """Return the maps of the run's own model, in float32, for the surest right and the surest wrong answer to each class."""
    chosen = _chosen(predictions)
    if not chosen:
        return paragraph("No photo was answered, so there is nothing to see.")
    try:
        mapper, seeing = Mapper(run), run.seeing
        with ExitStack() as opened:
            detector = opened.enter_context(HandDetector()) if seeing.crop == "hand" else None
            shown = [_figure(one, seeing, detector, mapper) for one in chosen]
    except GestureMakerError as error:  # no reason not to report the rest
        return paragraph(f"There are no maps: {error}")
    height, width = mapper.places
    about = (
        f"The network tells {height} × {width} places apart. The brighter a place, the more it adds to the score of the answer; without "
        "colour it adds nothing or takes away. Where the colour lies beside the hand, the network goes by the background."
    )
    more = f" The first {MOST_MAPS} of them." if len(chosen) == MOST_MAPS else ""
    which = f"Of each class the surest right answer and the surest wrong one.{more}"
    return join([paragraph(about), paragraph(which, class_="note"), figures(shown, "gallery")])


def _chosen(predictions: Sequence[Prediction]) -> list[Prediction]:
    best: dict[tuple[str, bool], Prediction] = {}
    for one in predictions:
        key = (one.label, not one.right)
        if one.answer is not None and (key not in best or one.score > best[key].score):
            best[key] = one
    return [best[key] for key in sorted(best)][:MOST_MAPS]


def _figure(prediction: Prediction, seeing: Seeing, detector: HandDetector | None, mapper: Mapper) -> Html:
    pixels = read_image(prediction.path)
    seen = cut(pixels, seeing.box(pixels, detector.find(pixels) if detector else None))
    picture = picture_of(overlaid(seen, mapper.look(seen, prediction.answer).map), None)
    alternative = f"Where the network looks in a photo of {prediction.label}, answered {prediction.answer}"
    lines = [
        element("strong", name(prediction.label), " → ", name(prediction.answer or "")),
        text(f"score {prediction.score:.2f}"),
        code(prediction.file),
    ]
    return figure(image(picture.jpeg, alternative, picture.width, picture.height), join(lines, Html("<br>")))
