import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ribsight.archive import read_archive
from ribsight.cli.ingest_command import ingest
from ribsight.errors import RibsightError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, format="PNG")
        (folder / f"{number}.png").write_bytes(content.getvalue())
    (folder / "copy").mkdir()
    (folder / "copy" / "0.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "notes.txt").write_text("nothing")
    return folder


def run(*arguments: str) -> str:
    done = CliRunner().invoke(ingest, arguments, catch_exceptions=False, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def test_the_summary_says_what_was_found_and_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "archive"
    said = run(str(folder), "--out", str(out), "--processes", "1")
    assert said.splitlines()[-1] == f"3 images, 3 eligible, 2 quarantined -> {out}"
    assert "quarantined         1  duplicate: holds the same image as" in said
    assert "quarantined         1  not-an-image: is no DICOM, PNG, JPEG or TIFF image" in said
    assert set(read_archive(out).images["image"]) == {"0", "1", "2"}
    again = run(str(folder), "--out", str(out), "--processes", "1")
    assert again.startswith("read 0 files")
    assert "5 unchanged, 0 changed, 0 gone" in again


def test_options_of_servers_need_a_server(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="are for DICOMweb sources"):
        run(str(folder), "--out", str(tmp_path / "archive"), "--from", "20240101")


def test_an_address_without_tls_must_be_meant(tmp_path: Path) -> None:
    pytest.importorskip("dicomweb_client")
    with pytest.raises(RibsightError, match="has no TLS"):
        run("http://pacs/dicom-web", "--out", str(tmp_path / "archive"))
    with pytest.raises(RibsightError, match="not a day"):
        run("https://pacs/dicom-web", "--out", str(tmp_path / "archive"), "--from", "yesterday")
    assert not (tmp_path / "archive").exists()
