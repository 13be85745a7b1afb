"""The store -> what was reviewed and what records say of it."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, or_, select

from ribsight.deployment.service import tables as service
from ribsight.deployment.service.tables import Kind
from ribsight.deployment.service.triage.feedback import Feedback, ReviewedImage
from ribsight.deployment.service.triage.recorded import is_about, records_of
from ribsight.deployment.service.triage.review import Review
from ribsight.deployment.service.triage.reviews import latest_reviews
from ribsight.deployment.service.triage.tables import records, reviews

_AT_ONCE = 500


def gather(
    connection: Connection, findings: Sequence[str] = (), readers: Sequence[str] = ()
) -> Feedback:
    """Return the scored images that a reader or a record says something of.

    Args:
        connection: to the store.
        findings: of the model at work; found in results, reviews and records if not given.
        readers: whose reviews to take; all if empty.
    """
    by_image: dict[str, list[Review]] = {}
    for one in latest_reviews(connection, readers):
        by_image.setdefault(one.image, []).append(one)
    images = service.images.c
    query = (
        select(images.id, images.rows, images.columns)
        .join(service.results, service.results.c.image == images.id)
        .where(
            service.results.c.is_current,
            service.results.c.kind == Kind.FINDINGS,
            or_(
                exists(select(reviews.c.id).where(reviews.c.image == images.id)),
                exists(select(records.c.key).where(is_about(service.images))),
            ),
        )
        .order_by(images.received_at, images.id)
    )
    rows = connection.execute(query).all()
    known = {}
    for start in range(0, len(rows), _AT_ONCE):
        ids = [row.id for row in rows[start : start + _AT_ONCE]]
        known.update(records_of(connection, ids))
    found = tuple(
        ReviewedImage(
            image=row.id,
            name=row.id,
            width=row.columns,
            height=row.rows,
            reviews=tuple(by_image.get(row.id, ())),
            records={name: said.state for name, said in known.get(row.id, {}).items()},
        )
        for row in rows
    )
    return Feedback(found, tuple(findings) or _findings(connection, found))


def _findings(connection: Connection, images: Sequence[ReviewedImage]) -> tuple[str, ...]:
    scored = connection.execute(select(service.scores.c.finding).distinct()).scalars()
    names = set(scored)
    for one in images:
        names.update(name for review in one.reviews for name in review.findings)
        names.update(one.records)
    return tuple(sorted(names))
