"""Predictions of a while against a reference: what has drifted, and how sure that is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ribsight.deployment.members import FILE as MEMBERS
from ribsight.deployment.reference import FILE, Reference, read_reference
from ribsight.deployment.watched import watch
from ribsight.deployment.watches import Verdict, Watch, watch_document, watches
from ribsight.detector.model_file import find_model
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import ImagePrediction, Predictions
from ribsight.evaluation.predictions_file import read_predictions

SCHEMA = "ribsight-monitor/1"
_MOST = 50_000


@dataclass(frozen=True, eq=False)
class Monitored:
    """What monitoring found.

    Attributes:
        model: name of the model.
        model_sha256: its identity.
        reference: what new images were held against, in words.
        reference_images: how many.
        new_images: how many new ones, each content once.
        tested: how many of those were tested.
        failed: files without a prediction.
        reasons: of those, with how many each has.
        watches: one each thing.
        same: things that are the same in all images, which are not tested.
        notes: what a reader should know besides.
    """

    model: str
    model_sha256: str
    reference: str
    reference_images: int
    new_images: int
    tested: int
    failed: int
    reasons: tuple[tuple[str, int], ...]
    watches: tuple[Watch, ...]
    same: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The gravest of all."""
        for one in (Verdict.DRIFT, Verdict.SLIGHT, Verdict.FEW):
            if any(item.verdict is one for item in self.watches):
                return one
        return Verdict.STEADY


def load_reference(path: Path) -> tuple[Reference, str]:
    """Return what to hold images against, and what it is called.

    Args:
        path: a run, a model folder, a folder of `ribsight calibrate --out`, or a predictions file
            of a time that was found to be good.

    Raises:
        RibsightError: there is none.
    """
    if path.is_file():
        earlier = read_predictions(path)
        watched = watch(earlier.images, earlier.findings, earlier.levels)
        reference = Reference(
            earlier.model, earlier.model_sha256, "", earlier.levels, watched,
            np.arange(len(earlier.images)),
        )  # fmt: skip
        return reference, f"predictions {path.name}"
    folder = path if (path / MEMBERS).is_file() else find_model(path)
    if not (folder / FILE).is_file():
        raise RibsightError(f"{folder} holds no {FILE}: ribsight calibrate writes it")
    return read_reference(folder / FILE), "the validation images"


def monitor(
    reference: Reference,
    called: str,
    predictions: Sequence[Predictions],
    *,
    seed: int = 0,
) -> Monitored:
    """Hold new predictions against a reference.

    Args:
        reference: what they should be like.
        called: what it is called.
        predictions: of one time; an image that is in several counts once.
        seed: of permutations.

    Raises:
        RibsightError: predictions are another model's, or hold no image.
    """
    for one in predictions:
        if one.model_sha256 != reference.model_sha256:
            raise RibsightError(
                f"the predictions are of model {one.model_sha256[:12]}, the reference is of "
                f"{reference.model_sha256[:12]}: scores of two models cannot be compared"
            )
    images = _once([image for one in predictions for image in one.images])
    if not images:
        raise RibsightError("the predictions hold no image")
    notes: list[str] = []
    tested = images
    if len(images) > _MOST:
        drawn = np.random.default_rng(seed).choice(len(images), _MOST, replace=False)
        tested = [images[index] for index in np.sort(drawn).tolist()]
        notes.append(f"{_MOST} of the {len(images)} images were drawn by chance and tested")
    findings = predictions[0].findings
    new = watch(tested, findings, reference.levels)
    found, same, further = watches(reference, new, seed=seed)
    failed = [one for part in predictions for one in part.failed]
    reasons = Counter(one.reason.removeprefix(one.file).strip() for one in failed)
    return Monitored(
        model=reference.model,
        model_sha256=reference.model_sha256,
        reference=called,
        reference_images=len(reference.watched),
        new_images=len(images),
        tested=len(tested),
        failed=len(failed),
        reasons=tuple(reasons.most_common()),
        watches=tuple(found),
        same=tuple(same),
        notes=(*notes, *further),
    )


def _once(images: Sequence[ImagePrediction]) -> list[ImagePrediction]:
    return list({one.sha256 or f"{one.file} {one.id}": one for one in images}.values())


def monitor_document(found: Monitored) -> dict[str, Any]:
    """Return what monitoring found, ready for JSON."""
    return {
        "schema": SCHEMA,
        "model": {"name": found.model, "sha256": found.model_sha256},
        "reference": {"from": found.reference, "images": found.reference_images},
        "new": {
            "images": found.new_images,
            "tested": found.tested,
            "failed": found.failed,
            "reasons": dict(found.reasons),
        },
        "verdict": str(found.verdict),
        "watched": {one.column.name: watch_document(one) for one in found.watches},
        "same": list(found.same),
        "notes": list(found.notes),
    }
