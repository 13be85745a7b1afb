"""Processes that torchrun has started on several machines: here two, over loopback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ribsight.distillation.checkpoint import load_checkpoint
from ribsight.distillation.launch import Machine, fabric_of, is_first_process
from ribsight.distillation.loop import LoopOptions
from ribsight.distillation.recipe import load_recipe
from ribsight.distillation.run_folder import RunFolder, read_metrics
from ribsight.distillation.train import train
from ribsight.errors import RibsightError

RECIPE = Path(__file__).parents[2] / "recipes" / "test.toml"
CHANGES = {"detector.batch_norm": "frozen", "stage1.steps": 4, "stage2.steps": 4}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def on_two_nodes(command: list[str]) -> list[subprocess.CompletedProcess[str]]:
    """Start `ribsight` as two machines with a process each would."""
    port = str(free_port())
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    nodes = []
    for rank in ("0", "1"):
        torchrun = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", rank,
            "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", port,
            "-m", "ribsight.cli.main", *command,
        ]  # fmt: skip
        nodes.append(
            subprocess.Popen(
                torchrun,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
    done = []
    for node in nodes:
        out, error = node.communicate(timeout=600)
        done.append(subprocess.CompletedProcess(node.args, node.returncode, out, error))
    return done


def test_two_nodes_equal_one_process(trainable: Path, tmp_path: Path) -> None:
    changes = [f"--set={key}={value}" for key, value in CHANGES.items()]
    # An empty cache each: the two must not get in each other's way while they fill it.
    command = [
        "train", "--cohort", str(trainable), "--recipe", str(RECIPE), *changes,
        "--out", str(tmp_path / "two"), "--cache", str(tmp_path / "cache"),
        "--accelerator", "cpu", "--quiet",
    ]  # fmt: skip
    done = on_two_nodes(command)
    for node in done:
        assert node.returncode == 0, node.stderr[-3000:]
    assert [node.stdout.count("model ->") for node in done] == [1, 0]
    alone = tmp_path / "one"
    options = LoopOptions(progress=False)
    recipe = load_recipe(RECIPE, CHANGES)
    train(recipe, trainable, alone, machine=Machine("cpu"), options=options)
    one, two = (load_checkpoint(RunFolder(tmp_path / run).last) for run in ("one", "two"))
    for name, tensor in one.teacher["network"].items():
        other = two.teacher["network"][name]
        torch.testing.assert_close(tensor, other, rtol=1e-3, atol=2e-5, msg=name)
    kinds = [
        [record["kind"] for record in read_metrics(tmp_path / run / "metrics.jsonl")]
        for run in ("one", "two")
    ]
    assert kinds[0] == kinds[1]


def test_more_devices_than_torchrun_started_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x", "RANK": "3", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert not is_first_process()
    with pytest.raises(RibsightError, match="torchrun has started 2 processes on this machine"):
        fabric_of(Machine("cpu", devices=4))
