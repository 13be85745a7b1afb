"""The options of `ribsight cohort build` that say which records belong to which images."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ribsight.cohort.join_rule import JoinRule

_Command = TypeVar("_Command", bound="Callable[..., None]")
_CHOICES = {
    "join": (["image", "study", "accession", "patient"], "image", "By what rows and images meet."),
    "direction": (
        ["both", "after", "before"],
        "both",
        "Of the record's time, seen from the film.",
    ),
    "pick": (["nearest", "all"], "nearest", "Which of a patient's records in the window."),
    "combine": (
        ["strongest", "latest", "agree"],
        "strongest",
        "Several records of one image: positive first, the last, or uncertain if they differ.",
    ),
    "study-label": (
        ["frontal", "all"],
        "frontal",
        "Views to which the label of a study or patient applies.",
    ),
}


def join_options(command: _Command) -> _Command:
    """Add the options to a command; `join_rule` takes their values."""
    options = [
        click.option(
            f"--{name}",
            "by" if name == "join" else name.replace("-", "_"),
            type=click.Choice(values),
            default=default,
            show_default=True,
            help=text,
        )
        for name, (values, default, text) in _CHOICES.items()
    ]
    options += [
        click.option(
            "--key-column", "key", metavar="COLUMN",
            help="Holds study, accession or patient. [default: the word itself]",
        ),
        click.option("--date-column", "date", metavar="COLUMN", help="When a record was made."),
        click.option("--within", metavar="2d|36h", help="Of the film, with --join patient."),
        click.option(
            "--carry-forward", "carry", type=click.IntRange(min=0), default=0, metavar="DAYS",
            help="After a positive record, films without one are uncertain, healing.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def join_rule(
    by: str,
    direction: str,
    pick: str,
    combine: str,
    study_label: str,
    key: str | None,
    date: str | None,
    within: str | None,
    carry: int,
) -> JoinRule:
    """Return the rule that the options declare.

    Raises:
        RibsightError: options that do not go together.
    """
    from ribsight.cohort.join_rule import (
        Combine,
        Direction,
        JoinBy,
        JoinRule,
        Pick,
        StudyLabel,
        parse_window,
    )

    return JoinRule(
        by=JoinBy(by),
        key="" if by == "image" else key or by,
        date=date,
        window=parse_window(within) if within else None,
        direction=Direction(direction),
        pick=Pick(pick),
        combine=Combine(combine),
        study_label=StudyLabel(study_label),
        carry_days=carry,
    )
