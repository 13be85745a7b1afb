"""Reviews in the database: added once, never changed; the latest of each reader counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select
from sqlalchemy.exc import IntegrityError

from ribsight.deployment.service import audit
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.triage.review import (
    DrawnBox,
    JudgedMark,
    Review,
    content,
    review_of,
)
from ribsight.deployment.service.triage.tables import reviews


@dataclass(frozen=True)
class NewReview:
    """A review that is to be saved; fields as those of `Review`.

    `based_on` is the reader's review of this image that the page showed, None if there was none.
    """

    review_id: str
    image: str
    reader: str
    model_sha256: str
    based_on: str | None
    complete: bool
    marks: tuple[JudgedMark, ...]
    drawn: tuple[DrawnBox, ...]


class ReviewConflictError(Exception):
    """The reader has saved another review meanwhile, or the id belongs to another one."""

    def __init__(self, reason: str, current: Review | None):
        """Say why, and which review counts now."""
        super().__init__(reason)
        self.reason = reason
        self.current = current


def save_review(store: Store, new: NewReview) -> tuple[Review, bool]:
    """Keep a review, durably; return it, and whether it is new.

    Sent again it is not kept again.

    Raises:
        ReviewConflictError: it is based on another review than the reader's latest, or its id is
            that of another review. Nothing is kept.
    """
    try:
        with store.writing() as connection:
            return _save(connection, new)
    except IntegrityError:  # somebody saved between looking and adding
        with store.writing() as connection:
            return _save(connection, new)


def _save(connection: Connection, new: NewReview) -> tuple[Review, bool]:
    document = content(new.marks, new.drawn)
    before = connection.execute(select(reviews).where(reviews.c.review == new.review_id)).first()
    if before is not None:
        known = review_of(before._mapping)
        same = (known.image, known.reader, known.complete, before.document)
        if same == (new.image, new.reader, new.complete, document):
            return known, False
        raise ReviewConflictError("this id is that of another review", None)
    latest = latest_review(connection, new.image, new.reader)
    if new.based_on != (latest.review_id if latest else None):
        raise ReviewConflictError("another review was saved meanwhile", latest)
    row = {
        "review": new.review_id,
        "image": new.image,
        "reader": new.reader,
        "number": latest.number + 1 if latest else 1,
        "model_sha256": new.model_sha256,
        "complete": new.complete,
        "document": document,
        "saved_at": time.time(),
    }
    connection.execute(insert(reviews).values(row))
    audit.record(
        connection,
        "review",
        image=new.image,
        reader=new.reader,
        model=new.model_sha256,
        outcome="complete" if new.complete else "not complete",
    )
    return review_of(row), True


def latest_review(connection: Connection, image: str, reader: str) -> Review | None:
    """Return what counts of one reader on one image."""
    found = history(connection, image, reader)
    return found[-1] if found else None


def history(connection: Connection, image: str, reader: str) -> list[Review]:
    """Return all that one reader saved of one image, the oldest first."""
    query = (
        select(reviews)
        .where(reviews.c.image == image, reviews.c.reader == reader)
        .order_by(reviews.c.number)
    )
    return [review_of(row._mapping) for row in connection.execute(query)]


def readers_of(connection: Connection, image: str) -> list[str]:
    """Return who has saved a review of an image, sorted."""
    query = select(reviews.c.reader).where(reviews.c.image == image).distinct()
    return sorted(connection.execute(query).scalars())


def latest_reviews(connection: Connection, readers: Sequence[str] = ()) -> list[Review]:
    """Return what counts of every image and reader, or of some readers, in the order of images."""
    query = latest_rows()
    if readers:
        query = query.where(reviews.c.reader.in_(readers))
    query = query.order_by(reviews.c.image, reviews.c.reader)
    return [review_of(row._mapping) for row in connection.execute(query)]


def latest_rows(*conditions: ColumnElement[bool]) -> "Select[tuple[object, ...]]":
    """Return a query of the rows that count."""
    newest = (
        select(reviews.c.image, reviews.c.reader, func.max(reviews.c.number).label("number"))
        .where(*conditions)
        .group_by(reviews.c.image, reviews.c.reader)
        .subquery()
    )
    return select(reviews).join(
        newest,
        and_(
            reviews.c.image == newest.c.image,
            reviews.c.reader == newest.c.reader,
            reviews.c.number == newest.c.number,
        ),
    )
