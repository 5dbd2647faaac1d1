"""What a benchmark found, next to what the bare SDKs do in the same run, and the table of it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. Exactly one of `least_ratio` and `most` is its goal."""

    name: str
    unit: str
    value: float
    bare: float | None = None
    """The same by the bare SDKs (or by what the name says), interleaved with ours."""
    least_ratio: float | None = None
    """`value / bare` must be at least this."""
    most: float | None = None
    """`value` must be at most this."""
    notes: tuple[str, ...] = ()
    """What explains the figure, such as where the CPU time went."""

    @property
    def ratio(self) -> float | None:
        """Ours over bare."""
        return self.value / self.bare if self.bare else None

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        if self.most is not None:
            return self.value <= self.most
        assert self.least_ratio is not None, f"{self.name} has no goal"
        return self.ratio is not None and self.ratio >= self.least_ratio

    @property
    def goal(self) -> str:
        """The goal as the table shows it."""
        return f"<= {self.most:g} {self.unit}" if self.most is not None else f"ratio >= {self.least_ratio:g}"


@dataclass(frozen=True)
class Rounds:
    """The figures of interleaved rounds: ours and bare by turns, so that a slow minute slows both."""

    ours: Sequence[float]
    bare: Sequence[float]

    @property
    def medians(self) -> tuple[float, float]:
        """Of ours and of bare; their quotient is the ratio."""
        return statistics.median(self.ours), statistics.median(self.bare)

    @property
    def note(self) -> str:
        """Every round, so that noise shows."""
        return f"rounds: {_listed(self.ours)}; bare: {_listed(self.bare)}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all values do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """A line per figure, its notes below it."""
    lines = [f"{'figure':<46} {'ours':>9} {'bare':>9} {'unit':<8} {'ratio':>6}  {'goal':<14} met"]
    for figure in figures:
        bare = "-" if figure.bare is None else f"{figure.bare:.1f}"
        ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
        met = "yes" if figure.met else "NO"
        lines.append(
            f"{figure.name:<46} {figure.value:>9.1f} {bare:>9} {figure.unit:<8} {ratio:>6}  {figure.goal:<14} {met}"
        )
        lines += [f"    {note}" for note in figure.notes]
    return "\n".join(lines) + "\n"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)
