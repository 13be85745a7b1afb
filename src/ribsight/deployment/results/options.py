"""What is asked of the DICOM objects that say what a detector found."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import Levels
from ribsight.regions.formats.dicom_codes import FRACTURE, WRITTEN, Code
from ribsight.regions.formats.dicom_report import finding_code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NOTICE = "Research use only. Not for diagnosis or treatment."
SERIES_NUMBER = 910


class ResultObject(StrEnum):
    """A kind of object."""

    SR = "sr"
    """Structured report: boxes, scores and codes for machines, and for viewers that draw them."""
    SC = "sc"
    """Secondary capture: a colour copy with boxes drawn and a panel, for every viewer."""
    GSPS = "gsps"
    """Presentation state: boxes over the original, where a viewer can switch them."""
    HEATMAP = "heatmap"
    """Secondary capture of the probability maps over the image."""


class SrKind(StrEnum):
    """The class of the structured report."""

    COMPREHENSIVE_3D = "comprehensive-3d"
    COMPREHENSIVE = "comprehensive"
    """For archives that do not know the younger class."""


class Outcome(StrEnum):
    """What became of an image."""

    FOUND = "found"
    NOTHING = "nothing"
    NOT_PROCESSED = "not-processed"


@dataclass(frozen=True)
class NotProcessed:
    """An image that was not looked at; `reason` goes on where the image's name ends."""

    reason: str


@dataclass(frozen=True)
class FindingCodes:
    """How a finding is coded: what it is, and where; no site where the code says it too."""

    finding: Code
    site: Code | None = None


@dataclass(frozen=True)
class ResultOptions:
    """What to write, and how. Everything but `moment` and `series_number` is part of the UIDs.

    Attributes:
        objects: kinds to write.
        sr: class of the structured report.
        least_score: without thresholds of the model: marks from this score on are reported, and
            have no certainty. None: marks with a certainty are reported.
        codes: of findings, before the ones that are built in.
        pictures_of: outcomes that get secondary captures, which stand among the images.
        longest_side: of a secondary capture's film in pixels; larger ones are reduced.
        series_number: of the first of the objects' series; each kind has its own.
        notice: stands in every object.
        edition: anything else that decides the results, such as `edition_of` the thresholds: with
            another edition, results stand beside the old ones and do not replace them.
        moment: content date and time; when the image was taken if None.

    Raises:
        RibsightError: a size or number that cannot be.
    """

    objects: frozenset[ResultObject] = frozenset({ResultObject.SR, ResultObject.SC})
    sr: SrKind = SrKind.COMPREHENSIVE_3D
    least_score: float | None = None
    codes: Mapping[str, FindingCodes] = field(default_factory=dict)
    pictures_of: frozenset[Outcome] = frozenset(Outcome)
    longest_side: int = 2048
    series_number: int = SERIES_NUMBER
    notice: str = NOTICE
    edition: str = ""
    moment: datetime | None = None

    def __post_init__(self) -> None:
        if not 256 <= self.longest_side <= 8192:
            raise RibsightError(f"a film of {self.longest_side} pixels: 256 to 8192 can be drawn")
        if not 1 <= self.series_number <= 99_999:
            raise RibsightError(f"{self.series_number} is no series number: 1 to 99999")
        if not self.notice.isascii() or not self.notice.isprintable():
            raise RibsightError("the notice must be plain ASCII: every character set has that")

    def codes_of(self, finding: str) -> FindingCodes:
        """Return the codes of a finding; of an unknown name, one of the project's own scheme.

        Raises:
            RibsightError: DICOM cannot hold its name.
        """
        if finding in self.codes:
            return self.codes[finding]
        if finding in WRITTEN:
            return FindingCodes(*WRITTEN[finding])
        return FindingCodes(FRACTURE if finding == "fracture" else finding_code(finding))

    @property
    def key(self) -> str:
        """A short name of everything that decides what the objects say."""
        said = {
            "sr": self.sr,
            "least_score": self.least_score,
            "codes": {name: [one.finding, one.site] for name, one in self.codes.items()},
            "longest_side": self.longest_side,
            "notice": self.notice,
            "edition": self.edition,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def edition_of(levels: Mapping[str, Levels]) -> str:
    """Return a short name of thresholds, by finding.

    >>> edition_of({"rib_fracture": Levels(0.2, 0.6)})
    '6e1d4a650eee2052'
    """
    said = {name: [one.doubtful, one.confident] for name, one in levels.items()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def kind_of(made: "Dataset", options: ResultOptions) -> ResultObject:
    """Return which kind an object of `options` is: each has a series number of its own."""
    return ResultObject(list(ResultObject)[int(made.SeriesNumber) - options.series_number])
