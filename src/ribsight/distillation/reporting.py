"""What a run says of itself: the progress bar, `metrics.jsonl` and whoever observes."""

import sys
from collections.abc import Callable, Mapping
from types import TracebackType

from torch import Tensor
from tqdm import tqdm

from ribsight.distillation.checkpoint import Position
from ribsight.distillation.health import concerns
from ribsight.distillation.objective import StepFacts
from ribsight.distillation.run_folder import MetricsFile

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
    totals = {"teacher_maximum": facts.teacher_maximum, "target_area": facts.target_area}
    if has_centre:
        totals["share_without_push"] = facts.without_push
    for name, total in totals.items():
        record[name] = {
            finding: float(total[k] / facts.positives[k])
            for k, finding in enumerate(findings)
            if facts.positives[k] > 0
        }
    return record
