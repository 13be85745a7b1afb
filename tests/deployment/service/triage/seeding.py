"""Images with results put into a service's store, as its receiver and worker would."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import insert

from ribsight.deployment.service import tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.tables import Kind, State
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction
from ribsight.evaluation.predictions_file import image_document
from ribsight.files import file_sha256
from ribsight.radiographs import read_radiograph


def add_image(
    context: Context,
    file: Path,
    findings: Mapping[str, FindingPrediction] | None = None,
    *,
    reason: str = "",
    state: State = State.COMPLETED,
    received_at: float | None = None,
) -> str:
    """Add a DICOM file with what was found on it, or why it was not processed; return its id."""
    image = file_sha256(file)
    place = context.folder.image(image)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    when = time.time() if received_at is None else received_at
    radiograph = read_radiograph(file) if findings is not None else None
    about = radiograph.identifiers if radiograph else None
    with context.store.writing() as connection:
        connection.execute(
            insert(tables.images).values(
                id=image,
                received_at=when,
                way="stow",
                bytes=file.stat().st_size,
                instance=context.keyed("instance", about.sop_instance_uid) if about else None,
                study=context.keyed("study", about.study_uid) if about else None,
                accession=context.keyed("accession", about.accession_number) if about else None,
                rows=radiograph.pixels.shape[0] if radiograph else None,
                columns=radiograph.pixels.shape[1] if radiograph else None,
            )
        )
        quarantine = reason if state is State.CANCELED else None
        connection.execute(
            insert(tables.jobs).values(image=image, state=state, created_at=when, reason=quarantine)
        )
    if state is State.COMPLETED:
        add_result(context, image, findings, reason=reason)
    return image


def add_result(
    context: Context,
    image: str,
    findings: Mapping[str, FindingPrediction] | None,
    *,
    reason: str = "",
    model_sha256: str | None = None,
) -> None:
    """Make this the current result of an image."""
    document = "{}"
    if findings is not None:
        pixels = read_radiograph(context.folder.image(image)).pixels
        height, width = pixels.shape
        prediction = ImagePrediction(image, f"{image}.dcm", width, height, findings, sha256=image)
        document = json.dumps(image_document(prediction))
    with context.store.writing() as connection:
        connection.execute(
            tables.results.update().where(tables.results.c.image == image).values(is_current=False)
        )
        result = connection.execute(
            insert(tables.results).values(
                image=image,
                model_sha256=model_sha256 or context.detector.identity.sha256,
                kind=Kind.NOT_PROCESSED if findings is None else Kind.FINDINGS,
                reason=reason or None,
                document=document,
                created_at=time.time(),
            )
        ).inserted_primary_key
        assert result is not None
        for name, one in (findings or {}).items():
            connection.execute(
                insert(tables.scores).values(
                    result=result[0],
                    finding=name,
                    score=one.score,
                    probability=one.probability,
                    certainty=one.certainty,
                )
            )
