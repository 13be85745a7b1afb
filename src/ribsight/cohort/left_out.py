"""What was given and is not in the cohort."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.files import write_text


@dataclass(frozen=True)
class LeftOut:
    """Something given that is not in the cohort: its file, row or annotation if any, and why."""

    file: str
    row: str
    reason: str


def write_left_out(left_out: Sequence[LeftOut], path: Path) -> None:
    """Write what was left out as CSV: file, row, reason.

    Raises:
        RibsightError: `path` cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "reason"])
    writer.writerows([one.file, one.row, one.reason] for one in left_out)
    write_text(path, text.getvalue())


def read_left_out(path: Path) -> list[LeftOut]:
    """Read what `write_left_out` wrote; nothing if there is no such file.

    Raises:
        RibsightError: it is not what `write_left_out` writes.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [
                LeftOut(one["file"], one["row"], one["reason"]) for one in csv.DictReader(stream)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise RibsightError(f"{path} is not a list of what was left out: {error}") from error
