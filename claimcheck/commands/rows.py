"""Rows of things for whoever reads: a table on a terminal, lines with tabs for programs, JSON on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from claimcheck.commands.calling import printable, standard_output, write

Item = TypeVar("Item", bound=BaseModel)
Columns = Mapping[str, Callable[[Item], str]]
"""A column's title, and what is in it."""


def print_items(items: Iterable[Item], columns: Columns[Item], *, as_json: bool, whole: str) -> None:
    """Print a list: as a table on a terminal. The column `whole` is never cut: it is there to be copied."""
    if standard_output().isatty() and not as_json:
        Console().print(_table([_row(item, columns) for item in items], list(columns), whole))
    else:
        print_lines(items, columns, as_json=as_json)


def print_lines(items: Iterable[Item], columns: Columns[Item], *, as_json: bool) -> None:
    """Print each as it comes, a line each, on a terminal too: what has been done must not wait for what will be."""
    for item in items:
        write((item.model_dump_json(exclude_none=True) if as_json else "\t".join(_row(item, columns))) + "\n")


def local(at: datetime) -> str:
    """A time for people: theirs, to the minute."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def _row(item: Item, columns: Columns[Item]) -> list[str]:
    return [printable(text(item)) for text in columns.values()]


def _table(rows: list[list[str]], titles: list[str], whole: str) -> Table:
    made = Table(box=None, pad_edge=False)
    for number, title in enumerate(titles):
        width = max((len(row[number]) for row in rows), default=None) if title == whole else None
        made.add_column(title, no_wrap=True, min_width=width)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made
