"""Predictions -> a folder of DICOM objects, and a list of what was written and what was not."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from pydicom.dataset import Dataset
from tqdm import tqdm

from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.results import (
    NotProcessed,
    ResultObject,
    ResultOptions,
    dicom_results,
    edition_of,
    kind_of,
)
from ribsight.deployment.results.heat import HeatMap
from ribsight.deployment.results.said import said_of
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Predictions
from ribsight.files import write_bytes, write_text
from ribsight.radiographs.dicom import is_dicom, read_dicom_header
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError
from ribsight.radiographs.read import image_id

INDEX = "results.json"
SCHEMA = "ribsight-results/1"
NO_DICOM = "is no DICOM file: results need its patient and study"

_MOST_UNREAD = 1 << 18
_SEE_PIXELS = frozenset(ResultObject) - {ResultObject.SR}


@dataclass(frozen=True)
class Maker:
    """What makes the objects of one image after the other.

    Attributes:
        identity: of the model.
        options: what to write.
        content: file as the predictions name it -> its bytes; raises RibsightError.
        heat: radiograph -> the detector's maps of it; None if no heat map is wanted.
    """

    identity: ModelIdentity
    options: ResultOptions
    content: Callable[[str], bytes]
    heat: Callable[[Radiograph], HeatMap] | None = None


@dataclass(frozen=True)
class Written:
    """What came of it: `images` with their objects, and (file, reason) of the rest."""

    images: tuple[dict[str, Any], ...]
    skipped: tuple[tuple[str, str], ...]


def write_results(
    predictions: Predictions, maker: Maker, out: Path, *, progress: bool = True
) -> Written:
    """Write `<id>.<kind>.dcm` for every image that was predicted or could not be, and an index.

    What is there from an earlier run is replaced. Files that are no DICOM, that have changed since,
    or that name no study are passed over with the reason.

    Raises:
        RibsightError: the predictions are another model's or know no thresholds while no least
            score is given, nothing could be written, or the folder cannot be written to.
    """
    _refuse_unfit(predictions, maker)
    edition = edition_of(predictions.levels)
    maker = replace(maker, options=replace(maker.options, edition=edition))
    images: list[dict[str, Any]] = []
    skipped: list[tuple[str, str]] = []
    names: set[str] = set()
    everything: list[ImagePrediction | FailedImage] = [*predictions.images, *predictions.failed]
    with GuardedReader() as reader:
        for one in tqdm(everything, "writing", unit="image", disable=not progress):
            try:
                objects = list(_objects(one, maker, reader))
            except RibsightError as error:
                skipped.append((one.file, _reason(str(error), one.file)))
                continue
            outcome = said_of(_said(one), maker.options).outcome
            name = _free_name(one, names)
            images.append(_save(out, name, one.file, outcome, objects, maker.options))
    if not images:
        file, reason = skipped[0]
        raise RibsightError(f"no results could be written: {file} {reason}")
    done = Written(tuple(images), tuple(skipped))
    _write_index(out / INDEX, done, maker.identity)
    return done


def _refuse_unfit(predictions: Predictions, maker: Maker) -> None:
    theirs, ours = predictions.model_sha256, maker.identity.sha256
    if theirs != ours:
        raise RibsightError(
            f"the predictions are of model {theirs[:12]}, not of {ours[:12]}: give the model that "
            "made them, with the same --ensemble and --tta"
        )
    bare = [name for name in predictions.findings if name not in predictions.levels]
    if bare and maker.options.least_score is None:
        raise RibsightError(
            f"the predictions know no thresholds of {', '.join(bare)}, so nothing in them is found "
            "or not found: ribsight calibrate, then predict again; or give --least-score"
        )


def _said(one: ImagePrediction | FailedImage) -> ImagePrediction | NotProcessed:
    return one if isinstance(one, ImagePrediction) else NotProcessed(_reason(one.reason, one.file))


def _reason(sentence: str, file: str) -> str:
    """Return a sentence without the file that it is about, whose name may be a patient's."""
    return (
        sentence.removeprefix(file).removeprefix(Path(file).name).removeprefix("the image").strip()
    )


def _objects(
    one: ImagePrediction | FailedImage, maker: Maker, reader: GuardedReader
) -> Iterator[Dataset]:
    content = maker.content(one.file)
    if not is_dicom(content):
        raise RibsightError(NO_DICOM)
    was_read = isinstance(one, ImagePrediction)
    known = one.sha256 if isinstance(one, ImagePrediction) else None
    if known is not None and hashlib.sha256(content).hexdigest() != known:
        raise RibsightError("has changed since it was predicted: predict again")
    radiograph = None
    if maker.options.objects & _SEE_PIXELS:
        try:
            radiograph = reader.read(content, one.file)
        except UnreadableImageError:
            if was_read:
                raise
    header = read_dicom_header(one.file, content if was_read else content[:_MOST_UNREAD])
    heat = maker.heat(radiograph) if maker.heat and radiograph and was_read else None
    yield from dicom_results(
        header, _said(one), maker.identity, maker.options, radiograph=radiograph, heat=heat
    )


def _free_name(one: ImagePrediction | FailedImage, taken: set[str]) -> str:
    """Return a file name for an image, made of its id; numbered where several would share it."""
    called = one.id if isinstance(one, ImagePrediction) else image_id(PurePosixPath(one.file))
    stem = re.sub(r"[^\w.-]+", "_", called, flags=re.ASCII).strip("._")[-100:] or "image"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _save(
    out: Path, name: str, file: str, outcome: str, objects: list[Dataset], options: ResultOptions
) -> dict[str, Any]:
    written = []
    for one in objects:
        kind = kind_of(one, options)
        content = BytesIO()
        one.save_as(content, enforce_file_format=True)
        write_bytes(out / f"{name}.{kind}.dcm", content.getvalue())
        uid = str(one.SOPInstanceUID)
        written.append({"kind": kind, "file": f"{name}.{kind}.dcm", "sop_instance_uid": uid})
    return {"file": file, "outcome": outcome, "objects": written}


def _write_index(path: Path, done: Written, identity: ModelIdentity) -> None:
    document = {
        "schema": SCHEMA,
        "model": {
            "name": identity.name,
            "sha256": identity.sha256,
            "version": identity.version,
        },
        "images": list(done.images),
        "skipped": [{"file": file, "reason": reason} for file, reason in done.skipped],
    }
    write_text(path, json.dumps(document, indent=1) + "\n")
