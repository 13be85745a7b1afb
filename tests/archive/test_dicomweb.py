"""Against Debian's Orthanc on the loopback of a network namespace of its own."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.archive.conftest import dicom, uid, write

from ribsight.archive import read_archive
from ribsight.archive.multipart import only_part
from ribsight.archive.reasons import RefusedError
from ribsight.errors import RibsightError
from ribsight.radiographs import UnreadableImageError

Runs = tuple[Path, dict[str, Any]]
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("dicomweb_client") is None, reason="dicomweb-client is not installed"
)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Return the work folder and what each ingest of `orthanc.py` said, or a skip."""
    if shutil.which("Orthanc") is None or not PLUGIN.is_file():
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    work = tmp_path_factory.mktemp("orthanc")
    for number in range(9):
        write(work / "files" / f"{number}.dcm", dicom(number))
    write(work / "files" / "5lateral.dcm", dicom(100, ViewPosition="LL"))
    write(work / "files" / "6ct.dcm", dicom(103, Modality="CT"))
    (work / "server").mkdir()
    driver = Path(__file__).parent / "orthanc.py"
    command = [
        "unshare",
        "-n",
        sys.executable,
        str(driver),
        str(work / "files"),
        str(work / "server"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return work, {one["name"]: one for one in said}


@needs_client
def test_a_server_is_indexed_and_its_eligible_images_fetched(
    runs: Runs,
) -> None:
    work, said = runs
    assert said["first"]["status"] == 0, said["first"]["err"]
    archive = read_archive(work / "server" / "archive")
    wanted = {uid("image", number) for number in (*range(9), 100)}
    assert set(archive.images["image"]) == wanted
    assert archive.quarantine.is_empty()
    for row in archive.rows():
        if row["eligible"]:
            content = archive.open(row)
            assert len(content) == row["bytes"]
            assert uid("image", 0)[:20].encode() in content
            assert archive.materialise(row).parent.parent == archive.folder / "objects"
        else:
            assert row["image"] == uid("image", 100)
            with pytest.raises(UnreadableImageError, match="was not fetched"):
                archive.open(row)
    source = archive.images.row(by_predicate=pl.col("image") == uid("image", 3), named=True)[
        "source"
    ]
    assert source.endswith(
        f"/dicom-web/studies/{uid('study', 1)}/series/{uid('series', 3)}"
        f"/instances/{uid('image', 3)}"
    )


@needs_client
def test_a_second_run_asks_only_for_what_is_new(
    runs: Runs,
) -> None:
    work, said = runs
    assert said["again"]["out"].startswith("read 0 files")
    assert said["grown"]["out"].startswith("read 1 files")
    grown, fresh = (read_archive(work / "server" / name) for name in ("archive", "fresh"))
    assert grown.fingerprint == fresh.fingerprint


@needs_client
def test_who_may_not_and_what_there_is_not(runs: Runs) -> None:
    work, said = runs
    for name in ("refused", "token"):
        assert said[name]["status"] == 2
        assert said[name]["err"].count("\n") == 1
        assert "it answers 401" in said[name]["err"]
    assert said["none"]["status"] == 0
    assert read_archive(work / "server" / "none").images.is_empty()
    secrets = ("secret-of-the-test", "unknown-token", "wrong")
    everything = json.dumps(said) + "".join(
        path.read_text(errors="replace") for path in (work / "server" / "archive").rglob("*.json")
    )
    assert not any(secret in everything for secret in secrets)


@needs_client
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("http://pacs/dicom-web", "has no TLS: write dicomweb:http://pacs/dicom-web"),
        ("https://me:secret@pacs/dicom-web", "an address holds no password"),
        ("dicomweb:pacs", "no address"),
    ],
)
def test_addresses_that_are_refused(source: str, sentence: str) -> None:
    from ribsight.archive.server import address_of

    with pytest.raises(RibsightError, match=sentence) as caught:
        address_of(source)
    assert "secret@" not in str(caught.value)


BOUNDARY = "b0undary"


def answer(*parts: bytes) -> bytes:
    head = b"Content-Type: application/dicom\r\n\r\n"
    body = b"".join(b"--b0undary\r\n" + head + part + b"\r\n" for part in parts)
    return body + b"--b0undary--\r\n"


def part_of(body: bytes, size: int, limit: int = 10_000) -> bytes:
    blocks = (body[at : at + size] for at in range(0, len(body), size))
    kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
    return b"".join(only_part(kind, blocks, limit))


@given(content=st.binary(max_size=300), size=st.integers(1, 400))
def test_a_part_is_the_same_however_it_comes(content: bytes, size: int) -> None:
    if b"--b0undary" not in content:
        assert part_of(answer(content), size) == content


@pytest.mark.parametrize(
    "body",
    [b"", b"--b0undary\r\n", answer(b"a", b"b"), answer(b"abc")[:-16], answer(b"x" * 20_000)],
)
def test_an_answer_that_is_no_one_part_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError):
        part_of(body, 7)
