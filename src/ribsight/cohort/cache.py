"""The pixel cache: every radiograph decoded and resized once, shared through memory maps.

`FOLDER/<preprocessing key>/` holds shards: `pixels-<name>.npy`, (M, S, S) network pixels, and
`index-<name>.parquet`, which says whose pixels they are. The index is written when its pixels are
complete, so pixels without an index are never trusted. A shard is named after the hashes of the
files it holds: two fills at once can only write the same shard twice.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tqdm import tqdm

from ribsight.cohort.abandoned import writing_into
from ribsight.cohort.tables import Cohort, write_table
from ribsight.cohort.workers import map_ordered, progress_bar, worker_pool
from ribsight.errors import RibsightError
from ribsight.files import atomic_path, file_sha256
from ribsight.radiographs import Affine, Preprocessing, preprocess
from ribsight.radiographs.guarded import read_guarded
from ribsight.radiographs.radiograph import Pixels

SHARD_IMAGES = 512

_AFFINE = ("scale_x", "scale_y", "offset_x", "offset_y")
_INDEX = pl.Schema(
    {
        "sha256": pl.String,  # of the image file
        "row": pl.Int32,  # of the shard's array
        **dict.fromkeys(_AFFINE, pl.Float64),
        "transposed": pl.Boolean,
    }
)
# Written by earlier versions, which turned nothing.
_INDEX_WITHOUT_TURNS = pl.Schema({name: _INDEX[name] for name in ("sha256", "row", *_AFFINE)})
_File = tuple[Path, str]


@dataclass(frozen=True, eq=False)
class PixelCache:
    """Network pixels of a cohort's radiographs, in the order of `cohort.ids`.

    Only paths and numbers travel to another process; memory maps open there on first use.

    Attributes:
        shards: the files of pixels.
        shard: (N,) index into `shards`.
        row: (N,) index into that shard's array.
        affines: (N, 4) scale_x, scale_y, offset_x, offset_y from stored to network pixels.
        transposed: (N,) whether x and y are exchanged first; None if nowhere.
    """

    shards: tuple[Path, ...]
    shard: NDArray[np.int32]
    row: NDArray[np.int32]
    affines: NDArray[np.float64]
    transposed: NDArray[np.bool_] | None = None
    _maps: dict[int, Pixels] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.row)

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[Any, ...]]:
        return PixelCache, (self.shards, self.shard, self.row, self.affines, self.transposed)

    def pixels(self, index: int) -> Pixels:
        """Return a read-only (S, S) view of one radiograph's network pixels."""
        shard = int(self.shard[index])
        if shard not in self._maps:
            self._maps[shard] = np.load(self.shards[shard], mmap_mode="r")
        view: Pixels = self._maps[shard][self.row[index]]
        return view

    def affine(self, index: int) -> Affine:
        """Return the map from one radiograph's stored pixels to its network pixels."""
        scale_x, scale_y, offset_x, offset_y = map(float, self.affines[index])
        is_transposed = self.transposed is not None and bool(self.transposed[index])
        return Affine(scale_x, scale_y, offset_x, offset_y, is_transposed)


def fill_cache(
    cohort: Cohort,
    preprocessing: Preprocessing,
    folder: Path,
    *,
    processes: int = 1,
    progress: bool = True,
) -> PixelCache:
    """Decode and resize what `folder` does not hold yet, and return the cohort's cache.

    Raises:
        RibsightError: an image is missing, unreadable, or not the file the cohort was built
            from; or the folder cannot be written to.
    """
    folder = folder / preprocessing.key
    files = {
        sha256: cohort.images / file
        for file, sha256 in cohort.radiographs.select("file", "sha256").rows()
    }
    held = _held(folder, preprocessing)
    known = set(held["sha256"])
    missing = [(files[sha256], sha256) for sha256 in sorted(files.keys() - known)]
    bar = progress_bar(len(missing), "pixel cache", progress=progress)
    with bar, worker_pool(processes if missing else 1) as pool, writing_into(folder):
        for start in range(0, len(missing), SHARD_IMAGES):
            _write_shard(missing[start : start + SHARD_IMAGES], preprocessing, folder, pool, bar)
    if missing:
        held = _held(folder, preprocessing)
    return _cache_of(cohort, held, folder)


def _held(folder: Path, preprocessing: Preprocessing) -> pl.DataFrame:
    """Join the indices whose pixels are whole; `shard` is the name of the file of pixels."""
    indices = [_read_index(path, preprocessing) for path in sorted(folder.glob("index-*.parquet"))]
    empty = pl.DataFrame(schema={**_INDEX, "shard": pl.String})
    return pl.concat([empty, *(one for one in indices if one is not None)]).unique(
        "sha256", keep="first", maintain_order=True
    )


def _read_index(path: Path, preprocessing: Preprocessing) -> pl.DataFrame | None:
    pixels = path.with_name(path.name.replace("index-", "pixels-")).with_suffix(".npy")
    try:
        index = pl.read_parquet(path)
        array = np.load(pixels, mmap_mode="r")
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    if index.schema == _INDEX_WITHOUT_TURNS:
        index = index.with_columns(transposed=pl.lit(value=False))
    shape = (len(index), preprocessing.size, preprocessing.size)
    if index.schema != _INDEX or array.shape != shape or array.dtype != preprocessing.dtype:
        return None
    return index.with_columns(shard=pl.lit(pixels.name))


def _write_shard(
    files: Sequence[_File],
    preprocessing: Preprocessing,
    folder: Path,
    pool: ProcessPoolExecutor | None,
    bar: "tqdm[NoReturn]",
) -> None:
    name = hashlib.sha256("".join(sha256 for _, sha256 in files).encode()).hexdigest()[:12]
    header = {
        "descr": np.lib.format.dtype_to_descr(preprocessing.dtype),
        "fortran_order": False,
        "shape": (len(files), preprocessing.size, preprocessing.size),
    }
    rows = []
    # Written as a stream: a memory map on a full disk ends the process with a bus error.
    with atomic_path(folder / f"pixels-{name}.npy") as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        network = map_ordered(partial(_network_pixels, preprocessing=preprocessing), files, pool)
        for row, (pixels, affine) in enumerate(network):
            stream.write(pixels.tobytes())
            scales = (affine.scale_x, affine.scale_y, affine.offset_x, affine.offset_y)
            rows.append((files[row][1], row, *scales, affine.transposed))
            bar.update()
    with atomic_path(folder / f"index-{name}.parquet") as temporary:
        write_table(pl.DataFrame(rows, schema=_INDEX, orient="row"), temporary)


def _network_pixels(file: _File, *, preprocessing: Preprocessing) -> tuple[Pixels, Affine]:
    path, sha256 = file
    try:
        same = file_sha256(path) == sha256
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    if not same:
        raise RibsightError(f"{path} has changed since the cohort was built: build it again")
    return preprocess(read_guarded(path), preprocessing)


def _cache_of(cohort: Cohort, held: pl.DataFrame, folder: Path) -> PixelCache:
    rows = cohort.radiographs.select("sha256").join(
        held, on="sha256", how="left", maintain_order="left"
    )
    names = sorted(set(rows["shard"]))
    number = {name: index for index, name in enumerate(names)}
    return PixelCache(
        shards=tuple(folder.absolute() / name for name in names),
        shard=np.array([number[name] for name in rows["shard"]], dtype=np.int32),
        row=rows["row"].to_numpy(),
        affines=rows.select(_AFFINE).to_numpy(),
        transposed=rows["transposed"].to_numpy(),
    )
