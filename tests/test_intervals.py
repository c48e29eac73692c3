"""The interval around an accuracy: it holds the truth as often as it says, and is never too sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.evaluation.estimate import Estimate, estimate_from_test, no_estimate
from gesture_maker.evaluation.intervals import Interval, accuracy_interval

answers = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=1, max_size=80)


def interval_of(some: list[tuple[bool, int]]) -> Interval:
    return accuracy_interval(np.array([right for right, _ in some]), np.array([group for _, group in some]))


def plain(some: list[tuple[bool, int]]) -> Interval:
    return accuracy_interval(np.array([right for right, _ in some]), np.arange(len(some)))


@given(answers)
def test_it_holds_the_accuracy_and_is_never_narrower_than_without_groups(some: list[tuple[bool, int]]) -> None:
    found, without = interval_of(some), plain(some)
    assert found.accuracy == pytest.approx(np.mean([right for right, _ in some]))
    assert 0 <= found.low <= found.accuracy <= found.high <= 1
    assert found.low <= without.low + 1e-12
    assert found.high >= without.high - 1e-12
    assert 0 < found.effective <= found.hands == len(some)
    assert found.groups == len({group for _, group in some})


@given(answers)
def test_wrong_answers_are_the_mirror_of_right_ones(some: list[tuple[bool, int]]) -> None:
    found, turned = interval_of(some), interval_of([(not right, group) for right, group in some])
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


@given(answers, st.permutations(range(13)))
def test_names_and_order_mean_nothing(some: list[tuple[bool, int]], names: list[int]) -> None:
    renamed = [(right, names[group]) for right, group in reversed(some)]
    assert vars(interval_of(renamed)) == pytest.approx(vars(interval_of(some)))


def test_without_groups_it_is_the_exact_binomial_interval() -> None:
    """Clopper and Pearson's for 9 of 10: 0.5550 to 0.9975 (their tables); for 50 of 50 the lower end is 0.025^(1/50)."""
    found = plain([(index > 0, 0) for index in range(10)])
    assert (found.low, found.high) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    found = plain([(True, 0)] * 50)
    assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / 50)), 1.0)


def test_photos_that_hang_together_count_less() -> None:
    independent = [(index % 5 > 0, index // 5) for index in range(100)]  # each of 20 people has one of five wrong
    together = [(index // 5 % 5 > 0, index // 5) for index in range(100)]  # every fifth has all of them wrong
    one, other = interval_of(independent), interval_of(together)
    assert one.accuracy == other.accuracy == 0.8
    assert other.effective < 35 < one.effective
    assert other.high - other.low > 1.3 * (one.high - one.low)


def test_no_error_in_few_groups_is_not_taken_for_certain() -> None:
    found = interval_of([(True, index // 10) for index in range(30)])
    assert 0.70 < found.low < 0.76  # of 30 independent hands it would be 0.88
    assert plain([(True, 0)] * 30).low > 0.88


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("accuracy", [0.8, 0.9, 0.97])
@pytest.mark.parametrize(("groups", "size"), [(2, 10), (3, 10), (5, 10), (10, 10), (20, 30), (40, 10)])
def test_it_holds_the_truth_as_often_as_it_says(correlation: float, accuracy: float, groups: int, size: int) -> None:
    """People of whom each has an accuracy of his own, spread about the truth as a beta distribution."""
    rng, draws = np.random.default_rng(1), 400
    spread = (1 - correlation) / correlation if correlation else 0
    held = 0
    for _ in range(draws):
        each = (
            rng.beta(accuracy * spread, (1 - accuracy) * spread, groups) if correlation else np.full(groups, accuracy)
        )
        right = rng.random((groups, size)) < each[:, None]
        found = accuracy_interval(right.ravel(), np.repeat(np.arange(groups), size))
        held += found.low <= accuracy <= found.high
    assert held / draws >= 0.92  # 0.95, less what 400 draws may miss it by


def test_a_plain_interval_would_not() -> None:
    rng, groups, size, accuracy, spread = np.random.default_rng(1), 10, 30, 0.9, 0.9 / 0.1
    held = {"plain": 0, "ours": 0}
    for _ in range(300):
        each = rng.beta(accuracy * spread, (1 - accuracy) * spread, groups)
        right = (rng.random((groups, size)) < each[:, None]).ravel()
        for name, numbers in (("plain", np.arange(len(right))), ("ours", np.repeat(np.arange(groups), size))):
            found = accuracy_interval(right, numbers)
            held[name] += found.low <= accuracy <= found.high
    assert held["plain"] / 300 < 0.75
    assert held["ours"] / 300 > 0.92


@pytest.mark.parametrize(("right", "groups"), [([], []), ([True], []), ([True], [1, 2])])
def test_bad_input_interval(right: list[bool], groups: list[int]) -> None:
    with pytest.raises(ValueError, match="answers"):
        accuracy_interval(np.array(right, bool), np.array(groups, np.int64))


# In sentences


def told(groups: list[str], wrong: int = 2) -> Estimate:
    return estimate_from_test(np.arange(len(groups)) >= wrong, groups)


def test_the_estimate_names_its_numbers_and_where_they_come_from() -> None:
    found = told([f"p{index // 5}" for index in range(60)])
    assert found.interval is not None
    assert found.sentences == (
        "Estimate for people like these: 96.7 % right (95 % interval 82 to 100 %), by the test part over 12 groups "
        "(people or bursts).",
    )
    assert found.as_dict()["low"] == found.interval.low
    assert (found.groups, found.ungrouped) == (12, 0)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([""] * 60, ["for photos like these", "over 60 photos.", "carry no groups", "--group-by"]),
        (["a", "b", "c"] * 20, ["over 3 groups", "no more than a guess: photograph 3 more people"]),
        (["me"] * 60, ["over 1 group ", "of one person or burst", "Photograph 3 more people"]),
        ([*(["me"] * 59), ""], ["over 1 group (people or bursts) and 1 photo without one", "a guess"]),
    ],
)
def test_the_estimate_says_when_it_knows_little(groups: list[str], words: list[str]) -> None:
    text = " ".join(told(groups).sentences)
    for word in words:
        assert word in text


def test_many_groups_need_no_warning() -> None:
    assert len(told([f"p{index}" for index in range(60)]).sentences) == 1


def test_what_cannot_be_known_is_said() -> None:
    assert "one photo of each class" in no_estimate(["", "", ""]).sentences[0]
    assert no_estimate(["me", "me"]).as_dict()["accuracy"] is None
