"""Reading in child processes that may die: results as in this process, failures as sentences."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid

from ribsight.radiographs import Radiograph, UnreadableImageError, read_radiograph
from ribsight.radiographs.guarded import GuardedReader, read_guarded
from ribsight.radiographs.read import read_content

Encode = Callable[..., bytes]
WriteDicom = Callable[..., Path]


def alive(process: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children() -> list[int]:
    """Return this process's children, zombies too."""
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="], capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if not line.endswith("ps")]


def equal(a: Radiograph, b: Radiograph) -> bool:
    same = np.array_equal(a.pixels, b.pixels) and a.pixels.dtype == b.pixels.dtype
    return same and all(
        getattr(a, name) == getattr(b, name)
        for name in ("bits", "warnings", "pixel_spacing", "view", "provenance", "identifiers",
                     "orientation", "field", "window")
    )  # fmt: skip


def large_png() -> bytes:
    stream = BytesIO()
    Image.fromarray(np.zeros((8000, 8000), np.uint16)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def test_a_file_reads_as_in_this_process(write_dicom: WriteDicom, tmp_path: Path) -> None:
    dicom = write_dicom(
        PixelSpacing=["0.15", "0.2"], PatientOrientation=["R", "F"], ViewPosition="PA",
        PatientID="Grünwald", WindowCenter="",
    )  # fmt: skip
    png = tmp_path / "a.png"
    Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)).save(png)
    with GuardedReader() as reader:
        for path in (dicom, png):
            expected = read_radiograph(path)
            assert equal(reader.read(path), expected)
            assert equal(reader.read(path.read_bytes()), expected)


def test_a_file_reads_wide_as_in_this_process(write_dicom: WriteDicom) -> None:
    path = write_dicom(WindowCenter="1500", WindowWidth="1000")
    expected = read_radiograph(path, wide=True)
    assert expected.window is not None
    assert 0 < expected.window[0] < expected.window[1] < 65535
    with GuardedReader() as reader:
        assert equal(reader.read(path, wide=True), expected)
        assert reader.read(path).window is None


def test_a_refusal_is_the_same_sentence_and_names_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"hello")
    with GuardedReader() as reader:
        for missing in (path, tmp_path / "none.dcm"):
            with pytest.raises(UnreadableImageError) as expected:
                read_radiograph(missing)
            with pytest.raises(UnreadableImageError) as caught:
                reader.read(missing)
            assert str(caught.value) == str(expected.value)
        with pytest.raises(UnreadableImageError, match=r"^a\.zip/1\.dcm is empty"):
            reader.read(b"", "a.zip/1.dcm")


def test_an_error_survives_being_sent_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImageError(Path("a.dcm"), "is empty")))
    assert (str(error), error.file, error.reason) == ("a.dcm is empty", "a.dcm", "is empty")


def test_too_much_memory_is_a_reason_and_the_next_file_reads(write_dicom: WriteDicom) -> None:
    with GuardedReader(memory=96 << 20) as reader:
        with pytest.raises(UnreadableImageError, match="decoding needed more than 96 MiB"):
            reader.read(large_png())
        assert reader.read(write_dicom()).pixels.shape == (60, 48)


def test_too_long_is_a_reason_and_the_next_file_reads(write_dicom: WriteDicom) -> None:
    path = write_dicom()
    with GuardedReader(seconds=0.1) as reader:
        with pytest.raises(UnreadableImageError, match=r"decoding took longer than 0\.1 s"):
            reader.read(large_png())
        # Its first file makes a child import decoders; that may take long on a busy machine.
        with GuardedReader() as patient:
            assert patient.read(path).pixels.shape == (60, 48)


def test_a_stopped_child_is_given_up_by_the_clock(
    write_dicom: WriteDicom, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_dicom()
    with GuardedReader(seconds=0.1) as reader:
        (child,) = children_after(reader, path)
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(UnreadableImageError, match=r"reading took longer than 1 s"):
            reader.read(path)
        assert not alive(child)


def children_after(reader: GuardedReader, path: Path) -> list[int]:
    """Return the children that the reader starts for its first file."""
    before = set(children())
    try:
        reader.read(path)
    except UnreadableImageError:
        pytest.skip("this machine is too busy for the time limit of this test")
    return sorted(set(children()) - before)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_a_reason_and_leaves_no_zombie(write_dicom: WriteDicom, number: int) -> None:
    path = write_dicom()
    with GuardedReader() as reader:
        (child,) = children_after(reader, path)
        os.kill(child, signal.SIGSTOP)
        threading.Timer(0.1, signal_to, (child, number)).start()
        threading.Timer(0.2, signal_to, (child, signal.SIGCONT)).start()
        with pytest.raises(UnreadableImageError, match="is not read: the decoder crashed"):
            reader.read(path)
        assert equal(reader.read(path), read_radiograph(path))
        assert child not in children()
    assert not any(alive(one) for one in children_of(reader))


def signal_to(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def children_of(reader: GuardedReader) -> list[int]:
    return [one._process.pid for one in reader._children if one._process is not None]


def test_many_files_come_in_order_with_failures_among_them(
    encode: Encode, film: NDArray[np.uint16]
) -> None:
    good = [encode(np.roll(film, shift), uid.RLELossless, {}) for shift in range(12)]
    sources: list[bytes | tuple[bytes, str]] = [*good[:6], (b"x", "bad"), *good[6:]]
    with GuardedReader(processes=2) as reader:
        results = list(reader.map(sources))
    assert str(results.pop(6)).startswith("bad is not a readable")
    firsts = [one.pixels.tobytes() for one in results if isinstance(one, Radiograph)]
    expected = [read_content(content, "a").pixels.tobytes() for content in good]
    assert firsts == expected
    assert len(set(firsts)) == 12


def test_stopping_early_ends_the_children(write_dicom: WriteDicom) -> None:
    path = write_dicom()
    before = set(children())
    with GuardedReader(processes=2) as reader:
        results = reader.map([path] * 50)
        next(results)
        results.close()  # type: ignore[attr-defined]
    assert set(children()) == before


def test_it_works_in_worker_processes_and_leaves_none_behind(write_dicom: WriteDicom) -> None:
    path = write_dicom()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        read = list(pool.map(read_guarded, [path] * 8))
    expected = read_radiograph(path)
    assert len(read) == 8
    assert all(equal(one, expected) for one in read)
    assert equal(read_guarded(path), expected)


def test_a_fork_starts_its_own_children(write_dicom: WriteDicom) -> None:
    path = write_dicom()
    with GuardedReader() as reader:
        reader.read(path)
        process = os.fork()
        if process == 0:
            os._exit(0 if reader.read(path).pixels.shape == (60, 48) else 1)
        shapes = {reader.read(path).pixels.shape for _ in range(20)}
        assert os.waitpid(process, 0)[1] == 0
        assert shapes == {(60, 48)}


def test_a_child_knows_this_room_only_and_may_write_no_file(write_dicom: WriteDicom) -> None:
    path = write_dicom()
    with GuardedReader() as reader:
        (child,) = children_after(reader, path)
        limits = Path(f"/proc/{child}/limits").read_text()
        maps = Path(f"/proc/{child}/maps").read_text()
    for name in ("Max core file size", "Max file size"):
        (line,) = [one for one in limits.splitlines() if one.startswith(name)]
        assert line.removeprefix(name).split()[0] == "0"
    assert "unlimited" not in next(one for one in limits.splitlines() if "address space" in one)
    assert not any(name in maps for name in ("libtorch", "numba", "polars"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_children_end_with_their_parent(
    write_dicom: WriteDicom, tmp_path: Path, number: int
) -> None:
    script = tmp_path / "reads.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            from ribsight.radiographs.guarded import GuardedReader
            with GuardedReader() as reader:
                reader.read(Path({str(write_dicom())!r}))
                print(reader._children[0]._process.pid, flush=True)
                while True:
                    reader.read(Path({str(write_dicom())!r}))
            """
        )
    )
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(number)
    _, error = parent.communicate(timeout=60)
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)
    assert ("KeyboardInterrupt" in error) == (number == signal.SIGINT)
