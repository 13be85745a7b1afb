"""Do the probabilities of a map mean what they say: cell by cell, against drawn regions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.settings import STRIDE
from ribsight.findings import DiagnosisState
from ribsight.regions import coverage

_BINS = 15

Figure = dict[str, float | None]


class MapCalibration:
    """Adds up what maps say and what is drawn, over the radiographs where every lesion is known.

    These are the drawn ones and the negative ones; a positive without a drawing says nothing of
    its cells.
    """

    def __init__(self, cohort: Cohort, cache: PixelCache):
        """Describe the truth of `cohort`, whose network images are in `cache`, row by row."""
        self._findings: Sequence[str] = cohort.findings
        self._states, self._cache = cohort.states, cache
        self._regions = cohort.drawn(revealed_only=False)
        # Cells, what is said and what is true in each bin of probability.
        self._sums = np.zeros((3, len(cohort.findings), _BINS))

    def add(self, row: int, maps: NDArray[np.float32]) -> None:
        """Count the probability maps (K, S/4, S/4) of a radiograph."""
        for index, finding in enumerate(self._findings):
            drawn = [
                self._cache.affine(row).to_network(polygon) / STRIDE
                for region in self._regions[row]
                if region.finding == finding
                for polygon in region.polygons
            ]
            if not drawn and self._states[row, index] != DiagnosisState.NEGATIVE:
                continue
            said = maps[index].astype(np.float64)
            true = coverage(drawn, *said.shape) if drawn else np.zeros_like(said)
            place = np.minimum((said * _BINS).astype(int), _BINS - 1).ravel()
            for which, values in enumerate((None, said.ravel(), true.ravel())):
                self._sums[which, index] += np.bincount(place, values, minlength=_BINS)

    def figures(self) -> dict[str, Figure]:
        """Return {"map_ece": {finding: value}, "map_area": {finding: value}}.

        `map_ece` is the mean over cells of |share drawn - mean probability| in bins of equal width
        (Naeini et al., AAAI 2015; most cells are background, so good values lie near 0); `map_area`
        the lesion area said, over that drawn: 1 where probabilities are right on the whole. None
        where nothing defines a figure.
        """
        cells, said, true = self._sums
        error = np.abs(said - true).sum(axis=1)
        return {
            "map_ece": self._ratio(error, cells.sum(axis=1)),
            "map_area": self._ratio(said.sum(axis=1), true.sum(axis=1)),
        }

    def _ratio(self, parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> Figure:
        return {
            finding: float(part / whole) if whole > 0 else None
            for finding, part, whole in zip(self._findings, parts, wholes, strict=True)
        }
