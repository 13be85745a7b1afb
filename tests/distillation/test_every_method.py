"""Every method: two processes equal one, and accumulated parts equal the whole step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from tests.distillation.every_method import CASES, Asked, recipe_of, train_all

from ribsight.distillation.checkpoint import load_checkpoint
from ribsight.distillation.loop import LoopOptions
from ribsight.distillation.run_folder import RunFolder, read_metrics
from ribsight.distillation.train import Machine, train

SCRIPT = Path(__file__).with_name("every_method.py")


@pytest.fixture(scope="module")
def stage1(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("stage1") / "run"
    options = LoopOptions(progress=False)
    train(recipe_of("supervised"), trainable, run, machine=Machine("cpu"), options=options)
    return run


@pytest.fixture(scope="module")
def alone(trainable: Path, stage1: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    train_all(Fabric(accelerator="cpu", devices=1), Asked(trainable, stage1, out))
    return out


@pytest.fixture(scope="module")
def in_parts(trainable: Path, stage1: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    train_all(Fabric(accelerator="cpu", devices=1), Asked(trainable, stage1, out, accumulate=3))
    return out


@pytest.fixture(scope="module")
def in_two(trainable: Path, stage1: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("two")
    command = [sys.executable, str(SCRIPT), str(trainable), str(stage1), str(out), "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one(alone: Path, in_two: Path, case: str) -> None:
    assert_same_up_to_rounding(alone / case, in_two / case)


@pytest.mark.parametrize("case", CASES)
def test_accumulated_parts_equal_the_whole_step(alone: Path, in_parts: Path, case: str) -> None:
    assert_same_up_to_rounding(alone / case, in_parts / case)


def assert_same_up_to_rounding(one: Path, other: Path) -> None:
    first, second = (load_checkpoint(RunFolder(run).last) for run in (one, other))
    assert first.position == second.position
    start = load_checkpoint(RunFolder(one).last).teacher["network"]
    assert any(not torch.equal(start[name], first.student[name]) for name in start)
    for name, tensor in first.student.items():
        torch.testing.assert_close(tensor, second.student[name], rtol=1e-3, atol=3e-5, msg=name)
    for name, tensor in first.teacher["network"].items():
        other_tensor = second.teacher["network"][name]
        torch.testing.assert_close(tensor, other_tensor, rtol=1e-3, atol=3e-5, msg=name)
    if first.ensemble:
        assert torch.equal(first.ensemble["turns"], second.ensemble["turns"])
        torch.testing.assert_close(
            first.ensemble["sums"], second.ensemble["sums"], rtol=2e-3, atol=1e-4
        )
    losses = [
        [
            (record["loss_known"], record["loss_positive"])
            for record in read_metrics(run / "metrics.jsonl")
            if record["kind"] == "train"
        ]
        for run in (one, other)
    ]
    assert losses[0]
    for mine, theirs in zip(*losses, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-9)
