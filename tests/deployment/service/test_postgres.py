"""The same service on PostgreSQL: a server of the distribution, for the time of the test."""

import contextlib
import pwd
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from tests.archive.conftest import dicom
from tests.deployment.service.clients import Archive, free_port, store, stow, wait_until
from tests.deployment.service.conftest import NewContext, NewService
from tests.deployment.service.test_delivery import to_archive
from tests.deployment.service.test_worker import current, take_in, work_off

from ribsight.deployment.service import audit, jobs, tables
from ribsight.deployment.service.audit import AuditLog
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.delivery import Deliverer
from ribsight.deployment.service.health import health
from ribsight.deployment.service.metrics import metrics
from ribsight.deployment.service.settings import (
    DicomSettings,
    HttpSettings,
    ServiceSettings,
    StoreSettings,
)
from ribsight.deployment.service.tables import Kind
from ribsight.errors import RibsightError
from ribsight.radiographs.guarded import GuardedReader

USER = "postgres"


def binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class Server:
    """The address of a server, and `pg_ctl` for it."""

    url: str
    control: Callable[..., None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A fresh server on the loopback, or a skip."""
    pytest.importorskip("psycopg", reason="psycopg (the extra 'postgres') is not installed")
    tools = binaries()
    if tools is None or shutil.which("runuser") is None:
        pytest.skip("no PostgreSQL server (Debian: postgresql) is installed")
    try:
        owner = pwd.getpwnam(USER)
    except KeyError:
        pytest.skip(f"there is no user {USER}")
    # A folder that its user may enter, which the test's own is not.
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    port = free_port()

    def as_owner(*command: str) -> None:
        subprocess.run(
            ["runuser", "-u", USER, "--", *command], check=True, capture_output=True, cwd=folder
        )

    try:
        shutil.chown(folder, owner.pw_uid)
        as_owner(str(tools / "initdb"), "-D", str(folder / "db"), "-A", "trust", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        as_owner(str(tools / "pg_ctl"), "-D", str(folder / "db"), "-w", "-o", options, "-l",
                 str(folder / "log"), "start")  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"a PostgreSQL server cannot be started here: {error}")

    def control(*words: str) -> None:
        as_owner(str(tools / "pg_ctl"), "-D", str(folder / "db"), "-w", "-o", options, "-l",
                 str(folder / "log"), *words)  # fmt: skip

    yield Server(f"postgresql+psycopg://{USER}@127.0.0.1:{port}", control)
    with contextlib.suppress(subprocess.CalledProcessError):
        control("-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    import psycopg

    name = f"test_{abs(hash(request.node.name))}"
    plain = server.url.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.url}/{name}"


def settings_of(database: str, *destinations: Any) -> ServiceSettings:
    store = StoreSettings(database=database, reserve_megabytes=1.0, result_megabytes=0.5)
    return ServiceSettings(store=store, destinations=destinations)


def test_from_image_to_delivery(new_context: NewContext, database: str) -> None:
    archive = Archive(free_port())
    archive.start()
    context = new_context(settings_of(database, to_archive(archive)))
    images = take_in(context, dicom(1, side=64), dicom(2, side=64, ViewPosition="LATERAL"))
    take_in(context, dicom(1, side=64))
    with GuardedReader() as reader:
        work_off(context, reader)
    assert [current(context, one).kind for one in images] == [Kind.FINDINGS, Kind.NOT_PROCESSED]
    deliverer = Deliverer(context, context.settings.destinations[0])
    try:
        while deliverer.step():
            pass
    finally:
        archive.stop()
    assert len(archive.received) == 4
    assert health(context).ok
    assert b"ribsight_images_total" in metrics(context)
    log = AuditLog(context.folder.audit_log, context.store)
    # Accepted twice, received again, two results, four deliveries.
    assert log.flush() == 9
    assert audit.verify(context.folder.audit_log)[0] == 9


def test_one_current_result_an_image(new_context: NewContext, database: str) -> None:
    context = new_context(settings_of(database))
    (image,) = take_in(context, dicom(1))

    def add() -> None:
        with context.store.writing() as connection:
            connection.execute(
                insert(tables.results).values(
                    image=image, is_current=True, model_sha256="m", kind=Kind.FINDINGS,
                    document="{}", created_at=1,
                )
            )  # fmt: skip

    add()
    with pytest.raises(IntegrityError):
        add()


def test_no_job_is_taken_by_two_workers(new_context: NewContext, database: str) -> None:
    context = new_context(settings_of(database))
    take_in(context, *(dicom(number) for number in range(12)))
    taken: list[int] = []
    lock = threading.Lock()

    def work(owner: str) -> None:
        while part := jobs.claim(context.store, owner, 2, 60):
            with lock:
                taken.extend(job.id for job in part)

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 12


def test_the_same_image_at_the_same_moment_is_one_image(
    new_context: NewContext, database: str
) -> None:
    context = new_context(settings_of(database))
    failures: list[BaseException] = []

    def send() -> None:
        try:
            take_in(context, dicom(7))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert failures == []
    assert _count(context, tables.images) == _count(context, tables.jobs) == 1


def _count(context: Context, table: Any) -> int:
    with context.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_database_belongs_to_one_data_folder(
    new_context: NewContext, database: str, tmp_path: Path
) -> None:
    context = new_context(settings_of(database))
    context.close()
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    with pytest.raises(RibsightError, match="give the data folder that it was made for"):
        new_context(settings_of(database))


def test_without_its_database_the_service_takes_nothing_and_loses_nothing(
    new_context: NewContext,
    new_service: NewService,
    database: str,
    server: Server,
) -> None:
    settings = settings_of(database).model_copy(
        update={"dicom": DicomSettings(port=0), "http": HttpSettings(port=0)}
    )
    context = new_context(settings)
    service = new_service(context)
    assert service.node is not None
    assert service.http is not None
    port, url = service.node.port, f"http://127.0.0.1:{service.http.port}"
    assert store(port, [dicom(1, side=64)]) == [0]
    server.control("-m", "fast", "stop")
    try:
        assert store(port, [dicom(2, side=64)]) == [0xA700]
        assert stow(service.http.port, [dicom(3, side=64)]).status_code in (503, 507)
        assert requests.get(f"{url}/health", timeout=30).status_code == 503
    finally:
        server.control("start")
    assert store(port, [dicom(2, side=64)]) == [0]
    wait_until(lambda: requests.get(f"{url}/health", timeout=30).json()["waiting"] == 0)
    assert _count(context, tables.results) == 2
