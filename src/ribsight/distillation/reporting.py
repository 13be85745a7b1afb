"""What a run says of itself: the progress bar, `metrics.jsonl` and whoever observes."""

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from types import TracebackType
from typing import Any

from torch import Tensor
from tqdm import tqdm

from ribsight.distillation.checkpoint import Position
from ribsight.distillation.health import concerns
from ribsight.distillation.objective import StepFacts
from ribsight.distillation.run_folder import MetricsFile

_OF_TARGETS = (
    "teacher_maximum",
    "target_area",
    "target_maximum",
    "target_counted",
    "disagreement",
)

Observer = Callable[[Mapping[str, object]], None]


class Reporter:
    """Reports for one run; the other processes of a run report nothing."""

    def __init__(
        self,
        metrics: MetricsFile,
        findings: tuple[str, ...],
        *,
        steps: int,
        progress: bool,
        observe: Observer | None,
    ):
        """Expect `steps` steps to come."""
        self._metrics, self._findings, self._observe = metrics, findings, observe
        self._history: list[Mapping[str, object]] = list(metrics.kept)
        self._raised = {
            (one["name"], one["finding"]) for one in self._history if one["kind"] == "concern"
        }
        self._bar = tqdm(total=steps, unit="step", disable=not progress, mininterval=1.0)

    def __enter__(self) -> "Reporter":
        """Show the bar."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the bar."""
        self._bar.close()

    def step(self) -> None:
        """Count a step."""
        self._bar.update()

    def trained(self, sums: Tensor, steps: int, position: Position, *, has_centre: bool) -> None:
        """Report the facts summed over the last steps of all processes."""
        record = training_record(sums, steps, self._findings, position, has_centre=has_centre)
        loss = f"{record['loss_known']:.4f}"
        self._bar.set_postfix(stage=position.stage, loss=loss, refresh=False)
        self._record(record)

    def validated(
        self,
        which: str,
        figures: Mapping[str, Mapping[str, float | None]],
        images: int,
        position: Position,
    ) -> None:
        """Report the figures of the student or the teacher on some validation radiographs."""
        place = {"stage": position.stage, "step": position.step}
        self._record({"kind": "validation", **place, "which": which, "images": images, **figures})

    def checked_pseudo_labels(
        self, figures: Mapping[str, Mapping[str, float | None]], images: int, position: Position
    ) -> None:
        """Report how true the teacher's marks are on radiographs whose regions are hidden."""
        place = {"stage": position.stage, "step": position.step}
        self._record({"kind": "pseudo_labels", **place, "images": images, **figures})

    def placed_ribs(self, first_rib: float, radiographs: int, position: Position) -> None:
        """Report where a layout has the first rib, and how many drawn radiographs moved it."""
        place = {"stage": position.stage, "step": position.step}
        told = {"first_rib": round(first_rib, 4), "radiographs": radiographs}
        self._record({"kind": "layout", **place, **told})

    def summed_up(self, position: Position) -> None:
        """Report the mean of what was trained since the last time, of stage 2."""
        record = health_record(self._history, position)
        if record is not None:
            self._record(record)

    def raise_concerns(self, position: Position) -> None:
        """Record and print what the run so far gives reason to worry about, each thing once."""
        for one in concerns(self._history):
            if (one.name, one.finding) in self._raised:
                continue
            self._raised.add((one.name, one.finding))
            place = {"stage": position.stage, "step": position.step}
            told = {"name": one.name, "finding": one.finding, "sentence": one.sentence}
            self._record({"kind": "concern", **place, **told})
            self._bar.write(
                f"step {position.step}, {one.name.replace('_', ' ')}: {one.sentence}",
                file=sys.stderr,
            )

    def _record(self, record: Mapping[str, object]) -> None:
        self._metrics.append(record)
        self._history.append(record)
        if self._observe is not None:
            self._observe(record)


def training_record(
    sums: Tensor, steps: int, findings: tuple[str, ...], position: Position, *, has_centre: bool
) -> dict[str, object]:
    """Return the record of `metrics.jsonl` for the facts summed over some steps.

    Args:
        sums: of `StepFacts.vector` over processes and steps.
        steps: how many.
        findings: names of the K findings.
        position: after the last of them.
        has_centre: whether the method has a centre that the teacher's maximum must exceed.
    """
    facts = StepFacts.from_vector(sums, len(findings))
    record: dict[str, object] = {
        "kind": "train",
        "stage": position.stage,
        "step": position.step,
        "loss_known": float(facts.loss_known) / steps,
        "loss_positive": float(facts.loss_positive) / steps,
    }
    known, weighted = float(facts.loss_known), float(facts.loss_weighted)
    if known > 0 and weighted > 0:
        record["loss_ratio"] = weighted / known
    totals = {name: getattr(facts, name) for name in _OF_TARGETS}
    if has_centre:
        totals["share_without_push"] = facts.without_push
    for name, total in totals.items():
        record[name] = {
            finding: float(total[k] / facts.positives[k])
            for k, finding in enumerate(findings)
            if facts.positives[k] > 0
        }
    return record


def health_record(
    records: Sequence[Mapping[str, Any]], position: Position
) -> dict[str, object] | None:
    """Return the means of all figures of pseudo-labels since the last such record.

    Args:
        records: of `metrics.jsonl` so far.
        position: of the new one.

    """
    place = {"stage": position.stage, "step": position.step}
    since: list[Mapping[str, Any]] = []
    for one in records:
        if one["kind"] == "health":
            since = []
        elif one["kind"] == "train" and one["stage"] == 2 and one.get("target_area"):
            since.append(one)
    if position.stage != 2 or not since:
        return None
    figures: dict[str, object] = {}
    for name in (*_OF_TARGETS, "share_without_push"):
        by_finding: dict[str, list[float]] = {}
        for one in since:
            for finding, value in one.get(name, {}).items():
                by_finding.setdefault(finding, []).append(value)
        if by_finding:
            figures[name] = {key: fmean(values) for key, values in by_finding.items()}
    ratios = [one["loss_ratio"] for one in since if "loss_ratio" in one]
    if ratios:
        figures["loss_ratio"] = fmean(ratios)
    return {"kind": "health", **place, **figures}
