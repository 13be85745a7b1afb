"""One look at how a run is doing: validation figures, pseudo-labels, concerns."""

from dataclasses import dataclass

import torch
from torch import nn

from ribsight.detector.network import DetectorNetwork
from ribsight.distillation.checkpoint import Position
from ribsight.distillation.health import HiddenTruth
from ribsight.distillation.reporting import Reporter
from ribsight.distillation.validation import Validation


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked at every `validate_every` steps.

    Attributes:
        validation: the validation split.
        hidden: record-positives whose regions training does not see; None without any.

    """

    validation: Validation
    hidden: HiddenTruth | None

    def report(
        self,
        reporter: Reporter,
        student: nn.Module,
        teacher: nn.Module | None,
        device: torch.device,
        position: Position,
    ) -> None:
        """Measure student and teacher and report; their modes are left as they were."""
        networks = (
            {"student": student}
            if teacher is None
            else {
                "student": student,
                "teacher": teacher,
            }
        )
        for which, network in networks.items():
            assert isinstance(network, DetectorNetwork)
            figures = self.validation.figures(network, device)
            reporter.validated(which, figures, len(self.validation.cohort.ids), position)
        if self.hidden is not None and isinstance(teacher, DetectorNetwork):
            figures = self.hidden.figures(teacher, device)
            reporter.checked_pseudo_labels(figures, len(self.hidden.cohort.ids), position)
        reporter.summed_up(position)
        reporter.raise_concerns(position)
