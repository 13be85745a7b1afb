"""What a reader's desk is asked: one image, its film, its heat maps, a review of it."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from sqlalchemy import select

from ribsight.deployment.service import tables as service
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.tables import Kind, State
from ribsight.deployment.service.triage.films import Film, Films
from ribsight.deployment.service.triage.heat import heat_png
from ribsight.deployment.service.triage.listed import ImageState
from ribsight.deployment.service.triage.messages import (
    SentReview,
    film_message,
    findings_message,
    records_message,
    review_message,
    time_text,
)
from ribsight.deployment.service.triage.recorded import records_of
from ribsight.deployment.service.triage.review import Decision, DrawnBox, JudgedMark, mark_keys
from ribsight.deployment.service.triage.reviews import (
    NewReview,
    ReviewConflictError,
    history,
    readers_of,
    save_review,
)
from ribsight.deployment.service.triage.tables import prepare
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.evaluation.predictions_file import image_from
from ribsight.radiographs.radiograph import UnreadableImageError
from ribsight.regions.region import Box

_HEAT_KEPT = 64


@dataclass(frozen=True)
class _Known:
    """What the store knows of an image; `prediction` is None unless it was scored."""

    received_at: float
    kept: bool
    is_set_aside: bool
    state: ImageState
    reason: str
    model_sha256: str
    prediction: ImagePrediction | None


class Desk:
    """Answers about single images; from several threads at once."""

    def __init__(self, context: Context):
        """Use the store, the files and the model of a service."""
        self._context = context
        self._films = Films()
        self._heat: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._heat_lock = threading.Lock()
        prepare(context.store.engine)

    def close(self) -> None:
        """End the process that decodes."""
        self._films.close()

    def image(self, image: str, reader: str) -> dict[str, Any]:
        """Return all that the page shows of an image beside its pixels."""
        known = self._known(image)
        with self._context.store.reading() as connection:
            saved = history(connection, image, reader)
            others = [one for one in readers_of(connection, image) if one != reader]
            records = records_of(connection, [image]).get(image, {})
        film, trouble = self._try_film(image, known)
        prediction = known.prediction
        size = (prediction.width, prediction.height) if prediction else film and film.stored
        return {
            "id": image,
            "name": image[:12],
            "received": time_text(known.received_at),
            "state": known.state,
            "reason": known.reason or trouble,
            "model_sha256": known.model_sha256,
            "pixels": film is not None,
            "width": size[0] if size else None,
            "height": size[1] if size else None,
            "header": film_message(film) if film else {},
            "warnings": list(prediction.warnings) if prediction else [],
            "findings": findings_message(prediction) if prediction else [],
            "records": records_message(records),
            "review": review_message(saved[-1]) if saved else None,
            "history": [review_message(one) for one in saved],
            "other_readers": len(others),
        }

    def film(self, image: str) -> Film:
        """Return the pixels of an image.

        Raises:
            HTTPException: 404 no such image; 410 its file was deleted or set aside; 422 it cannot
                be read.
        """
        known = self._known(image)
        if not known.kept:
            raise HTTPException(410, "the file was deleted for its age")
        if known.is_set_aside:
            raise HTTPException(410, "the file was set aside")
        try:
            return self._films.film(image, self._context.folder.find(image))
        except UnreadableImageError as error:
            raise HTTPException(422, error.reason) from error

    def _try_film(self, image: str, known: _Known) -> tuple[Film | None, str]:
        # The worker reads a file first, because it may be one that harms.
        if known.state is ImageState.WAITING or known.is_set_aside:
            return None, ""
        try:
            return self.film(image), ""
        except HTTPException as error:
            return None, str(error.detail)

    def heat(self, image: str, finding: str) -> bytes:
        """Return the probability map of a finding as a PNG over the whole stored image.

        Raises:
            HTTPException: 404 no such image or finding; 409 another model's result; 410 and 422
                as `film`.
        """
        context, known = self._context, self._known(image)
        if finding not in context.detector.findings:
            raise HTTPException(404, f"the model has no finding {finding}")
        if known.model_sha256 != context.detector.identity.sha256:
            raise HTTPException(409, "this image was read by another model")
        with self._heat_lock:  # one at a time: the worker needs the processor too
            if (image, finding) not in self._heat:
                self._add_heat(image, known)
            self._heat.move_to_end((image, finding))
            return self._heat[image, finding]

    def _add_heat(self, image: str, known: _Known) -> None:
        detector = self._context.detector
        if not known.kept:
            raise HTTPException(410, "the file was deleted for its age")
        try:
            radiograph = self._films.radiograph(image, self._context.folder.find(image))
        except UnreadableImageError as error:
            raise HTTPException(422, error.reason) from error
        prepared = detector.prepare(radiograph)
        for name, probability in zip(detector.findings, detector.maps([prepared])[0], strict=True):
            self._heat[image, name] = heat_png(probability, prepared.stored)
        while len(self._heat) > _HEAT_KEPT:
            self._heat.popitem(last=False)

    def review(self, image: str, sent: SentReview) -> tuple[dict[str, Any], bool]:
        """Keep a review; return it, and whether it is new.

        Raises:
            HTTPException: 404 no such image; 409 not scored, read by another model meanwhile, or
                another review was saved meanwhile; 422 a mark or a box that cannot be.
        """
        known = self._known(image)
        if known.prediction is None:
            raise HTTPException(409, "only a processed image can be reviewed")
        if sent.model_sha256 != known.model_sha256:
            raise HTTPException(409, "another model has read this image meanwhile: open it again")
        new = NewReview(
            review_id=str(sent.review_id),
            image=image,
            reader=sent.reader,
            model_sha256=sent.model_sha256,
            based_on=str(sent.based_on) if sent.based_on else None,
            complete=sent.complete,
            marks=_judged(sent, known.prediction),
            drawn=tuple(self._drawn(sent, known.prediction)),
        )
        try:
            review, is_new = save_review(self._context.store, new)
        except ReviewConflictError as error:
            current = review_message(error.current) if error.current else None
            raise HTTPException(409, {"reason": error.reason, "current": current}) from error
        return review_message(review), is_new

    def _drawn(self, sent: SentReview, prediction: ImagePrediction) -> list[DrawnBox]:
        drawn = []
        for one in sent.drawn:
            if one.finding not in self._context.detector.findings:
                raise HTTPException(422, f"the model has no finding {one.finding}")
            drawn.append(DrawnBox(one.finding, _checked(one.box, prediction)))
        return drawn

    def _known(self, image: str) -> _Known:
        images, jobs, results = service.images.c, service.jobs.c, service.results.c
        query = (
            select(
                images.received_at,
                images.kept,
                jobs.state,
                jobs.reason.label("trouble"),
                results.kind,
                results.reason,
                results.document,
                results.model_sha256,
            )
            .select_from(service.images)
            .join(service.jobs, jobs.image == images.id, isouter=True)
            .join(
                service.results,
                (results.image == images.id) & results.is_current,
                isouter=True,
            )
            .where(images.id == image)
        )
        with self._context.store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise HTTPException(404, "no such image")
        if row.kind == Kind.FINDINGS:
            state = ImageState.DONE
        elif row.kind == Kind.NOT_PROCESSED or row.state == State.CANCELED:
            state = ImageState.NOT_PROCESSED
        else:
            state = ImageState.WAITING
        return _Known(
            received_at=row.received_at,
            kept=row.kept,
            is_set_aside=row.state == State.CANCELED,
            state=state,
            reason=row.reason or row.trouble or "",
            model_sha256=row.model_sha256 or "",
            prediction=_prediction(row.document) if state is ImageState.DONE else None,
        )


def _prediction(document: str) -> ImagePrediction:
    return image_from(json.loads(document))


def _judged(sent: SentReview, prediction: ImagePrediction) -> tuple[JudgedMark, ...]:
    keys = mark_keys(prediction)
    judged = {}
    for one in sent.marks:
        if one.key not in keys:
            raise HTTPException(422, f"there is no mark {one.key}")
        if one.key in judged:
            raise HTTPException(422, f"the mark {one.key} is judged twice")
        finding, mark = keys[one.key]
        decision = Decision(one.decision)
        judged[one.key] = JudgedMark(one.key, finding, mark.box, mark.score, decision)
    return tuple(judged.values())


def _checked(box: Box, prediction: ImagePrediction) -> Box:
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= prediction.width and 0 <= y0 < y1 <= prediction.height):
        size = f"{prediction.width} x {prediction.height}"
        raise HTTPException(422, f"the box {box} does not lie in an image of {size} pixels")
    return box
