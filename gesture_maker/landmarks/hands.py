"""A hand as MediaPipe's landmarker describes it, and what GestureRecognizer hands on to its embedder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

POINTS = 21
"""Wrist, then thumb, index, middle, ring and little finger with four points each, from the palm outwards."""

CONNECTIONS: tuple[tuple[int, int], ...] = (
    *((0, 1), (1, 2), (2, 3), (3, 4)),
    *((0, 5), (5, 6), (6, 7), (7, 8)),
    *((9, 10), (10, 11), (11, 12)),
    *((13, 14), (14, 15), (15, 16)),
    *((0, 17), (17, 18), (18, 19), (19, 20)),
    *((5, 9), (9, 13), (13, 17)),
)  # fmt: skip
"""The lines that make a skeleton of the points."""

ROW_SIZE = 2 * 3 * POINTS + 1
"""Numbers in a row that holds one hand, see `EmbedderInputs.rows`."""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand found in a photo.

    `landmarks`: float32 [21, 3]; x and y as shares of the photo's width and height (outside 0..1 when the point lies beyond
    the edge), z in the scale of x, smaller is nearer. `world`: float32 [21, 3] in metres from the hand's centre.
    `handedness`: the probability of a right hand, 0..1. `width`, `height`: of the upright photo, pixels. `margin`: pixels of
    replicated border with which the hand was found.
    """

    landmarks: Floats
    world: Floats
    handedness: float
    width: int
    height: int
    margin: int = 0

    def __post_init__(self) -> None:
        for name in ("landmarks", "world"):
            shape = np.shape(getattr(self, name))
            if shape != (POINTS, 3):
                raise ValueError(f"{name} has the shape {shape}, not (21, 3)")


@dataclass(frozen=True)
class NoHand:
    """A photo without a usable hand, and why in a few words."""

    reason: str


NOT_FOUND = NoHand("no hand found")

HandOrNot = Hand | NoHand


@dataclass(frozen=True, eq=False)
class EmbedderInputs:
    """What the runtime feeds its gesture embedder, for N hands.

    `hand`: float32 [N, 21, 3]; `handedness`: float32 [N, 1], probability of right; `world_hand`: float32 [N, 21, 3].
    """

    hand: Floats
    handedness: Floats
    world_hand: Floats

    def __len__(self) -> int:
        return len(self.hand)

    def take(self, indices: npt.ArrayLike) -> EmbedderInputs:
        """Return the hands at `indices` (or where a boolean mask is true)."""
        return EmbedderInputs(self.hand[indices], self.handedness[indices], self.world_hand[indices])  # type: ignore[index]

    def joined(self, *others: EmbedderInputs) -> EmbedderInputs:
        """Return these hands and then the others."""
        every = (self, *others)
        return EmbedderInputs(
            np.concatenate([one.hand for one in every]),
            np.concatenate([one.handedness for one in every]),
            np.concatenate([one.world_hand for one in every]),
        )

    def rows(self) -> Floats:
        """Return the hands as float32 [N, 127], which is what scikit-learn's estimators take.

        The 63 numbers of `hand` (x, y, z of each point in turn), `handedness`, and the 63 numbers of `world_hand`.
        """
        count = len(self)
        parts = (self.hand.reshape(count, 3 * POINTS), self.handedness, self.world_hand.reshape(count, 3 * POINTS))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    @classmethod
    def from_rows(cls, rows: npt.ArrayLike) -> EmbedderInputs:
        """Return the hands of `rows`. Raises ValueError for another shape than [N, 127]."""
        rows = np.asarray(rows, np.float32)
        if rows.ndim != 2 or rows.shape[1] != ROW_SIZE:
            raise ValueError(f"hands as rows have the shape (N, {ROW_SIZE}), not {rows.shape}")
        hand, handedness, world = np.split(rows, [3 * POINTS, 3 * POINTS + 1], axis=1)
        return cls(hand.reshape(-1, POINTS, 3), handedness, world.reshape(-1, POINTS, 3))

    def replaced(self, indices: list[int], others: EmbedderInputs) -> EmbedderInputs:
        """Return these hands with `others` in the places `indices`."""
        result = EmbedderInputs(self.hand.copy(), self.handedness.copy(), self.world_hand.copy())
        result.hand[indices], result.handedness[indices] = others.hand, others.handedness
        result.world_hand[indices] = others.world_hand
        return result


def embedder_inputs(hands: list[Hand]) -> EmbedderInputs:
    """Return what GestureRecognizer computes from these hands before its embedder.

    Source: MediaPipe's LandmarksToMatrixCalculator and HandednessToMatrixCalculator. Image landmarks are first made square
    by the longer side of the image that the landmarker saw (the bordered one); z stays as it is, in shares of the width.
    Then both sets are moved so that the wrist is the origin and divided by max(range of x, range of y) + 1e-5.
    """
    count = len(hands)
    hand = np.empty((count, POINTS, 3), np.float32)
    for row, one in enumerate(hands):
        seen = np.array([one.width, one.height], np.float32) + 2 * one.margin  # width and height the landmarker saw
        longer = seen.max()
        hand[row, :, 0] = one.landmarks[:, 0] * (one.width / longer)
        hand[row, :, 1] = one.landmarks[:, 1] * (one.height / longer)
        hand[row, :, 2] = one.landmarks[:, 2] * (one.width / seen[0])
    world = np.array([one.world for one in hands], np.float32).reshape(count, POINTS, 3)
    handedness = np.array([[one.handedness] for one in hands], np.float32).reshape(count, 1)
    return EmbedderInputs(normalize(hand), handedness, normalize(world))


def normalize(points: npt.ArrayLike) -> Floats:
    """Return landmarks [N, 21, 3] with the wrist at the origin, divided by max(range of x, range of y) + 1e-5.

    Source: LandmarksToMatrixCalculator with object_normalization, origin offset 0.
    """
    points = np.asarray(points, np.float32)
    moved = points - points[:, :1]
    ranges = moved[..., :2].max(axis=1) - moved[..., :2].min(axis=1) if len(moved) else np.zeros((0, 2), np.float32)
    scale = ranges.max(axis=1, initial=0)[:, None, None] + np.float32(1e-5)
    return np.asarray(moved / scale, np.float32)
