"""Keys, and the names, UIDs and shifts they give."""

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from ribsight.deidentification.key import MAX_SHIFT_DAYS, Key, keep_apart, new_key, read_key
from ribsight.errors import RibsightError


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key"
    key = new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == key
    assert key.secret.hex() not in repr(key)
    with pytest.raises(RibsightError, match="never replaced"):
        new_key(path)
    path.chmod(0o640)
    with pytest.raises(RibsightError, match="may be read by others"):
        read_key(path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(RibsightError, match="--new-key makes one"):
        read_key(path)
    path.touch(0o600)
    for content in (b"", b"secret", b"ribsight de-identification key 1\nabc\n", b"\xff" * 99):
        path.write_bytes(content)
        with pytest.raises(RibsightError, match="is no key"):
            read_key(path)


def test_a_key_stays_out_of_the_output(tmp_path: Path) -> None:
    keep_apart(tmp_path / "key", tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for inside in (tmp_path / "out" / "a" / "key", tmp_path / "link" / "key"):
        with pytest.raises(RibsightError, match="lies inside"):
            keep_apart(inside, tmp_path / "out")


@given(st.binary(min_size=32, max_size=32), st.text(max_size=80))
def test_uids_are_valid(secret: bytes, old: str) -> None:
    new = UID(Key(secret).uid(old))
    assert new.is_valid
    assert len(new) <= 64
    number = uuid.UUID(int=int(new.removeprefix("2.25.")))
    assert (number.version, number.variant) == (8, uuid.RFC_4122)


@given(st.text(max_size=80))
def test_names_fit_and_are_not_one_for_two_purposes(old: str) -> None:
    key = Key(b"a" * 32)
    names = {key.name(purpose, old) for purpose in ("patient", "study", "accession")}
    assert len(names) == 3
    assert all(len(name) == 16 and name.isalnum() and name.isascii() for name in names)
    assert 1 <= key.shift_days(old) <= MAX_SHIFT_DAYS
    assert Key(b"b" * 32).name("patient", old) not in names
