"""What a person is told of a JSON file of ribsight's that is not what it should be."""

from pathlib import Path

import pytest

from ribsight.documents import read_document, reading, require_model
from ribsight.errors import RibsightError


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no list: it is not JSON (line 1: Expecting value)"),
        (b"\xff\xfe", "is no list: it is not text in UTF-8"),
        (b"[]", "is no list: it names no schema"),
        (b'{"a": 1}', "is no list: it names no schema"),
        (b'{"schema": "other/1"}', "holds other/1, not list/2"),
        (b"[" * 100_000, "is no list: it is nested too deeply"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(RibsightError) as caught, reading(path, "list"):
        read_document(path, "list/2")
    assert str(caught.value).startswith(f"{path} {sentence}")


def test_what_lacks_or_has_the_wrong_kind_is_said(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('{"schema": "list/2", "model": 3}')
    with pytest.raises(RibsightError, match="it lacks 'findings'"), reading(path, "list"):
        read_document(path, "list/2")["findings"]
    with pytest.raises(RibsightError, match="wrong kind"), reading(path, "list"):
        read_document(path, "list/2")["model"]["name"]


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    with pytest.raises(RibsightError, match=r"cannot read .*: No such file"), reading(path, "list"):
        read_document(path, "list/2")


def test_older_schemas_are_read_where_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('{"schema": "list/1"}')
    assert read_document(path, "list/2", older=("list/1",)) == {"schema": "list/1"}
    with pytest.raises(RibsightError, match="holds list/1, not list/2"):
        read_document(path, "list/2")


def test_what_was_chosen_for_another_model_is_refused() -> None:
    require_model("a" * 64, "a" * 64, "it was chosen", "choose again")
    with pytest.raises(RibsightError, match=r"it was chosen for model aa+, not for bb+: choose"):
        require_model("a" * 64, "b" * 64, "it was chosen", "choose again")
