"""The score threshold for a wished false-alarm rate: how often a hand that makes none of the gestures is answered with one.

It is chosen on hands that the head was not trained on: of `none`, and made-up ones of two kinds, equally many of each.
Background of the make that was trained on would flatter: at a threshold of 0.5 a head called 0.001 of it a gesture, and 0.086
of the photos of four gestures it had never seen. So the one kind, random poses, may come nearer to the user's gestures than
any background in training, and the other are deliberate gestures, which training has none of: each finger straight or bent,
and then exchanged with the fingers of the user's own hands.

Trained on none and 1-5 of 90 people (Sign Language Digits), asked about the hands of 30 other people: how many of 119 of 6-9
are called one of 1-5, and how many of 148 of 1-5 are recognized.

             built-in                          Google's
    asked    threshold  called  recognized     threshold  called  recognized
    0.20     0.500      0.092   1.000          0.500      0.025   0.993
    0.10     0.500      0.092   1.000          0.500      0.025   0.993
    0.05     0.593      0.084   1.000          0.821      0.000   0.986
    0.02     0.893      0.025   0.980          0.955      0.000   0.912
    0.01     0.962      0.000   0.973          0.979      0.000   0.818

How like a known gesture the unseen ones are matters more than anything made up can tell. Over 16 trainings (five choices of
known gestures among 1-9, 10 to 90 people, both embedders; an earlier recipe without mirrored looks), the other digits were
called known in

    asked                0.20           0.10           0.05           0.02           0.01
    median (highest)     0.32 (0.50)    0.22 (0.50)    0.10 (0.27)    0.018 (0.06)   0.004 (0.04)

Leaving out each of the user's gestures in turn, training anew and asking about its photos did no better (0.11, 0.09, 0.24, 0.70
and 0.04 where the real rates at 0.5 were 0.09, 0.12, 0.45, 0.27 and 0.20) and takes minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, normalize
from gesture_maker.synthetic.hand import Pose, landmarks
from gesture_maker.synthetic.people import draw_person
from gesture_maker.synthetic.poses import POSES, jitter
from gesture_maker.training.background import NEAR, background_hands, farther_than, reach, recombined_hands
from gesture_maker.training.calibrate import Calibration, calibrated
from gesture_maker.training.crossvalidate import load_cross_validation
from gesture_maker.training.enrich import Embed
from gesture_maker.training.model_maker import TrainedHead
from gesture_maker.training.run import Run

LOWEST, HIGHEST, STEP = 0.5, 0.999, 0.001
"""Thresholds that are tried. Below 0.5 the other answers together may be likelier than the winner; above 0.999 the rounding
of the scores decides."""

NEAR_POSED = 2.0
NEAR_DELIBERATE = 5.5
"""In place of `background.NEAR`, 5, for random poses and deliberate gestures. The pair of 20 (1 to 3, 4.5 to 6) whose rates
were nearest to the real ones in the 16 trainings above. Random poses as far off as in training are next to never called a
gesture; deliberate ones that are nearer than this are too often a gesture of the user's."""

HANDS = 3000  # of each kind, before those near a gesture are left out
POOL = 500  # the user's hands, and as many deliberate ones, between which fingers are exchanged
ENOUGH = 100  # hands of a kind below which its share says nothing

STRAIGHT, BENT = 0.45, 0.40  # share of deliberate fingers; the others are anywhere between
HELD = np.array([25.0, 15.0, 15.0])  # spread of yaw, pitch and roll with which a deliberate gesture is held, degrees
PEOPLE = 200
UNUSED_SEED = 2**32  # added to the run's: no training can have it, see session.MAX_SEED


@dataclass(frozen=True)
class FalseAlarms:
    """What a score threshold does to hands that were not trained on.

    `asked`: the false-alarm rate that was wished for; `share`: of `hands` hands that make none of the gestures (`of_none` of
    them photographed, the others made up), how many are answered with one. `recognized`: share of `gestures` hands of the
    validation and test parts, or else of cross-validation, that are answered with their own gesture, `at_lowest` with the threshold `LOWEST` in place of
    `score_threshold`; both None when there are no such hands.
    """

    asked: float
    score_threshold: float
    share: float
    hands: int
    of_none: int
    gestures: int
    recognized: float | None
    at_lowest: float | None

    def __str__(self) -> str:
        made_up = f"{self.of_none} photographed as none, the others made up" if self.of_none else "made up"
        cost = (
            f"Of {self.gestures} hands making a gesture that were not trained on, {self.recognized:.1%} are recognized "
            f"({self.at_lowest:.1%} at {LOWEST})."
            if self.recognized is not None
            else "What this costs is not known: all hands were trained on, and none were cross-validated."
        )
        return (
            f"{self.share:.2%} of {self.hands} hands that make none of the gestures ({made_up}) are answered with one at the "
            f"score threshold {self.score_threshold:g}, chosen for {self.asked:.2%} at most. {cost}"
        )


def choose_threshold(run: Run, head: TrainedHead, embed: Embed, rate: float) -> FalseAlarms:
    """Return the lowest score threshold with which at most `rate` (0..1) of the hands without a gesture are answered with one.

    `embed`: the embedder that the run was trained on. Raises ConfigError when no threshold up to `HIGHEST` does it, or when no
    hand can be made up that is unlike the user's gestures.
    """
    none = run.labels.index(NONE)
    trained = run.embeddings("train").classes
    gestures = run.hands("train").take(trained != none)
    per_class = len(gestures) / max(1, len(run.labels) - 1)
    made_up = held_out_background(gestures, per_class, run.description["seed"])
    unseen = [run.embeddings(part) for part in ("validation", "test")]
    of_none = [part.embeddings[part.classes == none] for part in unseen]
    alarms = np.concatenate([_surest_gesture(head.scores(part), none) for part in (embed(made_up), *of_none)])
    kept = np.concatenate([_surest_right(head.scores(part.embeddings), part.classes, none) for part in unseen])
    if not len(kept) and (found := load_cross_validation(run)) is not None:
        scores = calibrated(found.scores[found.tested], Calibration(**run.description["calibration"]), none)
        kept = _surest_right(scores, found.classes[found.tested], none)
    threshold, share = lowest_threshold(alarms, rate)
    return FalseAlarms(
        asked=rate,
        score_threshold=threshold,
        share=share,
        hands=len(alarms),
        of_none=sum(map(len, of_none)),
        gestures=len(kept),
        recognized=float((kept >= threshold).mean()) if len(kept) else None,
        at_lowest=float((kept >= LOWEST).mean()) if len(kept) else None,
    )


def lowest_threshold(scores: Floats, rate: float) -> tuple[float, float]:
    """Return the lowest threshold that at most the share `rate` of `scores` [N] reaches, and that share.

    Raises ConfigError when more do even with `HIGHEST`.
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    thresholds = np.round(np.arange(LOWEST, HIGHEST + STEP / 2, STEP), 3)
    shares = (len(ordered) - np.searchsorted(ordered, thresholds, side="left")) / max(1, len(ordered))
    found = np.flatnonzero(shares <= rate)
    if not len(found):
        raise ConfigError(
            f"A false-alarm rate of {rate:g} cannot be reached: even with the score threshold {HIGHEST} {shares[-1]:.2%} of "
            f"the hands that make none of the gestures are answered with one; ask for {math.ceil(shares[-1] * 1000) / 1000:g}, "
            "or train again with more photos."
        )
    return float(thresholds[found[0]]), float(shares[found[0]])


def held_out_background(gestures: EmbedderInputs, per_class: float, seed: int) -> EmbedderInputs:
    """Return hands that make none of the gestures, unlike those that a training with this seed made up.

    `gestures`: the training hands of all classes but `none`, one at least; `per_class`: how many there are of each. Equally
    many random poses and deliberate gestures come back, unless hardly any of one kind is unlike the user's gestures.
    """
    seed += UNUSED_SEED
    rng = np.random.default_rng((seed, 0xDE1))
    own = gestures.take(rng.integers(len(gestures), size=POOL))
    kinds = [
        farther_than(near + reach(per_class) - NEAR, hands, gestures)
        for near, hands in (
            (NEAR_POSED, background_hands(HANDS, seed)),
            (NEAR_DELIBERATE, recombined_hands(own.joined(_deliberate_hands(POOL, rng)), HANDS, seed)),
        )
    ]
    kinds = [hands for hands in kinds if len(hands) >= ENOUGH]
    if not kinds:
        raise ConfigError(
            "Too few hands can be made up that are unlike all of the gestures, so a false-alarm rate cannot be foretold: "
            "choose --score-threshold, or train again with more photos."
        )
    first, *others = (hands.take(np.arange(min(map(len, kinds)))) for hands in kinds)
    return first.joined(*others)


def _surest_gesture(scores: Floats, none: int) -> Floats:
    """Return the score [N] with which each hand is answered with a gesture; 0 where the winner is `none`."""
    return np.where(scores.argmax(axis=1) == none, 0, scores.max(axis=1)).astype(np.float32)


def _surest_right(scores: Floats, classes: npt.NDArray[np.int64], none: int) -> Floats:
    """Return the same for the hands that make a gesture; 0 where the winner is another."""
    gesture = classes != none
    scores, classes = scores[gesture], classes[gesture]
    return np.where(scores.argmax(axis=1) == classes, scores.max(axis=1), 0).astype(np.float32)


def _deliberate_hands(count: int, rng: np.random.Generator) -> EmbedderInputs:
    shapes = [draw_person(number, seed=11).shape for number in range(min(count, PEOPLE))]
    points = np.array([landmarks(shapes[n % len(shapes)], _deliberate_pose(rng)) for n in range(count)], np.float32)
    hands = normalize(points)
    return EmbedderInputs(hands, np.ones((count, 1), np.float32), hands)


def _deliberate_pose(rng: np.random.Generator) -> Pose:
    """Return a pose as gestures are: each finger straight or bent, or rarely between, and the thumb as in a named gesture."""
    kind, between = rng.random(4), rng.random(4)
    bend = np.where(kind < STRAIGHT, 0.0, np.where(kind < STRAIGHT + BENT, 1.0, between))[:, None]
    fingers = (1 - bend) * POSES["open_palm"].fingers + bend * POSES["fist"].fingers
    thumb = POSES[list(POSES)[rng.integers(len(POSES))]].thumb
    pose = POSES["open_palm"].with_angles(np.concatenate([fingers.ravel(), thumb, np.zeros(2)]))
    return jitter(pose, rng).turned(rng.normal(0, 1, 3) * HELD)
