"""One thing that is wrong with a cohort."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """One thing wrong.

    Attributes:
        kind: its name, such as `patient in two splits`.
        severity: an error keeps the cohort from training, a warning does not.
        where: the radiograph, group or row it is about.
        what: what is wrong there.
        do: what to do.
    """

    kind: str
    severity: Literal["error", "warning"]
    where: str
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.kind}: {self.where}: {self.what}; {self.do}"


def listed(ids: Sequence[str], limit: int = 4) -> str:
    """Return the first ids and how many more there are."""
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more
