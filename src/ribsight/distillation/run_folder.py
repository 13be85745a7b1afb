"""A run on disk: `config.toml`, `metrics.jsonl`, `checkpoints/`, `model/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ribsight.distillation.checkpoint import Position
from ribsight.distillation.recipe import Recipe
from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.settings import parse_settings, read_toml


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved recipe and what it was run on."""
        return self.path / "config.toml"

    @property
    def metrics(self) -> Path:
        """One JSON object per line: training facts and validation figures."""
        return self.path / "metrics.jsonl"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def stage1(self) -> Path:
        """The student at the end of stage 1, where every method of stage 2 starts."""
        return self.path / "checkpoints" / "stage1.pt"

    @property
    def model(self) -> Path:
        """The finished model: the teacher."""
        return self.path / "model"


def start_run(run: RunFolder, recipe: Recipe, cohort: Path, fingerprint: str) -> None:
    """Write `config.toml` into a new run folder.

    Raises:
        RibsightError: the folder already holds a run or anything else, or cannot be written to.

    """
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise RibsightError(
            f"{run.path} is not empty: give another --out, or continue a stopped run with "
            f"--resume {run.path}"
        )
    document = {
        "run": {"cohort": str(cohort.resolve()), "cohort_sha256": fingerprint},
        "recipe": recipe.model_dump(),
    }
    write_text(run.config, tomli_w.dumps(document))


def read_run(run: RunFolder) -> tuple[Recipe, Path, str]:
    """Return a run's recipe, its cohort's folder and the cohort's fingerprint.

    Raises:
        RibsightError: the folder holds no run.

    """
    document = read_toml(run.config)
    try:
        recipe = parse_settings(Recipe, document["recipe"], str(run.config))
        return recipe, Path(document["run"]["cohort"]), document["run"]["cohort_sha256"]
    except KeyError as error:
        raise RibsightError(
            f"{run.config} is not the configuration of a run: no {error}"
        ) from error


class MetricsFile:
    """Appends to `metrics.jsonl`, from a given position of the run on.

    Attributes:
        kept: the records up to that position.

    """

    def __init__(self, path: Path, position: Position):
        """Drop what was written at or after `position` (a crash may have passed a checkpoint)."""
        self.kept = [
            one for one in read_metrics(path) if (one["stage"], one["step"]) <= _pair(position)
        ]
        write_text(path, "".join(json.dumps(one) + "\n" for one in self.kept))
        self._path = path

    def append(self, record: Mapping[str, object]) -> None:
        """Write one record; `stage` and `step` (steps done) are among its keys."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a metrics file; an unfinished last line is left out."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def _pair(position: Position) -> tuple[int, int]:
    return position.stage, position.step
