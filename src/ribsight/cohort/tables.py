"""A cohort on disk: three Parquet tables and `cohort.toml`."""

import hashlib
import io
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import tomli_w
from numpy.typing import NDArray

from ribsight.cohort.rib_cells import check_ribs
from ribsight.errors import RibsightError
from ribsight.files import atomic_path
from ribsight.findings import DiagnosisState, Side, Supervision
from ribsight.regions import Region

RADIOGRAPHS = pl.Schema(
    {
        "radiograph": pl.String,  # unique id: the file's name without its ending
        "file": pl.String,  # path relative to the folder of images
        "patient": pl.String,  # null if not known
        "group": pl.String,  # what a split keeps together, and a bootstrap resamples
        "split": pl.String,  # train, val, test; null before `cohort split`
        "width": pl.Int32,  # stored pixels
        "height": pl.Int32,
        "bits": pl.UInt8,  # of the stored samples: 8 or 16
        "sha256": pl.String,  # of the file
        "pixels_sha256": pl.String,  # of the decoded pixels, so of the picture itself
        "warnings": pl.String,  # what was noticed while reading; empty if nothing
    }
)
HEADER_COLUMNS = pl.Schema(
    {
        "study": pl.String,  # StudyInstanceUID
        "view": pl.String,  # pa, ap, frontal, oblique, lateral
        "spacing_mm": pl.Float64,  # between the centres of neighbouring stored pixels
    }
)
"""What DICOM headers know of a radiograph, null where they do not; after those of `RADIOGRAPHS`."""
DIAGNOSES = pl.Schema(
    {
        "radiograph": pl.String,
        "finding": pl.String,
        "state": pl.String,  # positive, negative, uncertain, unknown
        "acuity": pl.String,
        "side": pl.String,
        "evidence": pl.String,  # file, row and column it came from
    }
)
PLACES = pl.Schema({"ribs": pl.String})  # that the record names: `left 4; left 5`
"""What records say of the place of a finding; after the columns of `DIAGNOSES`."""
REGIONS = pl.Schema(
    {
        "radiograph": pl.String(),
        "finding": pl.String(),
        "reader": pl.String(),
        "is_box": pl.Boolean(),
        "polygons": pl.List(pl.List(pl.Float64())),  # each polygon x, y, x, y, ... in stored pixels
        "revealed": pl.Boolean(),  # false: kept for measuring, never shown to training
        "source": pl.String(),  # file and annotation it came from
    }
)
NEAR_DUPLICATES = pl.Schema(
    {
        "first": pl.String(),  # radiograph, before the second by name
        "second": pl.String(),
        "correlation": pl.Float64(),  # of local contrast, registered
        "orientation": pl.String(),  # of one against the other: see `pictures.ORIENTATIONS`
        "inverted": pl.Boolean(),  # light and dark are exchanged
    }
)
"""Pairs that show one film, see `near_duplicates`; absent if nobody looked for them."""
TABLES = {"radiographs": RADIOGRAPHS, "diagnoses": DIAGNOSES, "regions": REGIONS}
_PAIRS = "near_duplicates.parquet"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Radiographs, what their records say, what experts drew, and who is held out.

    Attributes:
        images: folder that `radiographs.file` is relative to.
        findings: names of the findings, in the order of every array's K axis.
        radiographs: schema `RADIOGRAPHS`, then `HEADER_COLUMNS` if it was built or loaded, then any
            further columns kept from the user's table; one of a header's names replaces that.
        diagnoses: schema `DIAGNOSES`, then `PLACES` if it was built or loaded; one row per
            (radiograph, finding).
        regions: schema `REGIONS`.
        provenance: how it was made: a flat table of strings and numbers for `cohort.toml`.
        near_duplicates: schema `NEAR_DUPLICATES`, None if nobody looked for them.
    """

    images: Path
    findings: tuple[str, ...]
    radiographs: pl.DataFrame
    diagnoses: pl.DataFrame
    regions: pl.DataFrame
    provenance: dict[str, str | int | float] = field(default_factory=dict)
    near_duplicates: pl.DataFrame | None = None

    @property
    def ids(self) -> list[str]:
        """The radiographs' ids, in the order of every array's N axis."""
        return self.radiographs["radiograph"].to_list()

    @cached_property
    def states(self) -> NDArray[np.str_]:
        """(N, K) diagnosis states."""
        row = {id_: index for index, id_ in enumerate(self.ids)}
        column = {name: index for index, name in enumerate(self.findings)}
        states = np.full((len(row), len(column)), str(DiagnosisState.UNKNOWN), dtype="<U16")
        for id_, finding, state in self.diagnoses.select("radiograph", "finding", "state").rows():
            states[row[id_], column[finding]] = state
        return states

    def drawn(self, *, revealed_only: bool) -> list[list[Region]]:
        """Regions of each radiograph, in the order of `ids`."""
        row = {id_: index for index, id_ in enumerate(self.ids)}
        drawn: list[list[Region]] = [[] for _ in row]
        for one in self.regions.iter_rows(named=True):
            if one["revealed"] or not revealed_only:
                drawn[row[one["radiograph"]]].append(_region(one))
        return drawn

    def supervision(self) -> NDArray[np.int8]:
        """(N, K) `Supervision` of each (radiograph, finding), as training may know it."""
        table = np.full(self.states.shape, Supervision.NOTHING, dtype=np.int8)
        table[self.states == DiagnosisState.NEGATIVE] = Supervision.NEGATIVE
        table[self.states == DiagnosisState.POSITIVE] = Supervision.POSITIVE
        column = {name: index for index, name in enumerate(self.findings)}
        for index, regions in enumerate(self.drawn(revealed_only=True)):
            for region in regions:
                table[index, column[region.finding]] = Supervision.REGION
        return table

    def select(self, split: str) -> "Cohort":
        """Return the part of the cohort in `split`.

        Raises:
            RibsightError: no radiograph is in that split.
        """
        radiographs = self.radiographs.filter(pl.col("split") == split)
        if radiographs.is_empty():
            raise RibsightError(
                f"the cohort has no radiograph in split '{split}'; run `ribsight cohort split`"
            )
        return Cohort(
            images=self.images,
            findings=self.findings,
            radiographs=radiographs,
            diagnoses=self.diagnoses.join(radiographs, on="radiograph", how="semi"),
            regions=self.regions.join(radiographs, on="radiograph", how="semi"),
            provenance=self.provenance,
            near_duplicates=self.pairs_among(radiographs),
        )

    def pairs_among(self, radiographs: pl.DataFrame) -> pl.DataFrame | None:
        """Return the near duplicates of which both are in `radiographs`."""
        if self.near_duplicates is None:
            return None
        ids = radiographs["radiograph"].implode()
        return self.near_duplicates.filter(pl.col("first").is_in(ids) & pl.col("second").is_in(ids))

    @property
    def named_places(self) -> pl.DataFrame:
        """The rows of `diagnoses` whose record names a side or a rib: radiograph, finding, both."""
        table = _with_columns(self.diagnoses, PLACES)
        told = pl.col("side").is_in([Side.LEFT, Side.RIGHT]) | (pl.col("ribs") != "")
        return table.filter(told).select("radiograph", "finding", "side", "ribs")

    def fingerprint(self) -> str:
        """SHA-256 over pixels, splits, diagnoses and revealed regions: what training sees."""
        digest = hashlib.sha256()
        for table, columns in (
            (self.radiographs, ["radiograph", "pixels_sha256", "group", "split"]),
            (self.diagnoses, ["radiograph", "finding", "state"]),
            (self.named_places, self.named_places.columns),
            (self.regions, ["radiograph", "finding", "polygons", "revealed"]),
        ):
            rows = sorted(map(repr, table.select(columns).rows()))
            digest.update("\n".join(rows).encode())
        return digest.hexdigest()


def save_cohort(cohort: Cohort, folder: Path) -> None:
    """Write the cohort's tables, then `cohort.toml`; a folder without it is no cohort.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    description = {
        "images": str(cohort.images.resolve()),
        "findings": list(cohort.findings),
        "provenance": cohort.provenance,
    }
    # All files are complete before the first takes its name, and cohort.toml takes it last.
    with ExitStack() as stack:
        toml = stack.enter_context(atomic_path(folder / "cohort.toml"))
        for name in TABLES:
            temporary = stack.enter_context(atomic_path(folder / f"{name}.parquet"))
            write_table(getattr(cohort, name), temporary)
        if cohort.near_duplicates is not None:
            write_table(cohort.near_duplicates, stack.enter_context(atomic_path(folder / _PAIRS)))
        toml.write_text(tomli_w.dumps(description), encoding="utf-8")
        # Old and new tables must never stand together under an old cohort.toml.
        (folder / "cohort.toml").unlink(missing_ok=True)
        if cohort.near_duplicates is None:
            (folder / _PAIRS).unlink(missing_ok=True)


def load_cohort(folder: Path) -> Cohort:
    """Read a cohort that `save_cohort` wrote.

    Raises:
        RibsightError: the folder is no cohort, a table is missing or has other columns, or a cell
            names no rib.
    """
    try:
        description = tomllib.loads((folder / "cohort.toml").read_text(encoding="utf-8"))
    except OSError as error:
        raise RibsightError(
            f"{folder} is not a cohort: it has no readable cohort.toml; "
            "make one with `ribsight cohort build`"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise RibsightError(f"{folder / 'cohort.toml'} is not valid TOML: {error}") from error
    tables = {name: _read_table(folder / f"{name}.parquet", TABLES[name]) for name in TABLES}
    tables["radiographs"] = _with_columns(tables["radiographs"], HEADER_COLUMNS)
    tables["diagnoses"] = _with_columns(tables["diagnoses"], PLACES)
    check_ribs(tables["diagnoses"], folder / "diagnoses.parquet")
    if (folder / _PAIRS).is_file():
        tables["near_duplicates"] = _read_table(folder / _PAIRS, NEAR_DUPLICATES)
    return Cohort(
        images=Path(description["images"]),
        findings=tuple(description["findings"]),
        provenance=description.get("provenance", {}),
        **tables,
    )


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table as Parquet. Raises OSError if the disk is full."""
    # Polars itself reports a full disk as a defect of the file.
    content = io.BytesIO()
    table.write_parquet(content)
    path.write_bytes(content.getvalue())


def _read_table(path: Path, schema: pl.Schema) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RibsightError(f"cannot read {path}: {error}") from error
    for name, kind in schema.items():
        if table.schema.get(name) != kind:
            raise RibsightError(
                f"{path} has no column '{name}' of type {kind}: it was not written by this version"
            )
    return table


def _with_columns(table: pl.DataFrame, further: pl.Schema) -> pl.DataFrame:
    """Add, as null, the columns that cohorts built by earlier versions lack."""
    missing = {
        name: pl.lit(None, dtype=kind)
        for name, kind in further.items()
        if name not in table.columns
    }
    return table.with_columns(**missing)


def _region(row: dict[str, object]) -> Region:
    polygons = row["polygons"]
    assert isinstance(polygons, list)
    return Region(
        radiograph=str(row["radiograph"]),
        finding=str(row["finding"]),
        polygons=tuple(np.array(one, dtype=np.float64).reshape(-1, 2) for one in polygons),
        is_box=bool(row["is_box"]),
        reader=str(row["reader"]),
        source=str(row["source"]),
    )
