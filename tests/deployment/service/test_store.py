import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from ribsight.deployment.service import tables
from ribsight.deployment.service.folder import own
from ribsight.deployment.service.store import Store
from ribsight.errors import RibsightError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


def add_image(store: Store, image: str = "a" * 64) -> None:
    with store.writing() as connection:
        connection.execute(insert(tables.images).values(id=image, received_at=1, way="dicom",
                                                        bytes=10, kept=True))  # fmt: skip


def add_result(store: Store, image: str, *, current: bool = True) -> None:
    with store.writing() as connection:
        connection.execute(
            insert(tables.results).values(
                image=image, is_current=current, model_sha256="m", kind=tables.Kind.FINDINGS,
                document="{}", created_at=1,
            )
        )  # fmt: skip


def test_the_database_itself_allows_one_current_result_an_image(url: str) -> None:
    store = Store.open(url, "folder")
    add_image(store)
    add_result(store, "a" * 64)
    add_result(store, "a" * 64, current=False)
    with pytest.raises(IntegrityError):
        add_result(store, "a" * 64)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.results)).scalar() == 2


def test_what_fails_half_way_changes_nothing(url: str) -> None:
    store = Store.open(url, "folder")

    def half() -> None:
        with store.writing() as connection:
            values = {"id": "b", "received_at": 1, "way": "stow", "bytes": 1}
            connection.execute(insert(tables.images).values(values))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with store.reading() as connection:
        assert connection.execute(select(tables.images)).all() == []


def test_the_file_is_in_wal_mode_and_a_reader_does_not_wait_for_a_writer(
    url: str, tmp_path: Path
) -> None:
    store = Store.open(url, "folder")
    assert sqlite3.connect(tmp_path / "service.db").execute("PRAGMA journal_mode").fetchone() == (
        "wal",
    )
    with store.writing() as writer, store.reading() as reader:
        writer.execute(insert(tables.images).values(id="c", received_at=1, way="stow", bytes=1))
        assert reader.execute(select(tables.images)).all() == []


def test_a_database_belongs_to_one_folder_and_one_schema(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(url, "folder").close()
    Store.open(url, "folder").close()
    with pytest.raises(RibsightError, match="of folder folder, not other"):
        Store.open(url, "other")
    monkeypatch.setattr(tables, "SCHEMA", "2")
    with pytest.raises(RibsightError, match="of schema 1, not 2"):
        Store.open(url, "folder")


@pytest.mark.parametrize("url", ["nonsense", "mongodb://host/db"])
def test_an_address_of_no_database_is_refused(url: str) -> None:
    with pytest.raises(RibsightError, match="address of the database"):
        Store.open(url, "folder")


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(RibsightError) as caught:
        Store.open("postgresql+psycopg://me:secret@127.0.0.1:1/none", "folder")
    assert "secret" not in str(caught.value)


def test_a_data_folder_has_one_service_at_a_time(tmp_path: Path) -> None:
    first = own(tmp_path / "data")
    (first.folder.incoming / "left.part").write_bytes(b"half")
    with pytest.raises(RibsightError, match="another service uses"):
        own(tmp_path / "data")
    first.close()
    second = own(tmp_path / "data")
    assert second.key.secret == first.key.secret
    assert list(second.folder.incoming.iterdir()) == []
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    second.close()
