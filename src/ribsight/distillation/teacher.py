"""The teacher: an exponential moving average of the student's weights."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ribsight.distillation.recipe import TeacherSettings


def warmed_up_decay(updates: int, decay: float) -> float:
    """Return min(1 - 1 / (updates + 1), decay): the true average until it would be longer.

    Tarvainen & Valpola, NeurIPS 2017. `updates` counts from 0, so the first update copies.
    """
    return min(1.0 - 1.0 / (updates + 1), decay)


class Teacher:
    """A copy of the student that follows it, is never trained, and is always in evaluation mode.

    Its number of updates belongs to its state: a resumed run must not start the warm-up again.
    """

    def __init__(self, student: nn.Module, settings: TeacherSettings):
        """Start as an exact copy of `student`."""
        self.network = copy.deepcopy(student).requires_grad_(False).eval()
        self.updates = 0
        self._settings = settings

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Move every weight toward the student's; buffers as the settings say."""
        decay = warmed_up_decay(self.updates, self._settings.decay)
        mine = [p.data for p in self.network.parameters()]
        theirs = [p.data for p in student.parameters()]
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)
        for buffer, new in zip(self.network.buffers(), student.buffers(), strict=True):
            if self._settings.buffers == "average" and buffer.is_floating_point():
                buffer.lerp_(new, 1.0 - decay)
            else:
                buffer.copy_(new)
        self.updates += 1

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """Return the logits (N, K, h, w) of images (N, 1, H, W), without gradient."""
        logits: Tensor = self.network(images)
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Weights, buffers and the number of updates."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])
