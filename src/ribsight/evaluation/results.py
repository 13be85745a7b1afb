"""What an evaluation found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.protocol import Protocol


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval; a value or bound that is not defined is None.

    Attributes:
        value: the figure on the images as they are.
        low: lower bound of the clustered bootstrap interval.
        high: upper bound.
        replicates: resamples that gave the interval.
        dropped: resamples without a positive, a negative or a region, so without a figure.
        note: why the value or the interval is missing; otherwise empty.
    """

    value: float | None
    low: float | None
    high: float | None
    replicates: int
    dropped: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """(Q,) points of a curve, and its pointwise 95 % bounds where there are some."""

    x: Floats
    y: Floats
    low: Floats | None
    high: Floats | None


@dataclass(frozen=True)
class Counts:
    """What the figures of one finding stand on.

    Attributes:
        images: images of known state: positive + negative.
        positive: images with the finding.
        negative: images without.
        groups: patients, or whatever the cohort groups by.
        lesions: drawn regions.
        marks: marks on the images that count in the FROC.
        left_out_unknown: images of uncertain or unknown state, in no figure.
        left_out_of_froc: positive images without a drawn region, in the AUROC only.
    """

    images: int
    positive: int
    negative: int
    groups: int
    lesions: int
    marks: int
    left_out_unknown: int
    left_out_of_froc: int


@dataclass(frozen=True)
class SensitivityAt:
    """Share of regions hit at a rate of false positives per image."""

    false_positives_per_image: float
    sensitivity: Figure


@dataclass(frozen=True)
class NamedFigure:
    """A figure with what it is called.

    Attributes:
        key: for programs; figures at an operating point are `name/key`.
        label: for people.
        level: `image`, `patient`, `region` or `calibration`.
        figure: its value and interval.
    """

    key: str
    label: str
    level: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class Reliability:
    """(B,) bins of equally many images: mean score said, share positive and its 95 % bounds."""

    images: NDArray[np.int64]
    said: Floats
    true: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Stratum:
    """Figures of a part of the truth.

    Attributes:
        column: what it is parted by.
        label: the value or range of values.
        kind: `images`, with all that is on them, or `regions` against all images' false marks.
        images: images of known state in it; for regions, images that have one of them.
        positive: those with the finding.
        lesions: regions in it.
        figures: AUROC (of images only), FROC score and wAFROC AUC.
    """

    column: str
    label: str
    kind: str
    images: int
    positive: int
    lesions: int
    figures: tuple[NamedFigure, ...]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold chosen on one part of the data for a declared aim.

    Attributes:
        finding: what it detects.
        aim: in words, such as `sensitivity 0.95`.
        threshold: a score at or above it calls an image positive, and shows a mark.
        low: lower bound of the threshold's bootstrap interval; None if there is none.
        high: upper bound.
        chosen_on: the part it was chosen on.
        achieved: the figures there, by key.
        bounds: their 95 % intervals, by key, of that threshold on resamples of groups; none where
            there is no interval. The threshold was chosen on the same images, so they flatter.
        level: `doubtful` or `confident`, if it is the threshold of one; empty for any other.
    """

    finding: str
    aim: str
    threshold: float
    low: float | None
    high: float | None
    chosen_on: str
    achieved: Mapping[str, float | None]
    level: str = ""
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FindingResult:
    """All figures of one finding; a curve that is not defined is None.

    `figures` holds every figure, those that have a field of their own too.
    """

    finding: str
    counts: Counts
    auroc: Figure
    froc_score: Figure
    sensitivity_at: tuple[SensitivityAt, ...]
    roc: Curve | None
    froc: Curve | None
    figures: tuple[NamedFigure, ...] = ()
    wafroc: Curve | None = None
    reliability: Reliability | None = None
    strata: tuple[Stratum, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()

    def find(self, key: str) -> Figure | None:
        """Return the figure of that key, or None if there is none."""
        return next((one.figure for one in self.figures if one.key == key), None)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model on one split under one protocol.

    Attributes:
        model: its name.
        model_sha256: of its weights.
        cohort_fingerprint: `Cohort.fingerprint` of the whole cohort, or SHA-256 of the files of
            truth.
        split: the part that was evaluated; `all` for files of truth.
        protocol: what the FROC numbers mean.
        replicates: bootstrap resamples asked for.
        seed: of the resamples.
        findings: one result a finding that the model predicts and the cohort knows.
        not_predicted: findings of the cohort that the model does not predict.
        prevalence: for which predictive values are stated; None for the images' own.
    """

    model: str
    model_sha256: str
    cohort_fingerprint: str
    split: str
    protocol: Protocol
    replicates: int
    seed: int
    findings: tuple[FindingResult, ...]
    not_predicted: tuple[str, ...] = ()
    prevalence: float | None = None


@dataclass(frozen=True)
class NamedDifference:
    """One figure of model b minus that of model a, on the same resamples.

    Attributes:
        key: of the figure.
        label: for people.
        level: of the figure.
        difference: with the interval of the paired differences.
        p: two-sided, from the bootstrap; None without an interval.
        p_permutation: two-sided, from exchanging the models' answers patient by patient; None for
            figures that cannot be permuted.
        p_holm: `p_permutation` adjusted for all those of the comparison.
    """

    key: str
    label: str
    level: str
    difference: Figure
    p: float | None
    p_permutation: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Difference:
    """Figures of model b minus model a on the same resamples, and two-sided p values."""

    finding: str
    auroc: Figure
    auroc_p: float | None
    froc_score: Figure
    froc_score_p: float | None
    figures: tuple[NamedDifference, ...] = ()


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models on the same images, resampled alike, so that differences are paired."""

    a: Evaluation
    b: Evaluation
    differences: tuple[Difference, ...]
