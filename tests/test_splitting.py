"""The split: groups stay whole, every class is trained on, and what cannot be done is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.splitting import ALL, DEFAULT_SHARES, FEW, PARTS, Split, default_shares, parse_shares, split
from gesture_maker.errors import ConfigError, DatasetError

labels = st.sampled_from(["none", "rock", "paper", "scissors"])
groups = st.none() | st.sampled_from([f"p{number}" for number in range(12)])


def mixed(by_label: dict[str, list[str | None]], order: int) -> list[tuple[str, str | None]]:
    """Return the photos as (label, group) in a random order."""
    rows = [(label, group) for label, its in by_label.items() for group in its]
    Random(order).shuffle(rows)
    return rows


photos = st.builds(
    mixed, st.dictionaries(labels, st.lists(groups, min_size=3, max_size=25), min_size=1), st.integers(0, 1000)
)
shares = (
    st.tuples(st.integers(1, 98), st.integers(1, 98))
    .filter(lambda pair: sum(pair) <= 100)
    .map(lambda pair: (*pair, 100 - sum(pair)))
)
seeds = st.integers(0, 2**32 - 1)


def split_of(some: Sequence[tuple[str, str | None]], wanted: tuple[int, int, int], seed: int = 0) -> Split:
    """Return the split of photos given as (label, group)."""
    return split([label for label, _ in some], [group for _, group in some], wanted, seed)


def parts_of(labels: Sequence[str], parts: Sequence[str]) -> dict[str, set[str]]:
    """Return the classes in each part."""
    return {part: {label for label, its in zip(labels, parts, strict=True) if its == part} for part in PARTS}


@given(photos, shares, seeds)
def test_a_split_keeps_its_promises(
    some: list[tuple[str, str | None]], wanted: tuple[int, int, int], seed: int
) -> None:
    result = split_of(some, wanted, seed)
    names = [label for label, _ in some]
    assert len(result.parts) == len(some)
    assert set(result.parts) <= set(PARTS)
    classes = parts_of(names, result.parts)
    assert classes["train"] == set(names)  # every class is trained on
    assert 2 * len(classes["validation"]) > len(set(names))  # and the best epoch is chosen by most of them
    if not wanted[2]:
        assert not classes["test"]
    sides: dict[str, set[str]] = {}
    for (_, group), part in zip(some, result.parts, strict=True):
        if group:
            sides.setdefault(group, set()).add(part)
    own_validation = not any("validation part of its own" in sentence for sentence in result.warnings)
    for parts in sides.values():
        # The test part never shares a group; validation does only when it says so.
        assert len(parts) == 1 or (not own_validation and parts == {"train", "validation"})
    if wanted[2] and classes["test"] != set(names):
        assert result.warnings  # a class that is not tested is never passed over in silence


@given(photos, shares, seeds)
def test_the_same_photos_and_seed_make_the_same_split(
    some: list[tuple[str, str | None]], wanted: tuple[int, int, int], seed: int
) -> None:
    assert split_of(some, wanted, seed) == split_of(some, wanted, seed)


def test_another_seed_makes_another_split() -> None:
    names = ["none", "rock"] * 50
    assert len({split(names, [None] * 100, seed=seed).parts for seed in range(5)}) == 5


@given(st.lists(st.integers(3, 120), min_size=1, max_size=5), shares, seeds)
def test_single_photos_are_shared_out_as_wanted(counts: list[int], wanted: tuple[int, int, int], seed: int) -> None:
    names = [f"c{number}" for number, count in enumerate(counts) for _ in range(count)]
    result = split(names, [None] * len(names), wanted, seed)
    assert result.warnings == ()
    for number, count in enumerate(counts):
        dealt = Counter(part for label, part in zip(names, result.parts, strict=True) if label == f"c{number}")
        for part, share in zip(PARTS, wanted, strict=True):
            # At least one photo in each part, and otherwise within two of the share.
            assert bool(dealt[part]) == bool(share)
            assert dealt[part] == 1 or abs(dealt[part] - share / 100 * count) <= 2


@pytest.mark.parametrize("people", [10, 20, 30])
def test_people_are_shared_out_as_wanted(people: int) -> None:
    who = [(label, f"p{person}") for person, label, _ in product(range(people), ["none", "rock", "ok"], range(4))]
    result = split([label for label, _ in who], [person for _, person in who])
    assert result.warnings == ()
    shared = Counter(result.parts)
    for part, share in zip(PARTS, DEFAULT_SHARES, strict=True):
        assert shared[part] / len(who) == pytest.approx(share / 100, abs=1 / people)


@pytest.mark.parametrize(("count", "wanted"), [(2, (80, 10, 10)), (1, (80, 20, 0)), (1, (80, 10, 10))])
def test_bad_input_a_class_with_too_few_hands(count: int, wanted: tuple[int, int, int]) -> None:
    names = ["none"] * 10 + ["rock"] * count
    hands = "1 usable hand" if count == 1 else "2 usable hands"
    with pytest.raises(DatasetError, match=rf'^The class "rock" has {hands}, but .* needs at least \d.*\.$'):
        split(names, [None] * len(names), wanted)


def test_without_a_test_share_a_class_of_two_is_enough() -> None:
    result = split(["none", "none", "rock", "rock"], [None] * 4, (80, 20, 0))
    assert Counter(result.parts) == {"train": 2, "validation": 2}
    assert result.warnings == ()


def test_one_group_has_no_test_part() -> None:
    names = ["none", "rock"] * 20
    result = split(names, ["me"] * 40)
    classes = parts_of(names, result.parts)
    assert classes == {"train": {"none", "rock"}, "validation": {"none", "rock"}, "test": set()}
    assert Counter(result.parts)["validation"] == pytest.approx(40 / 9, abs=2)
    assert "nothing can be held back to test" in " ".join(result.warnings)


def test_of_two_groups_the_smaller_is_the_test_part() -> None:
    who = ["me"] * 30 + ["you"] * 10
    names = ["none", "rock"] * 20
    result = split(names, who)
    assert {part for person, part in zip(who, result.parts, strict=True) if person == "you"} == {"test"}
    assert {part for person, part in zip(who, result.parts, strict=True) if person == "me"} == {"train", "validation"}
    assert len(result.warnings) == 1
    assert "validation part of its own" in result.warnings[0]


@pytest.mark.parametrize("videos", [1, 2, 3, 4])
def test_a_class_from_a_few_videos_still_leaves_something_to_validate_and_test(videos: int) -> None:
    """A video is a group: with one per class, groups alone would leave nothing but a training part."""
    rows = [(label, f"{label}{n}.mp4") for label in ("none", "rock", "ok") for n in range(videos) for _ in range(30)]
    names = [label for label, _ in rows]
    result = split(names, [film for _, film in rows])
    classes = parts_of(names, result.parts)
    assert classes["train"] == classes["validation"] == {"none", "rock", "ok"}
    assert classes["test"] == ({"none", "rock", "ok"} if videos > 1 else set())
    assert bool(result.warnings) == (videos < 3)
    films: dict[str, set[str]] = {}
    for (_, film), part in zip(rows, result.parts, strict=True):
        films.setdefault(film, set()).add(part)
    assert all(len(parts) == 1 or parts == {"train", "validation"} for parts in films.values())


def test_a_class_of_one_person_is_trained_on_and_the_others_are_tested() -> None:
    rows = [(label, f"p{person}") for person in range(20) for label in ("none", "rock", "ok")]
    rows += [("secret", "p3")] * 5
    names = [label for label, _ in rows]
    result = split(names, [person for _, person in rows])
    classes = parts_of(names, result.parts)
    assert classes["train"] == {"none", "rock", "ok", "secret"}
    assert classes["test"] == {"none", "rock", "ok"}
    assert result.warnings == ('The test part has no photos of "secret": all their groups are needed for training.',)


def test_a_class_that_only_the_smaller_of_two_groups_has_is_trained_on() -> None:
    names = ["none", "rock"] * 15 + ["none", "rock", "secret"] * 3
    result = split(names, ["me"] * 30 + ["you"] * 9)
    assert parts_of(names, result.parts)["train"] == {"none", "rock", "secret"}
    assert result.warnings


@given(photos, seeds)
def test_all_are_trained_on_when_that_is_wanted(some: list[tuple[str, str | None]], seed: int) -> None:
    assert split_of(some, ALL, seed) == Split(("train",) * len(some))
    assert split_of(some[:1], ALL, seed).parts == ("train",) * len(some[:1])


# The shares


def test_few_hands_are_not_split_unless_asked_for() -> None:
    assert {default_shares(hands) for hands in (1, 3, FEW - 1)} == {ALL}
    assert {default_shares(hands) for hands in (FEW, 10_000)} == {DEFAULT_SHARES}
    assert parse_shares("100,0,0") == ALL


@given(shares)
def test_shares_are_read_as_they_are_written(wanted: tuple[int, int, int]) -> None:
    assert parse_shares(",".join(map(str, wanted))) == wanted
    assert parse_shares(" , ".join(map(str, wanted))) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "80,20",
        "80,10,5",
        "80,10,10,0",
        "a,b,c",
        "80,10,10%",
        "80.5,9.5,10",
        "110,-5,-5",
        "0,50,50",
        "90,0,10",
        "99,0,1",
    ],
)
def test_bad_input_shares(text: str) -> None:
    with pytest.raises(ConfigError, match="three whole numbers that add up to 100"):
        parse_shares(text)


@given(st.text(max_size=12))
def test_bad_input_any_text_as_shares(text: str) -> None:
    try:
        found = parse_shares(text)
    except ConfigError:
        return
    assert sum(found) == 100
    assert min(found[:2]) > 0 or found == ALL
