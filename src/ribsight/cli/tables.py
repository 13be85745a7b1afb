"""Small tables and counts for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_table(rows: Sequence[Sequence[str | int]]) -> None:
    """Print rows in columns, the first left-aligned, the others right-aligned."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            f"{value!s:<{width}}" if column == 0 else f"{value!s:>{width}}"
            for column, (value, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join((first, *rest)))


def counted(count: int, noun: str) -> str:
    """Return "1 noun" or "N nouns"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
