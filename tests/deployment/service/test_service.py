"""All of a service in this process: stopping in the middle of work, deleting what is old."""

import os
import time

import pytest
from sqlalchemy import select, update
from tests.archive.conftest import dicom
from tests.deployment.service.clients import wait_until
from tests.deployment.service.conftest import NewContext, NewService, quick_settings
from tests.deployment.service.test_worker import take_in, work_off

from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.housekeeping import delete_old, drop_unfinished
from ribsight.deployment.service.settings import DestinationSettings
from ribsight.deployment.service.tables import State
from ribsight.radiographs.guarded import GuardedReader

DAY = 86400.0


def jobs_of(context: Context) -> list[tuple[str, int]]:
    query = select(tables.jobs.c.state, tables.jobs.c.attempts).order_by(tables.jobs.c.id)
    with context.store.reading() as connection:
        return [(state, attempts) for state, attempts in connection.execute(query)]


def test_a_stop_finishes_or_releases_and_the_next_start_goes_on(
    new_context: NewContext, new_service: NewService
) -> None:
    context = new_context()
    take_in(context, *(dicom(number, side=64) for number in range(8)))
    service = new_service(context)
    wait_until(lambda: State.COMPLETED in dict(jobs_of(context)))
    assert service.stop()
    left = jobs_of(context)
    assert {state for state, _ in left} <= {State.COMPLETED, State.SCHEDULED}
    # What was released was not begun, as far as anybody is to know.
    assert all(attempts == 0 for state, attempts in left if state == State.SCHEDULED)
    assert list(context.folder.incoming.iterdir()) == []
    assert audit.verify(context.folder.audit_log)[0] > 8
    context.close()
    again = new_context()
    new_service(again)
    wait_until(lambda: {state for state, _ in jobs_of(again)} == {State.COMPLETED})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_part_that_dies_ends_the_service(
    new_context: NewContext, new_service: NewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = new_context()
    service = new_service(context)

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service.worker, "step", fails)
    take_in(context, dicom(1))
    assert service.wait() is False


def test_what_is_old_done_and_delivered_is_deleted_and_remembered(
    new_context: NewContext,
) -> None:
    settings = quick_settings(DestinationSettings(name="pacs", kind="dicom", host="h"))
    store = settings.store.model_copy(update={"keep_days": 30.0})
    context = new_context(settings.model_copy(update={"store": store}))
    old, young, waiting = take_in(context, *(dicom(number, side=64) for number in range(3)))
    with GuardedReader() as reader:
        work_off(context, reader)
    with context.store.writing() as connection:
        connection.execute(
            update(tables.jobs)
            .where(tables.jobs.c.image.in_([old, waiting]))
            .values(finished_at=time.time() - 31 * DAY)
        )
    assert delete_old(context) == 0  # nothing was delivered
    of_waiting = (
        select(tables.objects.c.id)
        .join(tables.results, tables.results.c.id == tables.objects.c.result)
        .where(tables.results.c.image == waiting)
    )
    with context.store.writing() as connection:
        connection.execute(
            update(tables.deliveries)
            .where(tables.deliveries.c.object.not_in(of_waiting))
            .values(state=State.COMPLETED)
        )
    assert delete_old(context) == 1
    assert not context.folder.image(old).exists()
    assert not context.folder.result(old, "x").parent.exists()
    assert context.folder.image(young).exists()
    assert context.folder.image(waiting).exists()
    with context.store.reading() as connection:
        assert len(connection.execute(select(tables.results)).all()) == 3
    # It may come again, and is kept again.
    take_in(context, dicom(0, side=64))
    assert context.folder.image(old).exists()


def test_files_whose_sender_has_gone_are_deleted(new_context: NewContext) -> None:
    context = new_context()
    for name, age in (("old", 10_000), ("new", 0)):
        path = context.folder.incoming / name
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age, time.time() - age))
    assert drop_unfinished(context) == 1
    assert [path.name for path in context.folder.incoming.iterdir()] == ["new"]
