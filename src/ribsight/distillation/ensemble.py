"""What a student said of each radiograph in earlier turns: Temporal Ensembling.

Laine & Aila, ICLR 2017. Each radiograph keeps Z <- alpha Z + (1 - alpha) z of the predictions z
that training made anyway; the target is Z / (1 - alpha^t) after t of them, for Z began at zero.

Views turn, shift and cut, so a prediction is first brought back to the radiograph as it lies in the
cache, and t is counted for each cell: a cell outside a view keeps what it had, one that was
never seen has no target.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ribsight.detector.settings import STRIDE
from ribsight.distillation.crops import cut_maps
from ribsight.errors import RibsightError

Sum = Callable[[Tensor], Tensor]

_EDGE = 1e-6
_WHOLLY = 0.999
_LARGEST = 4 * 2**30


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the student said in one step, in the radiographs' own frame.

    Attributes:
        row: (P,) of the radiographs.
        place: (P,) in the whole step.
        maps: (P, K, S/4, S/4) probabilities, 0 where nothing was seen.
        seen: (P, 1, S/4, S/4) 1 where the view showed the cell, else 0.

    """

    row: NDArray[np.intp]
    place: NDArray[np.intp]
    maps: Tensor
    seen: Tensor


class TemporalEnsemble:
    """The accumulated maps of the radiographs that a method teaches without a region.

    Kept in memory and in every checkpoint in half precision, 2 K + 1 bytes a cell: 12 MB for a
    thousand radiographs of 256 pixels and one finding.
    """

    def __init__(self, rows: NDArray[np.intp], findings: int, size: int, decay: float):
        """Remember nothing yet.

        Args:
            rows: (n,) of the radiographs.
            findings: K.
            size: S, side of the network images.
            decay: alpha.

        Raises:
            RibsightError: so many and so large maps would not fit into a checkpoint.

        """
        self._decay = decay
        self._slot = {row: slot for slot, row in enumerate(rows.tolist())}
        side = size // STRIDE
        needed = len(rows) * (2 * findings + 1) * side**2
        if needed > _LARGEST:
            raise RibsightError(
                f"temporal_ensembling keeps a map of each of {len(rows)} radiographs in every "
                f"checkpoint: {needed / 2**30:.0f} GiB, of which {_LARGEST / 2**30:.0f} are "
                "allowed. Use mean_teacher, or a smaller cohort or image"
            )
        self._sums = torch.zeros(len(rows), findings, side, side, dtype=torch.float16)
        self._turns = torch.zeros(len(rows), 1, side, side, dtype=torch.uint8)

    def recall(self, rows: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return what is remembered of radiographs, each cell corrected for its own turns.

        Args:
            rows: (P,).

        Returns:
            (P, K, S/4, S/4) logits, and (P, 1, S/4, S/4) 1 where anything is known, else 0.

        """
        slots = self._slots(rows)
        turns = self._turns[slots].float()
        known = (turns > 0).float()
        corrected = self._sums[slots].float() / (1.0 - self._decay**turns).where(turns > 0, 1.0)
        return torch.logit(corrected, eps=_EDGE), known

    def remember(self, said: Sequence[Predictions], places: int, add: Sum | None = None) -> None:
        """Add what was said in one step, in the order of the places in it.

        Args:
            said: by this process.
            places: images of the whole step.
            add: adds up a tensor over all processes, so that each remembers what all said.

        """
        row, maps, seen = self._laid_out(said, places)
        if add is not None:
            row, maps, seen = add(row), add(maps), add(seen)
        for place in torch.nonzero(row).flatten().tolist():
            slot = self._slot[int(row[place]) - 1]
            shown = seen[place] > 0
            before = self._sums[slot].float()
            added = self._decay * before + (1.0 - self._decay) * maps[place]
            self._sums[slot] = torch.where(shown, added, before).half()
            # Beyond 255 turns alpha^t is nothing.
            turned = (self._turns[slot].short() + 1).clamp(max=255).to(torch.uint8)
            self._turns[slot] = torch.where(shown, turned, self._turns[slot])

    def state_dict(self) -> dict[str, Any]:
        """Return the maps of the radiographs that were seen at all."""
        seen = torch.nonzero(self._turns.flatten(1).any(dim=1)).flatten()
        rows = torch.tensor(list(self._slot), dtype=torch.int64)[seen]
        return {"rows": rows, "sums": self._sums[seen], "turns": self._turns[seen]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state of `state_dict`; other radiographs are forgotten."""
        self._sums.zero_()
        self._turns.zero_()
        slots = self._slots(state["rows"].numpy())
        self._sums[slots] = state["sums"]
        self._turns[slots] = state["turns"]

    def _laid_out(self, said: Sequence[Predictions], places: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return row + 1, maps and seen cells by place; 0 where this process said nothing."""
        findings, height, width = self._sums.shape[1:]
        row = torch.zeros(places, dtype=torch.int64)
        maps = torch.zeros(places, findings, height, width)
        seen = torch.zeros(places, 1, height, width)
        for one in said:
            row[one.place] = torch.from_numpy(one.row + 1)
            maps[one.place], seen[one.place] = one.maps.cpu(), one.seen.cpu()
        return row, maps, seen

    def _slots(self, rows: NDArray[np.integer[Any]]) -> Tensor:
        return torch.tensor([self._slot[row] for row in rows.tolist()], dtype=torch.int64)


def brought_back(
    logits: Tensor,
    matrices: NDArray[np.float64],
    row: NDArray[np.intp],
    place: NDArray[np.intp],
    size: int,
) -> Predictions:
    """Return a student's predictions in the frame of the network images.

    Args:
        logits: (P, K, c/4, c/4) of views.
        matrices: (P, 2, 3) from network pixels to those of each view.
        row: (P,) of the radiographs.
        place: (P,) in the whole step.
        size: S, side of the network images.

    """
    maps = torch.sigmoid(logits.detach().float())
    back = np.stack([_inverse(one) for one in matrices])
    seen = (cut_maps(torch.ones_like(maps[:, :1]), back, size) > _WHOLLY).float()
    return Predictions(row, place, cut_maps(maps, back, size) * seen, seen)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])
