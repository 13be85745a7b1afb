"""Who a result comes from, and what it speaks of."""

from collections.abc import Iterable
from dataclasses import dataclass

from ribsight.errors import RibsightError


@dataclass(frozen=True)
class ModelIdentity:
    """What a result names as its source: for people, for machines, and who wrote the model."""

    name: str
    sha256: str
    version: str


def require_same_findings(model: Iterable[str], cohort: Iterable[str]) -> None:
    """Refuse a cohort that cannot say how well a model does.

    Raises:
        RibsightError: it knows none of the model's findings.
    """
    model, cohort = tuple(model), tuple(cohort)
    if not set(model) & set(cohort):
        raise RibsightError(
            f"the model finds {', '.join(model)}, the cohort knows {', '.join(cohort)}: give the "
            "cohort that it was trained on"
        )
