"""Names for what belongs together, from an id's trailing number."""

import re

from ribsight.errors import RibsightError

_BLOCKS = re.compile(r"blocks:([1-9][0-9]*)")
_TRAILING_DIGITS = re.compile(r"[0-9]+$")


def parse_blocks(group: str) -> int | None:
    """Return N of `blocks:N`, or None if `group` is something else."""
    found = _BLOCKS.fullmatch(group)
    return int(found[1]) if found else None


def block_of(radiograph: str, size: int) -> str:
    """Name the block of `size` consecutive numbers that an id's trailing digits fall into.

    Raises:
        RibsightError: the id does not end in digits.
    """
    digits = _TRAILING_DIGITS.search(radiograph)
    if digits is None:
        raise RibsightError(
            f"blocks of ids need ids that end in a number, '{radiograph}' does not: "
            "group by a column instead"
        )
    return f"block {int(digits[0]) // size}"
