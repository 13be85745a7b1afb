"""Files that somebody made to do harm: each costs itself and nothing else."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import BasicTextSRStorage
from tests.archive.conftest import Ingest, deflated, dicom, picture, reasons, uid, write

from ribsight.archive import crew
from ribsight.archive.crew import readers
from ribsight.archive.reading import Pulse, Reading, read_task
from ribsight.archive.sighting import Row, Task
from ribsight.radiographs.quiet import unchecking_pydicom


def nested(depth: int) -> bytes:
    """Return a radiograph with sequences of undefined length within each other."""
    plain = dicom(1)
    at = plain.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    return plain[:at] + (sequence + item) * depth + plain[at:]


def many_items(count: int, *, delimited: bool = False) -> bytes:
    """Return a radiograph with a sequence of so many empty items, its length said or not."""
    plain = dicom(1)
    at = plain.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    length = 0xFFFFFFFF if delimited else count * len(item)
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if delimited else b""
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1032, b"SQ", 0, length)
    return plain[:at] + sequence + item * count + end + plain[at:]


def test_every_refused_file_has_its_reason(tmp_path: Path, ingest: Ingest) -> None:
    folder = tmp_path / "in"
    good = dicom(1)
    outside = f"r{os.urandom(8).hex()}"
    files = {
        "good": (good, None),
        "empty": (b"", "empty"),
        "text": (b"Patient: Doe", "not-an-image"),
        "deflated": (deflated(2), "deflated"),
        "bomb": (deflated(2, extra=100_000_000), "deflated"),
        "nested": (nested(5000), "nested"),
        "long-value": (many_items(1_000_000), "duplicate"),
        "half-header": (dicom(3)[:400], "truncated"),
        "half-pixels": (dicom(3)[:-100], "truncated"),
        "no-pixels": (dicom(3, PixelData=None), "truncated"),
        "report": (dicom(3, PixelData=None, SOPClassUID=BasicTextSRStorage), "not-an-image"),
        "no-uid": (dicom(3, SOPInstanceUID=None), "uid"),
        "path-uid": (dicom(3, SOPInstanceUID=f"../../../tmp/{outside}"), "uid"),
        "dots-uid": (dicom(3, SOPInstanceUID=".."), "uid"),
        "noise": (bytes(128) + b"DICM" + os.urandom(4000), "damaged"),
        "half.png": (b"\x89PNG\r\n\x1a\n" + bytes(30), "damaged"),
        "long-header": (dicom(3, EncapsulatedDocument=bytes(17 << 20)), "header"),
        ".hidden": (good, "hidden"),
    }
    for name, (content, _) in files.items():
        write(folder / name, content)
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "good")
    (folder / "loop").symlink_to(folder)
    write(folder / os.fsdecode(b"latin-\xe9"), good)
    archive = ingest(folder).archive
    found = reasons(archive)
    expected = {name: reason for name, (_, reason) in files.items() if reason}
    expected |= {"pipe": "not-a-file", "link": "link", "loop": "link", "latin-\\xe9": "name"}
    assert {name: found.get(name) for name in expected} == expected
    assert archive.images["image"].to_list() == [uid("image", 1)]
    assert not (Path("/tmp") / outside).exists()
    assert "Doe" not in str(archive.quarantine.rows())


def test_links_that_are_followed_end(tmp_path: Path, ingest: Ingest) -> None:
    folder = tmp_path / "in"
    write(folder / "a" / "1", dicom(1))
    write(tmp_path / "elsewhere" / "2", dicom(2))
    (folder / "a" / "up").symlink_to(folder)
    (folder / "a" / "self").symlink_to(folder / "a" / "self")
    (folder / "there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(folder / "a")
    archive = ingest(folder, follow_links=True).archive
    assert set(archive.images["image"]) == {uid("image", 1), uid("image", 2)}
    assert set(archive.quarantine["reason"]) == {"link", "unreadable"}


def test_zip_members_that_are_not_read(tmp_path: Path, ingest: Ingest) -> None:
    path = tmp_path / "in" / "export.zip"
    path.parent.mkdir()
    outside = tmp_path / "outside.dcm"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as container:
        container.writestr("x", dicom(9))
    with zipfile.ZipFile(path, "w") as container:
        container.writestr("../" * 20 + str(outside).lstrip("/"), dicom(1))
        container.writestr(str(outside), dicom(2))
        container.writestr("\x1b[31mred.dcm", dicom(3))
        container.writestr("inner.zip", inner.getvalue())
        container.writestr("lzma.dcm", dicom(4), zipfile.ZIP_LZMA)
        container.writestr("zeros", bytes(30_000_000), zipfile.ZIP_DEFLATED)
        container.writestr("noise", os.urandom(300_000))
        container.writestr("encrypted", dicom(5))
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        container.writestr(link, "/etc/passwd")
        container.writestr("corrupt", dicom(6))
    content = bytearray(path.read_bytes())
    at = content.rindex(b"encrypted") - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    content[at + 8] |= 1
    content[content.index(dicom(6)) + 700] ^= 0xFF
    path.write_bytes(content)
    archive = ingest(path).archive
    assert set(archive.images["image"]) == {uid("image", number) for number in (1, 2, 3)}
    assert reasons(archive) == {
        "inner.zip": "container",
        "lzma.dcm": "compression",
        "zeros": "bomb",
        "encrypted": "encrypted",
        "noise": "not-an-image",
        "link": "link",
        "corrupt": "damaged",
    }
    for row in archive.rows():
        archive.materialise(row)
        assert "\x1b" not in row["member"]
    written = {path.parent.name for path in archive.folder.rglob("*") if path.is_file()}
    assert all(len(name) == 2 for name in written - {"archive", "shards"})
    assert not outside.exists()


def test_a_zip_whose_members_overlap_is_a_bomb(tmp_path: Path, ingest: Ingest) -> None:
    """Many entries of one member: a few bytes that claim to be a gigabyte."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("a", bytes(1_000_000))
        info = container.infolist()[0]
        container.filelist.extend([info] * 2000)
    path = write(tmp_path / "in" / "bomb.zip", content.getvalue())
    assert path.stat().st_size < 200_000
    assert reasons(ingest(path).archive) == {"bomb.zip": "bomb"}


def test_tar_files_that_are_not_read(tmp_path: Path, ingest: Ingest) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for name, number in (("../../escaped", 1), ("/absolute", 2)):
            info = tarfile.TarInfo(name)
            info.size = len(dicom(number))
            tar.addfile(info, io.BytesIO(dicom(number)))
        for name, kind in (("soft", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        device = tarfile.TarInfo("device")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
    whole = (folder / "a.tar").read_bytes()
    write(folder / "zeros.tgz", gzip.compress(whole[:-1024] + bytes(60_000_000)))
    write(folder / "half.tar", whole[:6000])
    write(folder / "half.tgz", gzip.compress(whole)[:-2000])
    write(folder / "one.dcm.gz", gzip.compress(dicom(3)))
    archive = ingest(folder).archive
    assert set(archive.images["image"]) == {uid("image", 1), uid("image", 2)}
    found = reasons(archive)
    assert (found["soft"], found["hard"], found["device"]) == ("link", "link", "not-a-file")
    assert found["one.dcm.gz"] == "container"
    assert found["half.tar"] == found["half.tgz"] == "damaged"


def test_a_compressed_bomb_ends_early(tmp_path: Path, ingest: Ingest) -> None:
    path = tmp_path / "in" / "bomb.tgz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 100_000_000
        tar.addfile(info, io.BytesIO(bytes(info.size)))
        info = tarfile.TarInfo("never")
        info.size = len(dicom(1))
        tar.addfile(info, io.BytesIO(dicom(1)))
    archive = ingest(path).archive
    assert archive.images.is_empty()
    assert "bomb" in reasons(archive).values()


def task(path: Path) -> Task:
    found = path.stat()
    return Task(str(path), found.st_size, found.st_mtime_ns)


def read_all(chunks: list[list[Task]], folder: Path, **limits: Any) -> list[Row]:
    with readers(Reading(folder), 1, **limits) as read:
        return [row for found in read(chunks) for row in found]


def test_a_file_that_holds_up_its_reader_costs_itself(tmp_path: Path) -> None:
    """A long sequence stands for whatever takes too long; the reader is killed, twice."""
    paths = [write(tmp_path / f"{number}", dicom(number)) for number in range(5)]
    slow = write(tmp_path / "slow", many_items(1_500_000, delimited=True))
    tasks = [task(path) for path in (*paths[:3], slow, *paths[3:])]
    rows = read_all([tasks], tmp_path, seconds=2.0, memory=4 << 30)
    by_name = {Path(row["source"]).name: row for row in rows}
    assert by_name["slow"]["reason"] == "crash"
    assert len(rows) == len(by_name) == 6
    assert [by_name[str(number)]["image"] for number in range(5)] == [
        uid("image", number) for number in range(5)
    ]


def test_a_file_that_needs_too_much_memory_costs_itself(tmp_path: Path) -> None:
    hungry = write(tmp_path / "hungry", many_items(1_000_000, delimited=True))
    good = write(tmp_path / "good", dicom(1))
    chunks = [[task(hungry), task(good)]]
    rows = read_all(chunks, tmp_path, memory=200 << 20, seconds=4.0)
    found = {Path(row["source"]).name: row["reason"] for row in rows}
    assert found["good"] == ""
    assert found["hungry"] in ("memory", "crash")


def test_a_reader_that_something_else_kills_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{number:03d}", dicom(number)) for number in range(30)]
    started: list[crew._Reader] = []
    start = crew._Reader._start

    def remember(self: crew._Reader) -> None:
        start(self)
        if self not in started:
            started.append(self)

    monkeypatch.setattr(crew._Reader, "_start", remember)
    rows = []
    with readers(Reading(tmp_path), 1) as read:
        for number, found in enumerate(read([[task(path)] for path in paths])):
            rows += found
            if number in (3, 17):
                started[0]._process.kill()
                started[0]._process.join()
    assert sorted(row["image"] or "" for row in rows if not row["reason"]) == sorted(
        uid("image", number) for number in range(30)
    )


def test_no_mutation_of_a_file_is_an_error_of_the_reader(tmp_path: Path) -> None:
    """Two thousand files with bytes changed, cut out or doubled, none of which raises."""
    random = np.random.default_rng(6)
    seeds = [dicom(1), nested(30), many_items(50), picture(2), deflated(3)]
    path = tmp_path / "mutated"
    outcomes = set()
    for number in range(2000):
        content = bytearray(seeds[number % len(seeds)])
        for _ in range(random.integers(1, 6)):
            at = int(random.integers(0, min(len(content), 1200)))
            kind = random.integers(0, 3)
            if kind == 0:
                content[at] = int(random.integers(0, 256))
            elif kind == 1:
                del content[at : at + int(random.integers(1, 40))]
            else:
                content[at:at] = content[at : at + int(random.integers(1, 40))]
        path.write_bytes(content)
        with unchecking_pydicom():
            (row,) = read_task(task(path), Reading(tmp_path), Pulse())
        outcomes.add(row["reason"])
    assert {"", "damaged", "truncated", "deflated", "not-an-image"} <= outcomes
