"""Figures for Prometheus, in its text format. No label holds anything of a patient."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from ribsight.deployment.service import tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.health import health


def metrics(context: Context) -> bytes:
    """Return all figures as of now.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(context))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, context: Context):
        self._context = context

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        now = health(self._context)
        yield _gauge("ok", "1 if all is well", float(now.ok))
        yield _gauge("queue_images", "images without a result", now.waiting)
        yield _gauge("queue_oldest_seconds", "waiting time of the first", now.oldest_seconds)
        yield _gauge("disk_free_bytes", "free space for the data folder", now.free_bytes)
        waiting = GaugeMetricFamily(
            "ribsight_delivery_waiting", "objects not yet delivered", labels=["destination"]
        )
        for name, count in now.undelivered.items():
            waiting.add_metric([name], count)
        yield waiting
        model = GaugeMetricFamily("ribsight_model", "the model at work", labels=["sha256"])
        model.add_metric([now.model_sha256], 1)
        yield model
        yield from self._counts()

    def _counts(self) -> Iterable[Metric]:
        images, results, deliveries = tables.images.c, tables.results.c, tables.deliveries.c
        current = select(results.kind, func.count()).where(results.is_current)
        certain = (
            select(tables.scores.c.finding, tables.scores.c.certainty, func.count())
            .join(tables.results)
            .where(results.is_current)
            .group_by(tables.scores.c.finding, tables.scores.c.certainty)
        )
        with self._context.store.reading() as connection:
            ways = connection.execute(select(images.way, func.count()).group_by(images.way)).all()
            kinds = connection.execute(current.group_by(results.kind)).all()
            findings = connection.execute(certain).all()
            sent = connection.execute(
                select(deliveries.destination, deliveries.state, func.count()).group_by(
                    deliveries.destination, deliveries.state
                )
            ).all()
        yield _counter("images", "images accepted", ["way"], ways)
        yield _counter("results", "current results", ["kind"], kinds)
        yield _counter("findings", "scored images", ["finding", "certainty"], findings)
        yield _counter("deliveries", "objects for archives", ["destination", "state"], sent)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ribsight_{name}", text, value=value)


def _counter(name: str, text: str, labels: list[str], rows: Iterable[Iterable[object]]) -> Metric:
    counter = CounterMetricFamily(f"ribsight_{name}", text, labels=labels)
    for row in rows:
        *values, count = row
        counter.add_metric([str(one or "none") for one in values], float(str(count)))
    return counter
