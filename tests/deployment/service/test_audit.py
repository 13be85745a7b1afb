import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from ribsight.cli.serve_command import audit as audit_command
from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.audit import AuditLog
from ribsight.deployment.service.store import Store
from ribsight.errors import RibsightError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'service.db'}", "folder")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def record(store: Store, *images: str) -> None:
    for image in images:
        with store.writing() as connection:
            audit.record(connection, "accepted", image=image, reason=None)


def events(path: Path) -> list[str]:
    return [json.loads(line)["image"] for line in path.read_text().splitlines()]


def test_events_are_moved_once_and_chained(store: Store, path: Path) -> None:
    log = AuditLog(path, store)
    record(store, "a", "b")
    assert log.flush() == 2
    record(store, "c")
    assert log.flush() == 1
    assert log.flush() == 0
    assert events(path) == ["a", "b", "c"]
    assert verify_last(path) == 3
    assert path.stat().st_mode & 0o077 == 0
    AuditLog(path, store).flush()
    record(store, "d")
    AuditLog(path, store).flush()
    assert events(path) == ["a", "b", "c", "d"]
    assert verify_last(path) == 4


def verify_last(path: Path) -> int:
    lines, last = audit.verify(path)
    assert json.loads(path.read_text().splitlines()[-1])["sha256"] == last
    return lines


def test_an_event_is_not_there_without_what_it_tells_of(store: Store, path: Path) -> None:
    def fails() -> None:
        with store.writing() as connection:
            audit.record(connection, "accepted", image="a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert AuditLog(path, store).flush() == 0


@pytest.mark.parametrize("change", ["value", "order", "removed", "inserted"])
def test_a_changed_log_is_noticed(store: Store, path: Path, change: str) -> None:
    log = AuditLog(path, store)
    record(store, "a", "b", "c")
    log.flush()
    lines = path.read_text().splitlines(keepends=True)
    changed = {
        "value": [lines[0], lines[1].replace('"b"', '"x"'), lines[2]],
        "order": [lines[1], lines[0], lines[2]],
        "removed": [lines[0], lines[2]],
        "inserted": [lines[0], lines[0], *lines[1:]],
    }[change]
    path.write_text("".join(changed))
    with pytest.raises(RibsightError, match=r"line [12]"):
        audit.verify(path)
    result = CliRunner().invoke(audit_command, [str(path)])
    assert isinstance(result.exception, RibsightError)


def test_a_torn_line_is_cut_off_and_its_event_written_again(store: Store, path: Path) -> None:
    log = AuditLog(path, store)
    record(store, "a")
    log.flush()
    whole = path.read_bytes()
    record(store, "b")
    path.write_bytes(whole + b'{"id": 2, "event": "acc')  # died while writing
    AuditLog(path, store).flush()
    assert events(path) == ["a", "b"]
    verify_last(path)


def test_a_death_between_file_and_database_doubles_nothing(store: Store, path: Path) -> None:
    log = AuditLog(path, store)
    record(store, "a", "b")
    with store.reading() as connection:
        rows = connection.execute(select(tables.audit)).all()
    log._append(list(rows))  # died before they were taken out of the database
    record(store, "c")
    assert AuditLog(path, store).flush() == 1
    assert events(path) == ["a", "b", "c"]
    verify_last(path)


def test_a_full_disk_leaves_no_half_line_and_loses_nothing(store: Store, full_disk: Path) -> None:
    path = full_disk / "audit.jsonl"
    log = AuditLog(path, store)
    record(store, *(f"{number:0100d}" for number in range(40)))
    with pytest.raises(OSError, match="No space"):
        log.flush()
    assert path.read_bytes() == b""
    with store.reading() as connection:
        assert len(connection.execute(select(tables.audit)).all()) == 40


def test_another_file_is_no_audit_log(store: Store, path: Path) -> None:
    path.write_text("something else\n")
    with pytest.raises(RibsightError, match="no audit log"):
        AuditLog(path, store)
