"""The records of `metrics.jsonl` as TensorBoard curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError


class TensorBoardObserver:
    """Writes every number of a record as a scalar; opens its file on the first record."""

    def __init__(self, folder: Path):
        """Write event files into `folder`.

        Raises:
            RibsightError: TensorBoard is not installed.

        """
        try:
            import tensorboard  # noqa: F401
        except ImportError as error:
            raise RibsightError(
                "--tensorboard needs the extra 'tensorboard': pip install 'ribsight[tensorboard]'"
            ) from error
        self._folder = folder
        self._writer: Any = None
        self._stage1_steps = 0

    def __call__(self, record: Mapping[str, object]) -> None:
        """Write one record; stage 2 continues where stage 1 ended."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        step = int(str(record["step"]))
        if record["stage"] == 1:
            self._stage1_steps = max(self._stage1_steps, step)
        else:
            step += self._stage1_steps
        prefix = f"{record['kind']}/{record['which']}" if "which" in record else record["kind"]
        for name, value in scalars(record):
            self._writer.add_scalar(f"{prefix}/{name}", value, step)
        self._writer.flush()


def scalars(record: Mapping[str, object]) -> list[tuple[str, float]]:
    """Return the numbers of a record, those per finding as `name/finding`."""
    found: list[tuple[str, float]] = []
    for name, value in record.items():
        if isinstance(value, float):
            found.append((name, value))
        elif isinstance(value, Mapping):
            found += [(f"{name}/{key}", one) for key, one in value.items() if one is not None]
    return found
