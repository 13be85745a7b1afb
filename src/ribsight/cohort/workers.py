"""One function over many items, in this process or in several, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import NoReturn, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 16


@contextmanager
def worker_pool(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    """Yield a pool of `processes` workers, or None when this process does the work itself."""
    if processes <= 1:
        yield None
        return
    # A forked copy of a process that has loaded torch can hang on its threads' locks.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def map_ordered(
    function: Callable[[Item], Result], items: Sequence[Item], pool: ProcessPoolExecutor | None
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`; the first exception ends it."""
    if pool is None:
        return map(function, items)
    return pool.map(function, items, chunksize=_CHUNK)


def progress_bar(total: int, label: str, *, progress: bool) -> "tqdm[NoReturn]":
    """Return a bar on standard error that shows only on a terminal, and never if not wanted."""
    return tqdm(total=total, desc=label, unit="image", disable=None if progress else True)
