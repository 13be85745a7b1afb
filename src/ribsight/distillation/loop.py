"""The training loop: one for both stages and every method.

Stage 1 trains the student on drawn regions and negatives. Stage 2 starts student and teacher from
those weights; the teacher follows the student, and the method says what it teaches about
record-positives. Continued supervised training is stage 2 with the method "supervised".
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ribsight.detector.network import DetectorNetwork
from ribsight.distillation.batches import Batch, StepDataset, place_crops
from ribsight.distillation.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    save_checkpoint,
)
from ribsight.distillation.crops import CropMaker
from ribsight.distillation.interrupts import Interrupts
from ribsight.distillation.methods import Method, stage_batch
from ribsight.distillation.objective import StepFacts, step_objective
from ribsight.distillation.recipe import Recipe, StageSettings
from ribsight.distillation.reporting import Observer, Reporter
from ribsight.distillation.run_folder import MetricsFile, RunFolder
from ribsight.distillation.schedule import learning_rate, rampup
from ribsight.distillation.teacher import Teacher
from ribsight.distillation.training_data import TrainingData
from ribsight.distillation.validation import Validation
from ribsight.errors import RibsightError

_LOG_EVERY = 10


class NonFiniteLossError(RibsightError):
    """The loss or its gradient became infinite or not a number."""


@dataclass(frozen=True)
class LoopOptions:
    """What depends on the machine or the moment, never on the recipe.

    Attributes:
        workers: processes that prepare batches; 0 prepares them in the training process.
        checkpoint_every: steps between checkpoints.
        stop_at: stop before this position, as if interrupted.
        progress: show a progress bar.
        observe: called with every record of `metrics.jsonl`.

    """

    workers: int = 0
    checkpoint_every: int = 200
    stop_at: Position | None = None
    progress: bool = True
    observe: Observer | None = None


class TrainingLoop:
    """A run in progress on one process of `fabric`."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        method: Method,
        findings: tuple[str, ...],
        data: TrainingData,
        validation: Validation,
        run: RunFolder,
        options: LoopOptions,
    ):
        """Build the student; `restore` or `start_from_stage1` may then replace its weights."""
        self._fabric, self._recipe, self._method = fabric, recipe, method
        self._findings, self._data, self._validation = findings, data, validation
        self._run, self._options = run, options
        torch.manual_seed(recipe.seed)
        network = DetectorNetwork(recipe.detector, len(findings))
        self.student = network.to(memory_format=torch.channels_last)
        self.teacher: Teacher | None = None
        self.position = Position(1, 0)
        self._optimiser_state: dict[str, object] | None = None
        self._interrupts = Interrupts()
        self._reporter: Reporter | None = None

    def restore(self) -> None:
        """Go on from the run's newest checkpoint."""
        checkpoint = load_checkpoint(self._run.last)
        self.position = checkpoint.position
        self.student.load_state_dict(checkpoint.student)
        if checkpoint.teacher:
            self.teacher = Teacher(self.student, self._recipe.teacher)
            self.teacher.load_state_dict(checkpoint.teacher)
        self._optimiser_state = checkpoint.optimiser
        self._fabric.strategy.precision.load_state_dict(checkpoint.precision)

    def start_from_stage1(self, run: RunFolder) -> None:
        """Skip stage 1: take the student that another run had at its end."""
        self.student.load_state_dict(load_checkpoint(run.stage1).student)
        self.position = Position(2, 0)

    def run(self) -> bool:
        """Train to the end, or until interrupted; return whether the end was reached."""
        stages = {1: self._recipe.stage1, 2: self._recipe.stage2}
        remaining = sum(s.steps for n, s in stages.items() if n >= self.position.stage)
        network = self._fabric.setup_module(self.student)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._interrupts)
            if self._is_first:
                reporter = Reporter(
                    MetricsFile(self._run.metrics, self.position),
                    self._findings,
                    steps=remaining - self.position.step,
                    progress=self._options.progress,
                    observe=self._options.observe,
                )
                self._reporter = stack.enter_context(reporter)
            if not self._run.last.exists():
                self._save(None, is_stage_end=False)
            return all(
                self._run_stage(number, stages[number], network)
                for number in range(self.position.stage, 3)
            )

    @property
    def _is_first(self) -> bool:
        return self._fabric.is_global_zero

    def _run_stage(self, number: int, stage: StageSettings, network: nn.Module) -> bool:
        if number == 2 and self.teacher is None:
            self.teacher = Teacher(self.student, self._recipe.teacher)
        if self.teacher is not None:
            self.teacher.network.to(self._fabric.device)
        optimiser = self._set_up_optimiser(stage)
        self.student.train()
        sums: Tensor | None = None
        since = 0
        steps = self._steps(number, stage)
        for given in self._batches(steps, stage):
            step = self.position.step
            batch, taught = self._teach(given, steps.maker)
            facts = self._step(network, optimiser, batch, taught, stage, Position(number, step))
            sums = facts.vector() if sums is None else sums + facts.vector()
            since += 1
            self.position = Position(number, step + 1)
            if self._reporter is not None:
                self._reporter.step()
            if (step + 1) % _LOG_EVERY == 0 or step + 1 == stage.steps:
                self._log(self._summed(sums), since)
                sums, since = None, 0
            is_end = step + 1 == stage.steps
            if (step + 1) % self._recipe.validate_every == 0 or is_end:
                self._validate()
            stop = self._should_stop()
            if stop or is_end or (step + 1) % self._options.checkpoint_every == 0:
                self._save(optimiser, is_stage_end=is_end)
            if stop:
                return False
        self.position = Position(number + 1, 0)
        return True

    def _summed(self, share: Tensor) -> Tensor:
        if self._fabric.world_size == 1:
            return share
        total = self._fabric.all_reduce(share, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def _set_up_optimiser(self, stage: StageSettings) -> torch.optim.Optimizer:
        optimiser = torch.optim.AdamW(
            [p for p in self.student.parameters() if p.requires_grad],
            lr=stage.learning_rate,
            weight_decay=self._recipe.optimiser.weight_decay,
        )
        if self._optimiser_state:
            optimiser.load_state_dict(self._optimiser_state)
        self._optimiser_state = None
        wrapped: Any = self._fabric.setup_optimizers(optimiser)
        return wrapped  # type: ignore[no-any-return]

    def _steps(self, number: int, stage: StageSettings) -> StepDataset:
        return StepDataset(
            self._data,
            stage_batch(stage, self._method),
            self._recipe.augmentation,
            self._recipe.crops,
            seed=self._recipe.seed,
            stage=number,
            has_teacher=number == 2 and self._method.positive_target is not None,
            rank=self._fabric.global_rank,
            world=self._fabric.world_size,
        )

    def _batches(self, steps: StepDataset, stage: StageSettings) -> Iterator[Batch]:
        loader = DataLoader(
            steps,
            sampler=range(self.position.step, stage.steps),
            batch_size=None,
            num_workers=self._options.workers,
        )
        for batch in loader:
            yield batch.to(self._fabric.device)

    def _step(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        batch: Batch,
        taught: Tensor | None,
        stage: StageSettings,
        position: Position,
    ) -> StepFacts:
        seed = [self._recipe.seed, position.stage, position.step, self._fabric.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(stage, position.step)
        weight = self._recipe.loss.positive_weight
        weight *= rampup(position.step, self._recipe.loss.positive_rampup_steps)
        loss, facts = step_objective(
            network(batch.images),
            taught,
            batch,
            self._method,
            positive_weight=weight,
            lesion_weight=self._recipe.loss.lesion_weight,
        )
        # Gradients are averaged over processes, but their losses are shares of one sum.
        self._fabric.backward(loss * self._fabric.world_size)
        norm: Any = self._fabric.clip_gradients(
            network,
            optimiser,
            max_norm=self._recipe.optimiser.gradient_clip,
            error_if_nonfinite=False,
        )
        if not self._is_finite(loss, norm):
            raise NonFiniteLossError(
                f"the loss became {loss.item()} (gradient norm {float(norm):g}) at stage "
                f"{position.stage}, step {position.step}; the last good state is kept in "
                f"{self._run.last}. Lower the learning rate or gradient_clip of the recipe"
            )
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if self.teacher is not None:
            self.teacher.update(self.student)
        return facts

    def _is_finite(self, loss: Tensor, norm: Tensor) -> bool:
        # With a gradient scaler an overflow is ordinary: the scaler skips that step itself.
        scaled = bool(self._fabric.strategy.precision.state_dict())
        return bool(torch.isfinite(loss)) and (scaled or bool(torch.isfinite(norm)))

    def _teach(self, batch: Batch, maker: CropMaker) -> tuple[Batch, Tensor | None]:
        if self.teacher is None or self._method.positive_target is None:
            return batch, None
        if len(batch.positive_rows) == 0:
            return batch, None
        with self._fabric.autocast():
            logits = self.teacher.logits(batch.teacher_images)
        if batch.looks is None:
            return batch, logits
        logits = logits[torch.from_numpy(batch.looks.image)]
        return place_crops(batch, maker, logits, self._recipe.marks), logits

    def _log(self, sums: Tensor, steps: int) -> None:
        if self._reporter is not None:
            has_centre = self._method.push_centre is not None
            self._reporter.trained(sums, steps, self.position, has_centre=has_centre)

    def _validate(self) -> None:
        if self._reporter is not None:
            networks: dict[str, nn.Module] = {"student": self.student}
            if self.teacher is not None:
                networks["teacher"] = self.teacher.network
            for which, network in networks.items():
                assert isinstance(network, DetectorNetwork)
                figures = self._validation.figures(network, self._fabric.device)
                images = len(self._validation.cohort.ids)
                self._reporter.validated(which, figures, images, self.position)
        self._fabric.barrier()

    def _save(self, optimiser: torch.optim.Optimizer | None, *, is_stage_end: bool) -> None:
        if not self._is_first:
            return
        begins_next = is_stage_end and self.position.stage == 1
        checkpoint = Checkpoint(
            position=Position(2, 0) if begins_next else self.position,
            student=self.student.state_dict(),
            teacher=self.teacher.state_dict() if self.teacher is not None else {},
            optimiser={} if begins_next or optimiser is None else optimiser.state_dict(),
            precision=self._fabric.strategy.precision.state_dict(),
        )
        if begins_next:
            save_checkpoint(checkpoint, self._run.stage1)
        save_checkpoint(checkpoint, self._run.last)

    def _should_stop(self) -> bool:
        wanted = self._interrupts.requested or self.position == self._options.stop_at
        return bool(self._summed(torch.tensor(float(wanted), device=self._fabric.device)))
