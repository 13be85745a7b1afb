"""Filling a cache is killed at any moment, or the disk is full: what is there later is right."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from ribsight.cohort import cache as cache_module
from ribsight.cohort.abandoned import writing_into
from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing, read_radiograph

SIZE = Preprocessing(32)
KILLS = 30


def fill_and_die(cohort: Path, folder: Path, death: int, answer: Connection) -> None:
    """Fill the cache; end with SIGKILL at the call number `death` of any function, if it comes."""
    cache_module.SHARD_IMAGES = 3
    # Starting the process that decodes takes longer than all the rest, and writes nothing.
    cache_module.read_guarded = read_radiograph  # type: ignore[attr-defined]
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls == death:
            os.kill(os.getpid(), signal.SIGKILL)

    loaded = load_cohort(cohort)
    sys.setprofile(count)
    fill_cache(loaded, SIZE, folder, progress=False)
    sys.setprofile(None)
    answer.send(calls)


def run(cohort: Path, folder: Path, death: int = -1) -> int | None:
    """Return how many calls a whole run made, None if it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ribsight.cohort.cache", __name__])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=fill_and_die, args=(cohort, folder, death, theirs))
    child.start()
    theirs.close()
    try:
        return int(ours.recv())
    except EOFError:
        return None
    finally:
        child.join()


def content(folder: Path) -> dict[str, bytes]:
    """Return every file there is, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    save_cohort(small_cohort, tmp_path / "cohort")
    calls = run(tmp_path / "cohort", tmp_path / "undisturbed")
    assert calls is not None
    random = np.random.default_rng(6)
    killed, unfinished = 0, 0
    for attempt in range(KILLS):
        # Sometimes on top of what an earlier killed run left, sometimes from nothing.
        folder = tmp_path / f"killed{attempt // 3}"
        killed += run(tmp_path / "cohort", folder, int(random.integers(1, calls))) is None
        unfinished += len(list(folder.rglob("*.part")))
    assert killed >= 20
    assert unfinished > 0
    for number in range(KILLS // 3):
        folder = tmp_path / f"killed{number}"
        run(tmp_path / "cohort", folder)
        assert content(folder) == content(tmp_path / "undisturbed")


def test_a_disk_that_fills_up_stops_it_and_what_is_whole_is_kept(
    small_cohort: Cohort, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "SHARD_IMAGES", 5)
    with pytest.raises(RibsightError, match=r"cannot write .*: No space left on device"):
        fill_cache(small_cohort, SIZE, small_disk, progress=False)
    held = sorted(one.name.partition("-")[0] for one in (small_disk / SIZE.key).iterdir())
    assert held == ["index", "pixels"]
    # The same folder, moved to a disk with room: only what was missing is decoded.
    room = tmp_path / "room" / SIZE.key
    room.parent.mkdir()
    subprocess.run(["cp", "-r", small_disk / SIZE.key, room], check=True)
    whole = fill_cache(small_cohort, SIZE, tmp_path / "other", progress=False)
    again = fill_cache(small_cohort, SIZE, tmp_path / "room", progress=False)
    assert len(list(room.glob("index-*"))) == 3
    assert all(np.array_equal(again.pixels(one), whole.pixels(one)) for one in range(12))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system with room for one shard, or skip."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with writing_into(tmp_path):
        (tmp_path / ".pixels.npy.1.part").touch()
        with writing_into(tmp_path):
            pass
        assert (tmp_path / ".pixels.npy.1.part").exists()
    (tmp_path / "index.parquet").touch()
    with writing_into(tmp_path):
        assert [one.name for one in tmp_path.iterdir()] == ["index.parquet"]
