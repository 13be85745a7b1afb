"""The training loop: one for both stages and every method.

Stage 1 trains the student on drawn regions and negatives. Stage 2 starts student and teacher from
those weights; the teacher follows the student, and the method says what it teaches about
record-positives. Continued supervised training is stage 2 with the method "supervised".
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ribsight.detector.folding import fold_frozen_norms
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.starting import start_from_model, starts_from_model
from ribsight.distillation.batch import Batch
from ribsight.distillation.batches import StepDataset
from ribsight.distillation.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    save_checkpoint,
)
from ribsight.distillation.ensemble import TemporalEnsemble
from ribsight.distillation.interrupts import Interrupts
from ribsight.distillation.layout import Layout
from ribsight.distillation.look import Look
from ribsight.distillation.methods import Method, Source, stage_batch
from ribsight.distillation.optimisation import Optimisation
from ribsight.distillation.recipe import Recipe, StageSettings
from ribsight.distillation.reporting import Observer, Reporter
from ribsight.distillation.run_folder import MetricsFile, RunFolder
from ribsight.distillation.teacher import Teacher
from ribsight.distillation.training_data import TrainingData
from ribsight.errors import RibsightError
from ribsight.findings import Supervision

_LOG_EVERY = 10


@dataclass(frozen=True)
class LoopOptions:
    """What depends on the machine or the moment, never on the recipe.

    Attributes:
        workers: processes that prepare batches; 0 prepares them in the training process.
        accumulate: parts of each step that a process takes one after the other, so that only a
            part need fit into memory; the step stays the same up to rounding.
        compiled: let `torch.compile` translate the student.
        checkpoint_every: steps between checkpoints.
        stop_at: stop before this position, as if interrupted.
        progress: show a progress bar.
        observe: called with every record of `metrics.jsonl`.

    """

    workers: int = 0
    accumulate: int = 1
    compiled: bool = False
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
        look: Look,
        run: RunFolder,
        options: LoopOptions,
    ):
        """Build the student; `restore` or `start_from_stage1` may then replace its weights."""
        self._fabric, self._recipe, self._method = fabric, recipe, method
        self._findings, self._data, self._look = findings, data, look
        self._run, self._options = run, options
        torch.manual_seed(recipe.seed)
        is_start = starts_from_model(recipe.detector.weights)
        network = DetectorNetwork(recipe.detector, len(findings), pretrained=not is_start)
        if is_start:
            start_from_model(network, findings, Path(recipe.detector.weights))
        if recipe.detector.batch_norm == "frozen" and not options.compiled:
            fold_frozen_norms(network.backbone)
        self.student = network.to(memory_format=torch.channels_last)
        self.teacher: Teacher | None = None
        self.ensemble = self._new_ensemble()
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
        if self.ensemble is not None and checkpoint.ensemble:
            self.ensemble.load_state_dict(checkpoint.ensemble)
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
        network: nn.Module = self._fabric.setup_module(self.student)
        if self._options.compiled:
            network = cast(nn.Module, torch.compile(network))
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
        steps = self._steps(number, stage)
        optimisation = Optimisation(
            self._fabric, self._recipe, self._method, number, network, self.student, self.teacher,
            steps.maker, self.ensemble if number == 2 else None, self._optimiser_state,
        )  # fmt: skip
        self._optimiser_state = None
        self.student.train()
        sums: Tensor | None = None
        since = 0
        for parts in self._batches(steps, stage):
            step = self.position.step
            facts = optimisation.step(parts, step)
            sums = facts if sums is None else sums + facts
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
                self._save(optimisation, is_stage_end=is_end)
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

    def _steps(self, number: int, stage: StageSettings) -> StepDataset:
        batch = stage_batch(stage, self._method, number)
        shares = self._fabric.world_size * self._options.accumulate
        if batch.size < shares:
            raise RibsightError(
                f"stage{number}.batch has {batch.size} images, too few for {shares} shares "
                "(processes x accumulated parts)"
            )
        return StepDataset(
            self._data.known_to(self._method, number),
            batch,
            self._recipe.augmentation,
            self._recipe.crops,
            seed=self._recipe.seed,
            stage=number,
            source=self._method.source if self._has_targets(number) else None,
            rank=self._fabric.global_rank,
            world=self._fabric.world_size,
            parts=self._options.accumulate,
            layout=self._layout(number),
        )

    def _layout(self, number: int) -> Layout:
        """Return where the places lie that records name, as this cohort's drawings show it."""
        layout = self._method.in_stage(number).layout
        if not layout.rib_spread:
            return layout
        distances = self._data.rib_distances(layout)
        moved = layout.moved(distances)
        if distances and self._reporter is not None:
            self._reporter.placed_ribs(moved.first_rib, len(distances), self.position)
        return moved

    def _has_targets(self, number: int) -> bool:
        return number == 2 and self._method.positive_target is not None

    def _new_ensemble(self) -> TemporalEnsemble | None:
        if self._method.source is not Source.MEMORY:
            return None
        known = self._data.known_to(self._method, 2).supervision
        return TemporalEnsemble(
            np.flatnonzero((known == Supervision.POSITIVE).any(axis=1)),
            len(self._findings),
            self._recipe.images.size,
            self._recipe.baselines.ensemble_decay,
        )

    def _batches(self, steps: StepDataset, stage: StageSettings) -> Iterator[list[Batch]]:
        """Yield the parts of each step that this process takes one after the other."""
        parts = self._options.accumulate
        loader = DataLoader(
            steps,
            sampler=range(self.position.step * parts, stage.steps * parts),
            batch_size=None,
            num_workers=self._options.workers,
        )
        batches = iter(loader)
        for _ in range(self.position.step, stage.steps):
            yield [next(batches).to(self._fabric.device) for _ in range(parts)]

    def _log(self, sums: Tensor, steps: int) -> None:
        if self._reporter is not None:
            has_centre = self._method.push_centre is not None
            self._reporter.trained(sums, steps, self.position, has_centre=has_centre)

    def _validate(self) -> None:
        if self._reporter is not None:
            teacher = None if self.teacher is None else self.teacher.network
            device = self._fabric.device
            self._look.report(self._reporter, self.student, teacher, device, self.position)
        self._fabric.barrier()

    def _save(self, optimisation: Optimisation | None, *, is_stage_end: bool) -> None:
        if not self._is_first:
            return
        begins_next = is_stage_end and self.position.stage == 1
        checkpoint = Checkpoint(
            position=Position(2, 0) if begins_next else self.position,
            student=self.student.state_dict(),
            teacher=self.teacher.state_dict() if self.teacher is not None else {},
            optimiser={} if begins_next or optimisation is None else optimisation.state_dict(),
            precision=self._fabric.strategy.precision.state_dict(),
            ensemble=self.ensemble.state_dict() if self.ensemble is not None else {},
        )
        if begins_next:
            save_checkpoint(checkpoint, self._run.stage1)
        save_checkpoint(checkpoint, self._run.last)

    def _should_stop(self) -> bool:
        wanted = self._interrupts.requested or self.position == self._options.stop_at
        return bool(self._summed(torch.tensor(float(wanted), device=self._fabric.device)))
