"""The same reading on the machines of a Ray cluster; needs `pip install ribsight[ray]`."""

import logging
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import polars as pl

from ribsight.archive.crew import Chunk, ReadChunks, readers
from ribsight.archive.reading import Reading
from ribsight.archive.sighting import Row, sightings
from ribsight.errors import RibsightError

_CHUNKS_OF_A_TASK = 16
_TASKS_AT_ONCE = 64
_CANNOT = "cannot"


@contextmanager
def readers_on_ray(reading: Reading, processes: int) -> Iterator[ReadChunks]:
    """Yield what reads chunks by `processes` workers of a Ray cluster.

    The cluster is the one that RAY_ADDRESS names, else one that starts on this machine and ends
    here. Every worker guards a reader process of its own, so a hostile file costs no worker. Every
    machine must see the sources and the archive under the same paths.

    Raises:
        RibsightError: Ray is not installed; while reading: a copy cannot be written.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise RibsightError("--ray needs Ray: pip install 'ribsight[ray]'") from error
    look = partial(_read_batch, reading=reading)

    def read(chunks: Iterable[Chunk]) -> Iterator[list[Row]]:
        for part in _parts(chunks, _CHUNKS_OF_A_TASK * _TASKS_AT_ONCE):
            blocks = max(-(-len(part) // _CHUNKS_OF_A_TASK), min(processes, len(part)))
            found = ray.data.from_items(part, override_num_blocks=blocks).map_batches(
                look, batch_size=None, compute=ray.data.TaskPoolStrategy(size=processes)
            )
            for table in found.iter_batches(batch_format="pyarrow", batch_size=None):
                rows = pl.from_arrow(table)
                assert isinstance(rows, pl.DataFrame)
                failed = rows.filter(pl.col(_CANNOT) != "")
                if len(failed):
                    raise RibsightError(str(failed[_CANNOT][0]))
                yield rows.drop(_CANNOT).to_dicts()

    with _cluster(ray, processes):
        yield read


@contextmanager
def _cluster(ray: Any, processes: int) -> Iterator[None]:
    started = not ray.is_initialized()
    if started:
        options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False}
        if not _is_given():
            options["num_cpus"] = processes
        ray.init(logging_level="ERROR", **options)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        if started:
            ray.shutdown()


def _is_given() -> bool:
    return bool(os.environ.get("RAY_ADDRESS"))


def _read_batch(batch: dict[str, Any], reading: Reading) -> Any:
    chunks = [pickle.loads(chunk) for chunk in batch["chunk"]]
    rows: list[Row] = []
    cannot = ""
    try:
        with readers(reading, 1) as read:
            for found in read(chunks):
                rows += found
    except RibsightError as error:
        rows, cannot = [{}], str(error)
    return sightings(rows).with_columns(pl.lit(cannot).alias(_CANNOT)).to_arrow()


def _parts(chunks: Iterable[Chunk], size: int) -> Iterator[list[dict[str, bytes]]]:
    """Yield chunks as Ray takes them, some at a time: a million files are no one's to hold."""
    part: list[dict[str, bytes]] = []
    for chunk in chunks:
        part.append({"chunk": pickle.dumps(chunk)})
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
