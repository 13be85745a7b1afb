import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select
from tests.archive.conftest import dicom
from tests.deployment.service.clients import Archive, free_port, wait_until
from tests.deployment.service.conftest import NewContext, quick_settings
from tests.deployment.service.test_worker import take_in

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.results import NotProcessed, dicom_results
from ribsight.deployment.service import jobs, tables
from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.context import Context, open_context
from ribsight.deployment.service.delivery import Deliverer
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.http_server import HttpServer
from ribsight.deployment.service.outcomes import Outcome, record_outcome
from ribsight.deployment.service.settings import DestinationSettings
from ribsight.deployment.service.tables import State

Deliver = Callable[[Context], None]


@pytest.fixture
def archive() -> Iterator[Archive]:
    one = Archive(free_port())
    yield one
    one.stop()


def to_archive(archive: Archive, attempts: int = 3) -> DestinationSettings:
    return DestinationSettings(
        name="pacs", kind="dicom", host="127.0.0.1", port=archive.port, ae_title="ARCHIVE",
        seconds=5.0, retry_seconds=0.05, retry_most_seconds=0.2, attempts=attempts,
    )  # fmt: skip


def conclude(context: Context, *numbers: int) -> list[str]:
    """Give images results with two objects each; return the objects' names in order."""
    names: list[str] = []
    for number in numbers:
        (image,) = take_in(context, dicom(number))
        (job,) = jobs.claim(context.store, "test", 1, 60)
        header = dcmread(context.folder.image(image), stop_before_pixels=True)
        said = NotProcessed("is not scored")
        objects = dicom_results(header, said, context.detector.identity)
        assert record_outcome(context, job, Outcome(None, said.reason, None, objects=objects))
        names += [str(one.SOPInstanceUID) for one in objects]
    return names


def states(context: Context) -> list[str]:
    query = select(tables.deliveries.c.state).order_by(tables.deliveries.c.id)
    with context.store.reading() as connection:
        return list(connection.execute(query).scalars())


@pytest.fixture
def deliver() -> Iterator[Deliver]:
    """Return a function that starts a context's deliverers, stopped with the test."""
    running: list[tuple[Context, Deliverer]] = []

    def start(context: Context) -> None:
        for one in context.settings.destinations:
            deliverer = Deliverer(context, one)
            deliverer.start()
            running.append((context, deliverer))

    yield start
    for context, deliverer in running:
        context.stopping.set()
        context.delivery_waits.ring()
        deliverer.join(10)
        assert not deliverer.is_alive()


def test_objects_arrive_in_order_after_an_outage(
    new_context: NewContext, archive: Archive, deliver: Deliver
) -> None:
    context = new_context(quick_settings(to_archive(archive)))
    names = conclude(context, 1, 2)
    deliver(context)
    time.sleep(0.5)
    assert states(context) == [State.SCHEDULED] * 4
    archive.start()
    wait_until(lambda: archive.received == names)
    archive.stop()
    names += conclude(context, 3)
    time.sleep(0.5)
    archive.start()
    wait_until(lambda: archive.received == names)
    wait_until(lambda: states(context) == [State.COMPLETED] * 6)


def test_an_archive_without_room_is_waited_for(
    new_context: NewContext, archive: Archive, deliver: Deliver
) -> None:
    context = new_context(quick_settings(to_archive(archive, attempts=1)))
    archive.status = 0xA700
    archive.start()
    names = conclude(context, 1)
    deliver(context)
    time.sleep(0.5)
    assert states(context) == [State.SCHEDULED] * 2
    archive.status = 0
    wait_until(lambda: archive.received == names)


def test_an_object_that_is_refused_holds_up_others_only_for_some_attempts(
    new_context: NewContext, archive: Archive, deliver: Deliver
) -> None:
    context = new_context(quick_settings(to_archive(archive)))
    archive.status = 0xA900
    archive.start()
    conclude(context, 1)
    deliver(context)
    wait_until(lambda: states(context) == [State.CANCELED] * 2)
    archive.status = 0
    names = conclude(context, 2)
    wait_until(lambda: archive.received == names)
    with context.store.reading() as connection:
        rows = connection.execute(select(tables.deliveries).order_by(tables.deliveries.c.id)).all()
    assert rows[0].reason == "it answers status 0xA900"
    assert rows[0].attempts == 2


def test_the_same_result_again_replaces_and_comes_once_more(
    new_context: NewContext, archive: Archive, deliver: Deliver
) -> None:
    context = new_context(quick_settings(to_archive(archive)))
    archive.start()
    names = conclude(context, 1)
    deliver(context)
    wait_until(lambda: archive.received == names)
    # The same objects under the same names: an archive has them once.
    assert len(set(archive.received)) == 2


@pytest.fixture
def web(tmp_path: Path, tiny_detector: DetectorAtWork) -> Iterator[HttpServer]:
    """A DICOMweb server that takes pictures: another ribsight."""
    context = open_context(
        quick_settings(), Secrets("a-token-of-the-test"), tiny_detector, tmp_path / "other"
    )
    server = HttpServer(create_app(context), context.settings.http, 1)
    yield server
    server.stop()
    server.join(10)
    context.close()


def test_stow_with_a_token_and_after_an_outage(
    new_context: NewContext, web: HttpServer, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIBSIGHT_DESTINATION_WEB_TOKEN", "a-token-of-the-test")
    destination = DestinationSettings(
        name="web", kind="dicomweb", url=f"http://127.0.0.1:{web.port}/dicom-web",
        seconds=1.0, retry_seconds=0.05, retry_most_seconds=0.2, attempts=2,
    )  # fmt: skip
    context = new_context(quick_settings(destination))
    conclude(context, 1)
    deliver(context)
    time.sleep(0.5)
    assert states(context) == [State.SCHEDULED] * 2
    web.start()
    # It takes secondary captures, and no structured report.
    wait_until(lambda: State.SCHEDULED not in states(context))
    assert sorted(states(context)) == [State.CANCELED, State.COMPLETED]


def test_a_wrong_token_is_waited_for_and_not_the_objects_fault(
    new_context: NewContext, web: HttpServer, deliver: Deliver
) -> None:
    destination = DestinationSettings(
        name="web", kind="dicomweb", url=f"http://127.0.0.1:{web.port}/dicom-web",
        seconds=5.0, retry_seconds=0.05, retry_most_seconds=0.1, attempts=1,
    )  # fmt: skip
    context = new_context(quick_settings(destination))
    web.start()
    conclude(context, 1)
    deliver(context)
    time.sleep(1)
    assert states(context) == [State.SCHEDULED] * 2


def test_objects_are_sent_by_tls_to_who_shows_a_certificate(
    new_context: NewContext, archive: Archive, deliver: Deliver, certificates: Path
) -> None:
    certificate = str(certificates / "cert.pem")
    encrypted = to_archive(archive).model_copy(update={"certificates": certificate})
    context = new_context(quick_settings(encrypted))
    names = conclude(context, 1)
    archive.start()  # without TLS: nothing is sent
    deliver(context)
    time.sleep(0.5)
    archive.stop()
    assert archive.received == []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificates / "key.pem")
    archive.start(tls)
    wait_until(lambda: archive.received == names)
