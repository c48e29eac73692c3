"""Which photos are looked at in a mirror too, to see what the other hand looks like to the landmarker.

A second look at every photo would double the longest part of the work. The mirror images of the photos that are not chosen
are computed from their landmarks (`training/augment.py` says why that is not the same).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MIRROR_LOOKS = 100
"""Mean accuracy on people not trained on, of their photos and of their mirror images, by cross-validation over the 90 training
people of the Sign Language Digits, with at most so many photos looked at in a mirror:

                          k = 10           k = 30           k = 60
    no mirror images      0.996  0.986     0.997  0.986     0.997  0.984
    all computed          0.997  0.986     0.997  0.986     0.997  0.984
    100                   0.996  0.987     0.996  0.987     0.996  0.986
    200                   0.996  0.987     0.996  0.988     0.997  0.985
    400                   0.996  0.987     0.996  0.988     0.997  0.986
    all                   0.996  0.987     0.996  0.988     0.996  0.987

On the 30 test people, trained on all 90 (five seeds): 0.980 of the mirrored photos with all computed, 0.985 with 100, 0.985 with
200; 0.993 of the photos with any.
"""

_DIGITS = 16  # of a checksum that decide the order; two photos that agree in them are the same photo


def to_mirror(
    labels: Sequence[str], shas: Sequence[str] | npt.NDArray[np.bytes_], usable: npt.ArrayLike, limit: int
) -> npt.NDArray[np.int64]:
    """Return which of N photos to look at in a mirror, sorted: `limit` of the usable ones, equally many of every class.

    `shas`: SHA-256 in hexadecimal, which decide: the same photos are chosen whatever they are called and wherever they lie. A
    class with fewer photos than its share leaves the rest to the others.
    """
    candidates = np.flatnonzero(np.asarray(usable, bool))
    if limit <= 0 or not len(candidates):
        return np.zeros(0, np.int64)
    digits = np.asarray(shas, f"S{_DIGITS}")[candidates].view(">u8").reshape(-1, _DIGITS // 8)
    number = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    classes = np.fromiter((number[label] for label in labels), np.int64, len(labels))[candidates]
    order = np.lexsort((digits[:, 1], digits[:, 0], classes))
    starts = np.searchsorted(classes[order], classes[order])  # where each one's class begins
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - starts  # of each photo within its class
    chosen = np.lexsort((digits[:, 1], digits[:, 0], place))[:limit]
    return np.sort(candidates[chosen])
