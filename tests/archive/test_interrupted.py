"""What survives a run that ends in the middle."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.archive.conftest import Ingest, dicom, tables, write

from ribsight.archive import read_archive
from ribsight.archive.index import Archive
from ribsight.errors import RibsightError

KILLS = 24


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Sixty radiographs: a third as files, a third in a zip file, a third in a compressed tar."""
    folder = tmp_path / "in"
    for number in range(20):
        write(folder / f"{number}", dicom(number))
    with zipfile.ZipFile(folder / "a.zip", "w") as container:
        for number in range(18, 40):
            container.writestr(f"{number}", dicom(number))
    with tarfile.open(folder / "b.tgz", "w:gz") as tar:
        for number in range(40, 60):
            tar.add(write(tmp_path / "packed" / f"{number}", dicom(number)), f"{number}")
    return folder


def test_killed_at_any_moment_the_next_run_ends_as_an_undisturbed_one(
    tmp_path: Path, sources: Path, ingest: Ingest
) -> None:
    undisturbed = ingest(sources, processes=1).archive
    assert len(undisturbed.images) == 60
    expected = tables(undisturbed.folder)
    moments = random.Random(6)
    archive = tmp_path / "killed"
    driver = Path(__file__).parent / "interrupted.py"
    process = subprocess.Popen(
        [sys.executable, str(driver), str(archive), str(sources)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        begun = time.monotonic()
        assert one_run(process, None) == "done"
        takes = time.monotonic() - begun
        assert tables(archive) == expected
        shutil.rmtree(archive)
        killed = 0
        while killed < KILLS:
            ended = one_run(process, moments.uniform(0, takes))
            killed += ended == "ended"
            if ended == "done":
                assert tables(archive) == expected
                shutil.rmtree(archive)
            elif (archive / "archive.json").is_file():
                assert tables(archive) == expected
                read_archive(archive)
        assert one_run(process, None) == "done"
        assert tables(archive) == expected
        left = [path.name for path in archive.rglob("*") if path.name.endswith(".part")]
        assert left == []
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def one_run(process: "subprocess.Popen[str]", kill_after: float | None) -> str:
    """Let the driver ingest once, killing it after so many seconds; return how it ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    if kill_after is not None:
        time.sleep(kill_after)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return process.stdout.readline().strip()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 24 KiB that can be made larger, or skip."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_the_run_and_the_next_goes_on(
    tmp_path: Path, small_disk: Path, sources: Path, ingest: Ingest
) -> None:
    expected = tables(ingest(sources).archive.folder)
    archive = small_disk / "archive"
    command = [sys.executable, "-m", "ribsight.cli.main", "ingest", str(sources)]
    command += ["--out", str(archive), "--processes", "1"]
    full = subprocess.run(command, capture_output=True, text=True, check=False)
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1
    assert "No space left on device" in full.stderr
    with pytest.raises(RibsightError):
        read_archive(archive)
    remount = ["mount", "-o", "remount,size=20m", str(small_disk)]
    subprocess.run(remount, check=True)
    subprocess.run(command, capture_output=True, check=True)
    assert tables(archive) == expected


def test_a_damaged_part_of_an_earlier_run_is_read_again(sources: Path, ingest: Ingest) -> None:
    archive = ingest(sources).archive
    expected = tables(archive.folder)
    shard = next((archive.folder / "shards").glob("*.parquet"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    again = ingest(sources)
    assert again.damaged_shards == 1
    assert again.looked_at > 0
    assert tables(archive.folder) == expected


def test_a_copy_that_has_gone_is_said_to_be_missing(sources: Path, ingest: Ingest) -> None:
    archive: Archive = ingest(sources).archive
    shutil.rmtree(archive.folder / "objects")
    row = next(row for row in archive.rows() if row["source"].endswith("b.tgz"))
    with pytest.raises(RibsightError, match="run `ribsight ingest` again"):
        archive.open(row)
    archive = ingest(sources).archive
    assert all(archive.open(row) for row in archive.rows())


def test_two_runs_do_not_write_one_archive(sources: Path, ingest: Ingest) -> None:
    import fcntl

    folder = ingest(sources).archive.folder
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RibsightError, match="another `ribsight ingest` is writing"):
            ingest(sources)
