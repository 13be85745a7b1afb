"""Do to a service what happens to services, and check what it promises; exit status 1 if broken.

    python tools/break_service.py [kills] [mutants] [outage] [full-disk]
        [--lives 200] [--seconds 2.5] [--files 3000] [--away 180] [--images 40] [--seed 0]

`kills`: kill -9 at random moments of start-up and work, while images come in by C-STORE and STOW.
`mutants`: damaged files, by both ways. `outage`: the destination is away for some time.
`full-disk`: the disk fills up, entirely, and is freed (a small file system is mounted, as root).
The promises: every image that was acknowledged has exactly one current result, whose objects are
there and delivered, in order where the service lived through; nothing else is left lying about; the
audit log is whole.
"""

import argparse
import hashlib
import json
import logging
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import requests
from fuzz_radiographs import mutated, seeds
from service_under_test import Archive, Bench, Parent, calling, radiograph, send_raw, send_stow
from sqlalchemy import select

from ribsight.deidentification.key import read_key
from ribsight.deployment.service import tables
from ribsight.deployment.service.audit import verify
from ribsight.deployment.service.file_meta import read_file_meta
from ribsight.deployment.service.folder import DataFolder
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.tables import Kind, State

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

_EXPLICIT = "1.2.840.10008.1.2.1"
_OUT_OF_RESOURCES = 0xA700
_WORKING_SHARE = 0.8


class Sender(threading.Thread):
    """Sends new images until told to stop; each again until it is acknowledged."""

    def __init__(self, bench: Bench, first: int, *, by_stow: bool, pause: float):
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.refusals: Counter[int] = Counter()
        self.paused = threading.Event()
        self.stopping = threading.Event()
        self._bench, self._number = bench, first
        self._by_stow, self._pause = by_stow, pause

    def run(self) -> None:
        """Send."""
        while not self.stopping.is_set():
            name, file = radiograph(self._number)
            while not self.stopping.is_set():
                try:
                    status = self._send(name, file)
                except (requests.RequestException, OSError, RuntimeError, ValueError):
                    status = None
                if status == 0:
                    self.acknowledged.append(name)
                    break
                if status is not None:
                    self.refusals[status] += 1
                time.sleep(0.05)
            self._number += 1
            self.stopping.wait(self._pause)

    def _send(self, name: str, file: bytes) -> int | None:
        if self._by_stow:
            status, _ = send_stow(self._bench.url, file)
            return 0 if status == 200 else status
        with calling(self._bench.dicom) as association:
            return send_raw(association, name, _EXPLICIT, _dataset(file))


def _dataset(file: bytes) -> bytes:
    """Return what follows the meta information of a file."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


def kills(lives: int, seconds: float, seed: int, parent: Parent, folder: Path) -> list[str]:
    chance, archive = random.Random(seed), Archive()
    archive.listen()
    bench = Bench(parent, folder, destination=archive.port)
    senders = [Sender(bench, 0, by_stow=False, pause=0.15),
               Sender(bench, 1_000_000, by_stow=True, pause=0.15)]  # fmt: skip
    for one in senders:
        one.start()
    started = time.monotonic()
    for _ in range(lives):
        life = bench.start()
        # Some die while they start; most once they have finished an image, however slow it goes.
        if chance.random() < _WORKING_SHARE:
            bench.wait_until_up()
            made = bench.results()
            _wait(lambda made=made: bench.results() > made, 60)  # type: ignore[misc]
        time.sleep(chance.uniform(0, seconds))
        life.end(signal.SIGKILL)
    killed_for = time.monotonic() - started
    life = bench.start()
    bench.wait_until_up()
    for one in senders:
        one.stopping.set()
    for one in senders:
        one.join(60)
    names = [name for one in senders for name in one.acknowledged]
    waiting = (bench.health() or {}).get("waiting")
    bench.wait_until_done(60 + 2.0 * len(names))
    status = life.end(signal.SIGTERM)
    archive.hang_up()
    broken = checked(bench, names, archive.received)
    if status != 0:
        broken.append(f"the last life ended with status {status}")
    print(
        f"  {lives} lives ended by kill -9 in {killed_for:.0f} s, each 0 to {seconds} s after its "
        "start or after its first result"
    )
    print(f"  {len(names)} images acknowledged, {waiting} of them waiting after the last kill;")
    print(f"  {_resumed(bench)} were being worked on when the service was killed")
    return broken


def mutants(files: int, seed: int, parent: Parent, folder: Path) -> list[str]:
    bench = Bench(parent, folder)
    life = bench.start()
    bench.wait_until_up()
    answers: Counter[str] = Counter()
    names: list[str] = []
    for number, (_, _, changed) in enumerate(mutated(files, seed, seeds(None))):
        if number % 2:
            status, document = send_stow(bench.url, changed)
            answers[f"STOW {status}"] += 1
            stored = document.get("00081199", {}).get("Value", [])
            names += [one["00081155"]["Value"][0] for one in stored]
        else:
            name = f"2.25.{30_000_000 + number}"
            meta = _meta(folder / "one.dcm", changed)
            data = _dataset(changed) if changed[128:132] == b"DICM" else changed
            with calling(bench.dicom) as association:
                status_or_none = send_raw(association, name, meta, data)
            answers["C-STORE " + ("no context" if status_or_none is None
                                  else f"0x{status_or_none:04X}")] += 1  # fmt: skip
            if status_or_none == 0:
                names.append(name)
        if number % 100 == 0:
            bench.wait_until_done(600)
    name, file = radiograph(1)
    status, _ = send_stow(bench.url, file)
    bench.wait_until_done(600)
    memory = _memory(life.pid)
    exit_status = life.end(signal.SIGTERM)
    broken = checked(bench, list(dict.fromkeys(names)), None)
    said = _results(bench)
    good = said.pop(name, None)
    if status != 200 or good != Kind.FINDINGS:
        broken.append(f"a good image afterwards is not scored: {status}, {good}")
    if exit_status != 0:
        broken.append(f"the service ended with status {exit_status}")
    print(f"  {files} damaged files sent; the service stayed up, with {memory:.0f} MiB in use")
    for answer, count in sorted(answers.items()):
        print(f"  {count:7d} answered {answer}")
    for kind, count in Counter(said.values()).most_common():
        print(f"  {count:7d} accepted images became '{kind}'")
    return broken


def outage(seconds: float, images: int, parent: Parent, folder: Path) -> list[str]:
    archive = Archive()
    bench = Bench(parent, folder, destination=archive.port)
    life = bench.start()
    bench.wait_until_up()
    archive.listen()
    names = []
    for number in range(images):
        if number == images // 4:
            bench.wait_until_done(120)
            archive.hang_up()
            away = time.monotonic()
        name, file = radiograph(number)
        if send_stow(bench.url, file)[0] == 200:
            names.append(name)
    bench.wait_until_done(600, delivered=False)
    before = len(archive.received)
    time.sleep(max(seconds - (time.monotonic() - away), 0))
    waiting = sum((bench.health() or {}).get("undelivered", {}).values())
    archive.listen()
    back = time.monotonic()
    bench.wait_until_done(600)
    caught_up = time.monotonic() - back
    life.end(signal.SIGTERM)
    archive.hang_up()
    broken = checked(bench, names, archive.received, in_order=True)
    print(f"  destination away for {seconds:.0f} s: {before} objects before, {waiting} waited,")
    print(f"  all {len(archive.received)} there {caught_up:.1f} s after it came back, in order")
    return broken


def full_disk(parent: Parent, folder: Path) -> list[str]:
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        raise SystemExit("a small file system cannot be mounted here")
    try:
        return _fill(parent, folder, small)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def _fill(parent: Parent, folder: Path, small: Path) -> list[str]:
    bench = Bench(parent, folder, data=small / "data")
    life = bench.start()
    bench.wait_until_up()
    sender = Sender(bench, 0, by_stow=True, pause=0.0)
    other = Sender(bench, 1_000_000, by_stow=False, pause=0.0)
    for one in (sender, other):
        one.start()
    _wait(lambda: 507 in sender.refusals and _OUT_OF_RESOURCES in other.refusals, 300)
    refused = Counter(sender.refusals) + Counter(other.refusals)
    filler = small / "filler"
    _fill_up(filler)  # nothing at all can be written now
    time.sleep(3)
    alive = bench.health()
    accepted = len(sender.acknowledged) + len(other.acknowledged)
    filler.unlink()
    time.sleep(1)
    _grow(small)
    _wait(lambda: len(sender.acknowledged) + len(other.acknowledged) >= accepted + 4, 120)
    for one in (sender, other):
        one.stopping.set()
        one.join(60)
    bench.wait_until_done(300)
    life.end(signal.SIGTERM)
    broken = checked(bench, sender.acknowledged + other.acknowledged, None)
    if alive is None or alive["ok"]:
        broken.append(f"with a full disk, health says {alive}")
    print(f"  {accepted} images accepted until the disk was full, then refused: {dict(refused)}")
    print(f"  freed: {len(sender.acknowledged) + len(other.acknowledged)} images accepted in all")
    return broken


def _fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue


def _grow(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("waited in vain")
        time.sleep(0.1)


def checked(
    bench: Bench, names: Sequence[str], received: Sequence[str] | None, *, in_order: bool = False
) -> list[str]:
    """Return which promises are broken, for images of these SOP Instance UIDs."""
    folder = DataFolder(bench.data)
    key = read_key(folder.key)
    store = Store.open(f"sqlite:///{folder.database}", key.fingerprint)
    images, results, objects = tables.images.c, tables.results.c, tables.objects.c
    with store.reading() as connection:
        known = connection.execute(select(images.id, images.instance)).all()
        current = connection.execute(
            select(results.id, results.image).where(results.is_current)
        ).all()
        made = connection.execute(
            select(objects.id, results.image, objects.instance_uid, objects.sha256)
            .join(tables.results, results.id == objects.result)
            .where(results.is_current)
            .order_by(objects.id)
        ).all()
        open_jobs = connection.execute(
            select(tables.jobs.c.id).where(
                tables.jobs.c.state.in_([State.SCHEDULED, State.IN_PROGRESS])
            )
        ).all()
    store.close()
    count = Counter(image for _, image in current)
    by_instance: dict[str | None, list[str]] = {}
    for image, instance in known:
        by_instance.setdefault(instance, []).append(image)
    broken = [
        f"{name} was acknowledged and is lost"
        for name in names
        if not by_instance.get(key.name("instance", name))
    ]
    broken += [f"{image} has {count[image]} results" for image, _ in known if count[image] != 1]
    broken += [f"job {one.id} is not done" for one in open_jobs]
    files = {path.stem for path in folder.images.glob("*/*.dcm")}
    files |= {path.stem for path in folder.quarantine.glob("*.dcm")}
    broken += [f"{image} has no file" for image, _ in known if image not in files]
    broken += [f"{image} is nobody's file" for image in files - {image for image, _ in known}]
    for _, image, name, sha256 in made:
        path = folder.result(image, name)
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            broken.append(f"object {name} is not there, or another")
    expected = [one.instance_uid for one in made]
    if received is not None:
        broken += [f"{one} was not delivered" for one in expected if one not in set(received)]
    if in_order and list(received or []) != expected:
        broken.append("objects were not delivered once each and in order")
    broken += [f"{path.name} is left over" for path in folder.incoming.iterdir()]
    lines, _ = verify(folder.audit_log)
    if not lines:
        broken.append("the audit log is empty")
    return broken


def _resumed(bench: Bench) -> int:
    """Return how many jobs later lives found begun."""
    lines = DataFolder(bench.data).audit_log.read_text().splitlines()
    return sum(int(json.loads(line).get("resumed", 0)) for line in lines)


def _results(bench: Bench) -> dict[str, str]:
    """Return the kind of each current result by SOP Instance UID, of the few that can be told."""
    folder = DataFolder(bench.data)
    store = Store.open(f"sqlite:///{folder.database}", read_key(folder.key).fingerprint)
    results = tables.results.c
    with store.reading() as connection:
        rows = connection.execute(
            select(results.image, results.kind).where(results.is_current)
        ).all()
    store.close()
    said: dict[str, str] = {}
    for image, kind in rows:
        meta = read_file_meta(folder.find(image))
        said[meta.instance_uid if meta and meta.instance_uid not in said else image] = kind
    return said


def _meta(path: Path, file: bytes) -> str:
    """Return the transfer syntax that a file says it has, or the plain one."""
    path.write_bytes(file)
    meta = read_file_meta(path)
    return meta.syntax if meta and meta.syntax else _EXPLICIT


def _memory(pid: int) -> float:
    """Return the MiB that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="kills mutants outage full-disk")
    parser.add_argument("--lives", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.5)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--away", type=float, default=180)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scenarios: dict[str, Callable[[Parent, Path], list[str]]] = {
        "kills": partial(kills, given.lives, given.seconds, given.seed),
        "mutants": partial(mutants, given.files, given.seed),
        "outage": partial(outage, given.away, given.images),
        "full-disk": full_disk,
    }
    with tempfile.TemporaryDirectory() as folder:
        parent = Parent(Path(folder))
        is_broken = False
        for name in given.what or scenarios:
            print(f"{name}:")
            place = Path(folder) / name
            place.mkdir()
            broken = scenarios[name](parent, place)
            is_broken |= bool(broken)
            for one in broken or ["all promises kept"]:
                print(f"  BROKEN: {one}" if broken else f"  {one}", flush=True)
        parent.close()
        if is_broken:
            print(parent.log.read_text()[-5000:], file=sys.stderr)
    sys.exit(is_broken)


if __name__ == "__main__":
    main()
