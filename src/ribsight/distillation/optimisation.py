"""One optimiser step: what is taught, the loss, its gradient, the student, the teacher."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ribsight.distillation.batch import Batch
from ribsight.distillation.batches import place_crops
from ribsight.distillation.checkpoint import Position
from ribsight.distillation.crops import CropMaker
from ribsight.distillation.ensemble import Predictions, TemporalEnsemble, brought_back
from ribsight.distillation.methods import Method, Source, stage_batch
from ribsight.distillation.objective import step_objective
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.schedule import learning_rate, rampup
from ribsight.distillation.teacher import Teacher
from ribsight.errors import RibsightError


class NonFiniteLossError(RibsightError):
    """The loss or its gradient became infinite or not a number."""


class Optimisation:
    """The optimiser of one stage, on one process."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        method: Method,
        number: int,
        network: nn.Module,
        student: nn.Module,
        teacher: Teacher | None,
        maker: CropMaker,
        ensemble: TemporalEnsemble | None,
        state: dict[str, Any] | None,
    ):
        """Set up the optimiser.

        Args:
            fabric: of the run.
            recipe: of the run.
            method: what record-positives are trained toward.
            number: 1 or 2, which stage.
            network: the student as the fabric wraps it: its gradients are those of all processes.
            student: the student itself.
            teacher: follows the student; None in stage 1.
            maker: of the crops of this stage.
            ensemble: what the student said in earlier turns; None where no target is made of it.
            state: of the optimiser, from a checkpoint; None for a new one.

        """
        self._fabric, self._recipe, self._number = fabric, recipe, number
        self._method = method.in_stage(number)
        self._network, self._student, self._teacher, self._maker = network, student, teacher, maker
        self._ensemble = ensemble
        self._said: list[Predictions] = []
        self._stage = recipe.stage1 if number == 1 else recipe.stage2
        optimiser = torch.optim.AdamW(
            [p for p in student.parameters() if p.requires_grad],
            lr=self._stage.learning_rate,
            weight_decay=recipe.optimiser.weight_decay,
            # One pass over the weights instead of ten. On a GPU torch chooses itself.
            fused=True if fabric.device.type == "cpu" else None,
        )
        if state:
            optimiser.load_state_dict(state)
        self._optimiser: Any = fabric.setup_optimizers(optimiser)

    def step(self, parts: Sequence[Batch], step: int) -> Tensor:
        """Take one step on the parts of it that are this process's; return their facts' sum.

        Raises:
            NonFiniteLossError: the loss or its gradient is not finite; no weight has changed.

        """
        self._seed(step)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self._stage, step)
        weight = self._recipe.loss.positive_weight
        weight *= rampup(step, self._recipe.loss.positive_rampup_steps)
        total, facts = 0.0, []
        for index, part in enumerate(parts):
            is_last = index + 1 == len(parts)
            wrapped: Any = self._network
            with self._fabric.no_backward_sync(wrapped, enabled=not is_last):
                loss, known = self._part(part, weight)
            total += loss
            facts.append(known)
        norm: Any = self._fabric.clip_gradients(
            wrapped,
            self._optimiser,
            max_norm=self._recipe.optimiser.gradient_clip,
            error_if_nonfinite=False,
        )
        if not self._is_finite(total, norm):
            raise NonFiniteLossError(
                f"the loss became {total} (gradient norm {float(norm):g}) at {self._place(step)}; "
                "the last good checkpoint is kept. Lower the learning rate or gradient_clip of "
                "the recipe"
            )
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        if self._teacher is not None:
            self._teacher.update(self._student)
        if self._ensemble is not None:
            self._ensemble.remember(self._said, self._places(), self._added)
            self._said = []
        return torch.stack(facts).sum(dim=0)

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state."""
        state: dict[str, Any] = self._optimiser.state_dict()
        return state

    def _part(self, given: Batch, weight: float) -> tuple[float, Tensor]:
        batch, taught, known = self._taught(given)
        if self._method.source is Source.BOTH_VIEWS and self._has_target(batch):
            # One pass: processes must call the wrapped network equally often.
            both = self._network(torch.cat([batch.images, batch.teacher_images]))
            logits, taught = both.split([len(batch.images), len(batch.teacher_images)])
        else:
            logits = self._network(batch.images)
        loss, facts = step_objective(
            logits,
            taught,
            batch,
            self._method,
            positive_weight=weight,
            lesion_weight=self._recipe.loss.lesion_weight,
            known=known,
        )
        # Gradients are averaged over processes, but their losses are shares of one sum.
        self._fabric.backward(loss * self._fabric.world_size)
        looks = batch.looks
        if self._ensemble is not None and looks is not None and looks.matrices is not None:
            self._said.append(
                brought_back(
                    logits[batch.positive_rows],
                    looks.matrices,
                    looks.row,
                    looks.place,
                    self._recipe.images.size,
                )
            )
        return float(loss.detach()), facts.vector()

    def _taught(self, batch: Batch) -> tuple[Batch, Tensor | None, Tensor | None]:
        """Return what is said of the record-positives, crops placed, and where it says anything."""
        method = self._method
        if not self._has_target(batch) or method.source is Source.BOTH_VIEWS:
            return batch, None, None
        looks, known = batch.looks, None
        if method.source is Source.MEMORY:
            assert self._ensemble is not None
            assert looks is not None
            device = batch.images.device
            logits, known = (one.to(device) for one in self._ensemble.recall(looks.row))
        else:
            logits = self._asked(batch.teacher_images)
            if looks is not None:
                logits = logits[torch.from_numpy(looks.image)]
        if looks is not None and looks.matrices is None:
            batch = place_crops(batch, self._maker, logits, self._recipe.marks)
        return batch, logits, known

    def _asked(self, images: Tensor) -> Tensor:
        """Return what the teacher, or the student itself, says of images, without gradient."""
        assert self._teacher is not None
        with self._fabric.autocast(), torch.no_grad():
            if self._method.source is Source.TEACHER:
                return self._teacher.logits(images)
            logits: Tensor = self._student(images)
            return logits

    def _places(self) -> int:
        return stage_batch(self._stage, self._method, self._number).size

    def _added(self, share: Tensor) -> Tensor:
        if self._fabric.world_size == 1:
            return share
        total = self._fabric.all_reduce(share.to(self._fabric.device), reduce_op="sum")
        assert isinstance(total, Tensor)
        return total.cpu()

    def _has_target(self, batch: Batch) -> bool:
        taught = self._teacher is not None and self._method.positive_target is not None
        return taught and len(batch.positive_rows) > 0

    def _is_finite(self, loss: float, norm: Any) -> bool:
        # With a gradient scaler an overflow is ordinary: the scaler skips that step itself.
        scaled = bool(self._fabric.strategy.precision.state_dict())
        return bool(np.isfinite(loss)) and (scaled or bool(torch.isfinite(norm)))

    def _seed(self, step: int) -> None:
        seed = [self._recipe.seed, self._number, step, self._fabric.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))

    def _place(self, step: int) -> str:
        place = Position(self._number, step)
        return f"stage {place.stage}, step {place.step}"
