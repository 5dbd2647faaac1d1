"""Find a circle in what a search has seen. Pure."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

Numbers = np.ndarray[tuple[int], np.dtype[Any]]


def find_circle(count: int, source: array[int], target: array[int]) -> list[int]:
    """Some circle among `count` states, in its order; empty: there is none.

    Step n goes from source[n] to target[n]; the steps are ordered by where they start.
    """
    if not source:
        return []
    starts, ends = np.frombuffer(source, dtype=np.int32), np.frombuffer(target, dtype=np.int32)
    left = _reached_from_circles(count, starts, ends)
    if not left.any():
        return []
    inside = left[starts] & left[ends]
    before = np.zeros(count, dtype=np.int32)
    before[ends[inside]] = starts[inside]
    # Whatever is left has a step into it from something that is left: going back ends in a circle.
    way: list[int] = []
    at = int(np.flatnonzero(left)[0])
    seen: dict[int, int] = {}
    while at not in seen:
        seen[at] = len(way)
        way.append(at)
        at = int(before[at])
    return way[seen[at] :][::-1]


def _reached_from_circles(count: int, starts: Numbers, ends: Numbers) -> Numbers:
    """Which states lie on a circle or behind one: take away, layer by layer, those that nothing leads to (Kahn)."""
    first = np.searchsorted(starts, np.arange(count + 1))
    ways_in = np.bincount(ends, minlength=count)
    left = np.ones(count, dtype=bool)
    layer = np.flatnonzero(ways_in == 0)
    while layer.size:
        left[layer] = False
        steps = first[layer + 1] - first[layer]
        offsets = np.repeat(first[layer] - np.concatenate(([0], np.cumsum(steps)[:-1])), steps)
        reached = ends[offsets + np.arange(steps.sum())]
        np.subtract.at(ways_in, reached, 1)
        candidates = np.unique(reached)
        layer = candidates[ways_in[candidates] == 0]
    return left
