"""Both hands make the same gesture: photos looked at in a mirror, and a hand that the landmarker calls by the wrong name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import QUICK, TrainingNotWantedError

from gesture_maker import train
from gesture_maker.embedders.builtin import embed
from gesture_maker.errors import GestureMakerError
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.training.augment import mirrored
from gesture_maker.training.background import background_hands
from gesture_maker.training.run import Run
from gesture_maker.training.session import load_trained


def prepared_run(dataset: Path, runs: Path, **settings: bool) -> Run:
    with pytest.raises(TrainingNotWantedError) as stopped:
        train(dataset, name="first", settings=settings, runs=runs)
    error = stopped.value
    assert isinstance(error, GestureMakerError)
    return error.run


def rows(hands: EmbedderInputs) -> list[bytes]:
    return [hand.tobytes() for hand in hands.world_hand]


def test_hands_joined_and_replaced_keep_their_order() -> None:
    one, two = background_hands(5, 0), background_hands(3, 1)
    assert rows(one.joined(two, one)) == rows(one) + rows(two) + rows(one)
    replaced = one.replaced([4, 0], two.take([0, 2]))
    assert rows(replaced) == [rows(two)[2], *rows(one)[1:4], rows(two)[0]]
    assert rows(one.replaced([], two.take([]))) == rows(one)
    assert rows(one) == rows(background_hands(5, 0))  # themselves unchanged


@pytest.mark.usefixtures("no_training")
def test_training_hands_have_their_mirror_images(drawn: Path, tmp_path: Path) -> None:
    run = prepared_run(drawn, tmp_path)
    hands, other = run.hands("train"), run.mirrored_hands("train")
    assert other is not None
    assert len(other) == len(hands) == 48
    assert ((hands.handedness > 0.5) != (other.handedness > 0.5)).mean() > 0.9  # the landmarker's own opinion
    # Another look of the landmarker, not the same numbers turned round, and yet the same gesture.
    assert sum(a != b for a, b in zip(rows(mirrored(hands)), rows(other), strict=True)) > 40
    apart = np.linalg.norm(embed(hands)[:, None] - embed(other)[None], axis=-1)
    classes = run.embeddings("train").classes
    assert (classes[apart.argmin(axis=1)] == classes).mean() > 0.95


@pytest.mark.usefixtures("no_training")
def test_without_mirror_there_are_none(drawn: Path, tmp_path: Path) -> None:
    run = prepared_run(drawn, tmp_path, mirror=False)
    assert run.mirrored_hands("train") is None
    assert run.description["settings"]["mirror"] is False


def test_one_wrong_name_of_a_hand_does_not_change_the_gesture(drawn: Path, tmp_path: Path) -> None:
    run = train(drawn, name="first", estimate=False, runs=tmp_path).run
    head, hands = load_trained(run), run.hands("train")
    wrong = EmbedderInputs(hands.hand, 1 - hands.handedness, hands.world_hand)
    rightly, wrongly = (head.scores(embed(one)).argmax(axis=1) for one in (hands, wrong))
    assert (rightly == run.embeddings("train").classes).mean() > 0.97
    assert (rightly == wrongly).mean() > 0.97


def test_a_trained_run_says_that_it_looked_in_a_mirror(drawn: Path, tmp_path: Path) -> None:
    with_mirror = train(drawn, name="with", estimate=False, settings=QUICK, runs=tmp_path).run
    without = train(drawn, name="without", estimate=False, settings=QUICK | {"mirror": False}, runs=tmp_path).run
    assert with_mirror.description["settings"]["mirror"] is True
    scores = [load_trained(run).scores(run.embeddings("train").embeddings) for run in (with_mirror, without)]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
