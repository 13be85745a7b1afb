"""How healthy pseudo-labels are: against hidden truth, and as named concerns.

A cohort often knows more than training is shown: regions that were drawn but not revealed. They
say whether what the teacher teaches about record-positives is true. Where no such truth exists,
the course of a run's own records gives the usual failures away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.on_cohort import predict_cohort
from ribsight.detector.runtimes.eager import eager
from ribsight.detector.settings import MarkSettings
from ribsight.distillation.validation import pick
from ribsight.evaluation.matching import match
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import reading_of
from ribsight.evaluation.threshold import calls_at
from ribsight.evaluation.truth import truth_of
from ribsight.findings import Supervision

Figures = Mapping[str, dict[str, float | None]]
Records = Sequence[Mapping[str, Any]]

_STARVED = 0.8
_COLLAPSED = 0.1
_EXPLODED = 5.0
_EXPLODED_AREA = 0.02
_WORSE = 0.05
_OVERWEIGHT = 10.0
_OVERGROWN = 5.0
_UNTRUE = 0.1


@dataclass(frozen=True, eq=False)
class HiddenTruth:
    """Record-positives of the training split whose regions were drawn but never revealed.

    Attributes:
        cohort: these radiographs.
        cache: their network images, in the order of `cohort.ids`.
        marks: how marks are read.
        threshold: probability from which a mark counts as taught: the method's centre.

    """

    cohort: Cohort
    cache: PixelCache
    marks: MarkSettings
    threshold: float

    def figures(self, network: DetectorNetwork, device: torch.device) -> Figures:
        """Return, by figure and finding, how true the marks of a network are.

        `precision` is the share of marks at the threshold or above that hit a region, `recall` the
        share of regions hit by them, `silent` the share of positive images without such a mark.
        None where nothing defines a figure. The network is left in the mode it was in.
        """
        was_training = network.training
        network.eval()
        findings = self.cohort.findings
        maps_of = eager(network, device)
        images = predict_cohort(maps_of, findings, self.marks, self.cohort, self.cache)
        network.train(was_training)
        predictions = Predictions("teacher", "", tuple(findings), images)
        figures: dict[str, dict[str, float | None]] = {"precision": {}, "recall": {}, "silent": {}}
        for finding in findings:
            truth = truth_of(self.cohort, finding)
            reading = reading_of(predictions, truth)
            table = match(truth, reading, Protocol())
            calls = calls_at(self.threshold, truth, reading, table)
            hits = calls.hits.sum()
            positive = calls.positive > 0
            figures["precision"][finding] = _share(hits, hits + calls.false.sum())
            figures["recall"][finding] = _share(hits, calls.lesions.sum())
            silent = positive & (calls.called == 0)
            figures["silent"][finding] = _share(silent.sum(), positive.sum())
        return figures


def hidden_subset(training: Cohort, images: int, seed: int) -> Cohort:
    """Return at most `images` record-positives whose regions exist but are hidden, by `seed`."""
    supervision = training.supervision()
    column = {name: index for index, name in enumerate(training.findings)}
    rows = [
        row
        for row, regions in enumerate(training.drawn(revealed_only=False))
        if any(supervision[row, column[one.finding]] == Supervision.POSITIVE for one in regions)
    ]
    chosen = np.random.default_rng(seed).permutation(np.array(rows, dtype=np.intp))[:images]
    return pick(training, chosen)


@dataclass(frozen=True)
class Concern:
    """Something a run's records give away.

    Attributes:
        name: `starved`, `collapse`, `explosion`, `overweight`, `untrue` or `teacher_worse`.
        finding: whose; empty where it is of all.
        sentence: what it is, in plain words, and what to try.

    """

    name: str
    finding: str
    sentence: str


def concerns(records: Records) -> list[Concern]:
    """Return what the records of `metrics.jsonl` so far give reason to worry about.

    Args:
        records: of one run, in order. Only stage 2 has pseudo-labels.

    """
    late = [one for one in records if one.get("stage") == 2]
    trained = [one for one in late if one.get("kind") == "train"]
    validated = [one for one in late if one.get("kind") == "validation"]
    checked = [one for one in late if one.get("kind") == "pseudo_labels"]
    return [
        *_of_targets(trained),
        *_of_losses(trained),
        *_of_truth(checked),
        *_of_teacher(validated),
    ]


def _ends(trained: Records) -> tuple[Records, Records] | None:
    """Return the first and the last few records: single ones are noisy. None: too few."""
    width = max(1, len(trained) // 5)
    return None if len(trained) < 2 * width else (trained[:width], trained[-width:])


def _of_targets(trained: Records) -> list[Concern]:
    ends = _ends(trained)
    if ends is None:
        return []
    first, last = ends
    found: list[Concern] = []
    for finding in sorted({name for one in last for name in one.get("target_area", {})}):
        without_push = _mean(last, "share_without_push", finding)
        if without_push is not None and without_push > _STARVED:
            found.append(
                Concern(
                    "starved",
                    finding,
                    f"{without_push:.0%} of the record-positives of {finding} are not pushed: the "
                    "teacher sees nothing on them. Lengthen stage 1, or add an image-level term",
                )
            )
        found += _of_area(finding, _mean(first, "target_area", finding), last)
    return found


def _of_losses(trained: Records) -> list[Concern]:
    ends = _ends([one for one in trained if "loss_ratio" in one])
    if ends is None:
        return []
    before, now = (float(np.mean([one["loss_ratio"] for one in part])) for part in ends)
    if now < _OVERWEIGHT or now < _OVERGROWN * before:
        return []
    sentence = (
        f"record-positives weigh {now:.0f} times as much in the loss as everything that is known "
        f"({before:.1f} times at first): what the teacher says drowns the drawings. Lower "
        "loss.positive_weight"
    )
    return [Concern("overweight", "", sentence)]


def _of_truth(checked: Records) -> list[Concern]:
    found = []
    for finding, precision in (checked[-1]["precision"] if checked else {}).items():
        if precision is not None and precision < _UNTRUE:
            sentence = (
                f"of the teacher's marks of {finding} only {precision:.0%} hit a hidden region: "
                "it teaches errors. Lengthen stage 1, raise the method's centre or threshold, or "
                "lower loss.positive_weight"
            )
            found.append(Concern("untrue", finding, sentence))
    return found


def _of_area(finding: str, before: float | None, last: Records) -> list[Concern]:
    now = _mean(last, "target_area", finding)
    if before is None or now is None or before <= 0:
        return []
    if now < _COLLAPSED * before:
        sentence = (
            f"targets of {finding} have shrunk to {now / before:.1%} of their area: the teacher "
            "forgets what records say. Lower loss.positive_weight or raise teacher.decay"
        )
        return [Concern("collapse", finding, sentence)]
    if now > _EXPLODED * before and now > _EXPLODED_AREA:
        sentence = (
            f"targets of {finding} have grown {now / before:.0f} times, to {now:.1%} of the map: "
            "errors confirm themselves. Lower aals.a0 or loss.positive_weight, or use more "
            "negatives"
        )
        return [Concern("explosion", finding, sentence)]
    return []


def _of_teacher(validated: Records) -> list[Concern]:
    last = {one["which"]: one for one in validated}
    if not {"teacher", "student"} <= last.keys():
        return []
    found = []
    for finding, student in last["student"].get("froc", {}).items():
        teacher = last["teacher"].get("froc", {}).get(finding)
        if student is not None and teacher is not None and teacher < student - _WORSE:
            sentence = (
                f"the teacher's FROC score of {finding} on validation is {teacher:.3f}, the "
                f"student's {student:.3f}: the average lags behind. Lower teacher.decay"
            )
            found.append(Concern("teacher_worse", finding, sentence))
    return found


def _mean(records: Records, key: str, finding: str) -> float | None:
    values = [one[key][finding] for one in records if finding in one.get(key, {})]
    return float(np.mean(values)) if values else None


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
