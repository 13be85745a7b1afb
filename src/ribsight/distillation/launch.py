"""Processes of a run: one, several that we start on this machine, or those torchrun has started."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lightning_fabric import Fabric

from ribsight.errors import RibsightError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Machine:
    """Where to train.

    Attributes:
        accelerator: "cpu", "cuda", "mps" or "auto".
        devices: how many processes, each on its own device; under torchrun it says that.
        precision: of Lightning Fabric: "32-true", "bf16-mixed" or "16-mixed".
        processes: that decode images into the cache.

    """

    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32-true"
    processes: int = 1


def started_by_torchrun() -> bool:
    """Return whether this process is one of those that torchrun has started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_first_process() -> bool:
    """Return whether this process speaks for all that torchrun has started, or is alone."""
    return not started_by_torchrun() or os.environ["RANK"] == "0"


def fabric_of(machine: Machine) -> Fabric:
    """Return the fabric of a run; under torchrun its processes have already met.

    Raises:
        RibsightError: more devices are asked for than torchrun has started processes.

    """
    if not started_by_torchrun():
        return Fabric(
            accelerator=machine.accelerator,
            devices=machine.devices,
            # Spawned processes get the prepared job handed over; nothing is prepared twice.
            strategy="auto" if machine.devices == 1 else "ddp_spawn",
            precision=machine.precision,  # type: ignore[arg-type]
        )
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if machine.devices not in (1, here):
        raise RibsightError(
            f"--devices {machine.devices}: torchrun has started {here} processes on this machine; "
            "leave --devices out, --nproc-per-node says it"
        )
    fabric = Fabric(
        accelerator=machine.accelerator,
        devices=here,
        num_nodes=int(os.environ["GROUP_WORLD_SIZE"]),
        strategy="ddp",
        precision=machine.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def prepared_in_turn(fabric: Fabric, prepare: Callable[[], _T]) -> _T:
    """Return what every process prepares for itself, one that fills a cache before who reads it.

    The first of all goes first, then the first of each machine (whose cache may be its own), then
    all others. Before processes are started there is but one, and its work is handed over.
    """
    if not started_by_torchrun():
        return prepare()
    done: list[_T] = []
    with fabric.rank_zero_first():
        if fabric.is_global_zero:
            done.append(prepare())
    with fabric.rank_zero_first(local=True):
        if not done:
            done.append(prepare())
    return done[0]
