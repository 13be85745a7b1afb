"""Screening: which of many settings of a method matter, in few trainings.

A two-level fractional factorial design (Box, Hunter & Hunter, Statistics for Experimenters,
chapter 6): every training says something of every factor, for each factor is high in half of them
and any two are balanced against each other. Up to 4 factors take 8 variants in which no main effect
is mixed with an effect of two factors together (resolution IV); 5 to 7 take 8, in which it may be
(III); 8 to 15 take 16.
"""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ribsight.settings import Settings

_SMALL, _LARGE = 8, 16


class Factor(Settings):
    """Two levels of one or several keys of the recipe.

    Attributes:
        low: dotted keys -> values.
        high: the same keys.

    """

    low: dict[str, Any]
    high: dict[str, Any]


class Screening(Settings):
    """What is screened.

    Attributes:
        method: dotted keys of the recipe that all variants share, the method among them.
        factors: name -> levels.

    """

    method: dict[str, Any]
    factors: Annotated[dict[str, Factor], Field(min_length=1, max_length=_LARGE - 1)]

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """Return the variants of the design, by name."""
        made = {}
        for row, name in zip(design(len(self.factors)), self.names, strict=True):
            levels = zip(row, self.factors.values(), strict=True)
            chosen = [factor.high if is_high else factor.low for is_high, factor in levels]
            made[name] = self.method | {key: one[key] for one in chosen for key in one}
        return made

    @property
    def names(self) -> list[str]:
        """Return the names of the variants, in the order of the design's rows."""
        return [f"screen-{number}" for number in range(1, len(design(len(self.factors))) + 1)]

    def contrasts(self) -> dict[str, NDArray[np.float64]]:
        """Return factor -> (V,) weights of the variants whose sum is its effect, high - low."""
        signs = np.where(design(len(self.factors)), 1.0, -1.0)
        return dict(zip(self.factors, (signs / (len(signs) / 2)).T, strict=True))


def design(factors: int) -> NDArray[np.bool_]:
    """Return a design, (variants, factors): whether a factor is high in a variant.

    The columns of a Hadamard matrix in Sylvester's order: those of single bits are the basic
    factors, those of three bits products of three of them, which come next.
    """
    size = _SMALL if factors < _SMALL else _LARGE
    by_bits = sorted(range(1, size), key=lambda one: (one.bit_count() % 2 == 0, one.bit_count()))
    rows = [
        [(run & column).bit_count() % 2 == 1 for column in by_bits[:factors]] for run in range(size)
    ]
    return np.array(rows)
