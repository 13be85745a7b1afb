"""Two thresholds as readers know them: doubtful, and confident."""

from pathlib import Path

from ribsight.documents import read_document, reading, require_model
from ribsight.evaluation.operating_points import FILE, SCHEMA
from ribsight.evaluation.predictions import Levels
from ribsight.findings import Certainty

__all__ = ["Levels", "certainty", "read_levels"]


def certainty(score: float, levels: Levels | None) -> Certainty | None:
    """Return how sure a raw score is; None below both thresholds, or without thresholds.

    >>> certainty(0.4, Levels(doubtful=0.3, confident=0.6))
    <Certainty.DOUBTFUL: 'doubtful'>
    """
    if levels is None or score < levels.doubtful:
        return None
    return Certainty.CONFIDENT if score >= levels.confident else Certainty.DOUBTFUL


def read_levels(folder: Path, model_sha256: str) -> dict[str, Levels]:
    """Return the thresholds beside a model, by finding; none if nobody chose any.

    Args:
        folder: holds `operating_points.json`, as `ribsight calibrate` writes it.
        model_sha256: identity of the model they must have been chosen for.

    Raises:
        RibsightError: the file is damaged, or was written for another model.
    """
    path = folder / FILE
    with reading(path, "file of operating points"):
        if not path.exists():
            return {}
        document = read_document(path, SCHEMA)
        model = document["model"]["sha256"]
        chosen: dict[str, dict[str, float]] = {}
        for point in document["points"]:
            if point.get("level"):
                chosen.setdefault(point["finding"], {})[point["level"]] = float(point["threshold"])
        levels = {
            finding: Levels(one[Certainty.DOUBTFUL], one[Certainty.CONFIDENT])
            for finding, one in chosen.items()
        }
    require_model(
        model,
        model_sha256,
        f"the operating points in {path} were chosen",
        "a threshold does not carry over, run ribsight calibrate",
    )
    return levels
