"""A random forest as tensor operations, in the two ways of tree compilers.

Source: S. Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction Serving" (OSDI 2020). Its strategy "GEMM" takes all
decisions of a tree at once, and a product with the matrix of paths says which leaf they lead to; "TreeTraversal" goes from node to
node, in all trees at a time, by gathering. The matrices grow with the square of a tree. Measured on two x86-64 cores, one of them
used, with landmarks of 10 classes (TFLite file, time for a hand):

    hands     trees, depth     nodes of a tree     GEMM                  traversal
    100        50, 10              36              0.2 MB   0.03 ms      0.03 MB  0.02 ms
    300        50, 10              67              0.6 MB   0.07 ms      0.04 MB  0.03 ms
    300       200, any             69              2.5 MB   0.19 ms      0.13 MB  0.06 ms
    953       200, any            123              8.5 MB   0.84 ms      0.22 MB  0.10 ms
    4,765     200, any            384             92   MB   9.3  ms      0.64 MB  0.15 ms
    23,825    200, any            971               -                    1.6  MB  0.15 ms

On a processor traversal is never worse. GEMM is kept for forests of up to `MOST_OF_PATHS`, where it costs 0.05 ms more at most and
asks for products alone, which accelerators know and gathering by computed numbers they often do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import Floats

Integers = npt.NDArray[np.int32]

MOST_OF_PATHS = 1 << 20
"""Bytes of the matrices of paths up to which a forest is written as GEMM."""


@dataclass(frozen=True, eq=False)
class Forest:
    """All trees in one set of arrays, in which equal leaves are one node.

    The first I nodes decide, the other U are leaves. `feature`, `threshold`: [I + U], a hand goes to the left where that feature
    is not above the threshold; `children`: [I + U, 2], left and right, those of a leaf are itself; `roots`: [T];
    `leaves`: float64 [U, labels], shares of the labels; `depth`: of the deepest leaf, 0 when each tree is a leaf.
    """

    feature: Integers
    threshold: Floats
    children: Integers
    roots: Integers
    leaves: npt.NDArray[np.float64]
    depth: int

    @property
    def deciding(self) -> int:
        """How many nodes are no leaves."""
        return len(self.feature) - len(self.leaves)

    @classmethod
    def of(cls, estimator: Any, labels: int) -> Forest:
        """Return the arrays of a fitted RandomForestClassifier whose classes are indices into so many labels."""
        trees = [one.tree_ for one in estimator.estimators_]
        is_leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        shares = np.concatenate([tree.value[:, 0] for tree in trees])[is_leaf]
        shares = np.round(shares / shares.sum(axis=1, keepdims=True), 12)  # equal ones may differ in their last bit
        unique, which = np.unique(shares, axis=0, return_inverse=True)
        leaves = np.zeros((len(unique), labels))
        leaves[:, estimator.classes_] = unique
        deciding = int((~is_leaf).sum())
        number = np.empty(len(is_leaf), np.int64)  # of each node of all trees among ours
        number[~is_leaf] = np.arange(deciding)
        number[is_leaf] = deciding + which.reshape(-1)
        firsts = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        children = np.concatenate(
            [
                first + np.stack([tree.children_left, tree.children_right], axis=1)
                for first, tree in zip(firsts, trees, strict=True)
            ]
        )
        own = deciding + np.arange(len(unique))
        threshold = np.concatenate([tree.threshold for tree in trees])[~is_leaf]
        return cls(
            np.append(np.concatenate([tree.feature for tree in trees])[~is_leaf], np.zeros(len(unique))).astype(
                np.int32
            ),
            np.append(rounded_down(threshold), np.full(len(unique), np.inf)).astype(np.float32),
            np.concatenate([number[children[~is_leaf]], np.stack([own, own], axis=1)]).astype(np.int32),
            number[firsts].astype(np.int32),
            leaves,
            max(int(tree.max_depth) for tree in trees),
        )


def rounded_down(thresholds: npt.NDArray[np.float64]) -> Floats:
    """Return the largest float32 that is not above each threshold.

    scikit-learn compares float32 features with float64 thresholds: a float32 number is above the one exactly if it is above
    the other.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and rounded down the largest
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.asarray(np.where(nearest > thresholds, below, nearest), np.float32)


def by_traversal(tf: Any, forest: Forest, features: Any) -> Any:
    """Return the scores [1, labels] of features [F]: all trees go down a node as often as the deepest of them is deep."""
    feature, threshold = tf.constant(forest.feature), tf.constant(forest.threshold)
    children = tf.constant(forest.children.reshape(-1))
    node = tf.constant(forest.roots)
    for _ in range(forest.depth):
        is_right = tf.gather(features, tf.gather(feature, node)) > tf.gather(threshold, node)
        node = tf.gather(children, 2 * node + tf.cast(is_right, tf.int32))
    shares = tf.gather(tf.constant(forest.leaves.astype(np.float32)), node - forest.deciding)
    return tf.reduce_mean(shares, axis=0, keepdims=True)


@dataclass(frozen=True, eq=False)
class Paths:
    """A forest as matrices of the GEMM strategy: T trees, padded to I decisions and L leaves.

    `feature`, `threshold`: [T, I]; `paths`: [T, I, L], 1 where the leaf is to the left of the decision, -1 to its right, else 0;
    `lefts`: [T, L], how often the way to the leaf goes left; `shares`: [T * L, labels], of the labels, divided by T.
    """

    feature: Integers
    threshold: Floats
    paths: Floats
    lefts: Floats
    shares: Floats

    @classmethod
    def of(cls, forest: Forest) -> Paths | None:
        """Return the matrices of a forest; None where they would be larger than `MOST_OF_PATHS`."""
        ways = [list(_ways(forest, int(root))) for root in forest.roots]
        decisions = [sorted({node for _, way in tree for node, _ in way}) for tree in ways]
        trees, most, widest = len(ways), max(1, *map(len, decisions)), max(map(len, ways))
        if 4 * trees * most * widest > MOST_OF_PATHS:
            return None
        feature, threshold = np.zeros((trees, most), np.int32), np.zeros((trees, most), np.float32)
        paths, lefts = np.zeros((trees, most, widest), np.float32), np.full((trees, widest), most + 1, np.float32)
        shares = np.zeros((trees, widest, forest.leaves.shape[1]), np.float32)
        for tree, its_decisions in enumerate(decisions):
            place = {node: index for index, node in enumerate(its_decisions)}
            feature[tree, : len(place)] = forest.feature[its_decisions]
            threshold[tree, : len(place)] = forest.threshold[its_decisions]
            for leaf, (node, way) in enumerate(ways[tree]):
                shares[tree, leaf] = forest.leaves[node - forest.deciding] / trees
                lefts[tree, leaf] = sum(is_left for _, is_left in way)
                for decision, is_left in way:
                    paths[tree, place[decision], leaf] = 1 if is_left else -1
        return cls(feature, threshold, paths, lefts, shares.reshape(trees * widest, -1))


def by_paths(tf: Any, paths: Paths, features: Any) -> Any:
    """Return the scores [1, labels] of features [F].

    In the words of the paper: features selected by A and compared with B, their product with C compared with D, and that times E.
    Only here A gathers, where a matrix of ones and zeros would be 64 times as large as B.
    """
    trees, most = paths.feature.shape
    is_left = tf.gather(features, tf.constant(paths.feature.reshape(-1))) <= tf.constant(paths.threshold.reshape(-1))
    is_left = tf.reshape(tf.cast(is_left, tf.float32), [trees, 1, most])
    reached = tf.equal(tf.matmul(is_left, tf.constant(paths.paths)), tf.constant(paths.lefts[:, None]))
    return tf.matmul(tf.reshape(tf.cast(reached, tf.float32), [1, -1]), tf.constant(paths.shares))


def _ways(forest: Forest, root: int) -> Iterator[tuple[int, tuple[tuple[int, bool], ...]]]:
    """Yield each leaf of a tree, with the nodes on the way to it and whether it goes left there."""
    waiting: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(root, ())]
    while waiting:
        node, way = waiting.pop()
        if node >= forest.deciding:
            yield node, way
        else:
            left, right = forest.children[node].tolist()
            waiting += [(right, (*way, (node, False))), (left, (*way, (node, True)))]
