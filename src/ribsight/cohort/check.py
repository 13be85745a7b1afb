"""What is wrong with a cohort, where, and what to do about it."""

from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from ribsight.cohort.images import WARNING_SEPARATOR, Truncated
from ribsight.cohort.leakage import leakage
from ribsight.cohort.problem import Problem, listed
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.findings import DiagnosisState, Split
from ribsight.radiographs.image_file import FILLED, TRUNCATED, TRUNCATED_ALL_ROWS

OUTSIDE_TOLERANCE = 1.0
"""Stored pixels a region may reach over the image's edge: annotation tools round."""


def check_cohort(cohort: Cohort, *, files: bool = False) -> list[Problem]:
    """Return all problems, errors first.

    Args:
        cohort: what to check.
        files: also read every image file and compare it with its recorded SHA-256.
    """
    problems = [
        *_duplicate_ids(cohort),
        *_duplicate_diagnoses(cohort),
        *_unknown_references(cohort),
        *_in_two_splits(cohort, "patient"),
        *_in_two_splits(cohort, "group"),
        *_same_pixels(cohort),
        *leakage(cohort),
        *_outside(cohort),
        *_region_on_negative(cohort),
        *_incomplete_images(cohort),
        *_notes(cohort),
        *_unlocated_positives(cohort),
        *(_changed_files(cohort) if files else ()),
    ]
    return sorted(problems, key=lambda one: one.severity)


def require_sound(cohort: Cohort) -> None:
    """Refuse a cohort with an error.

    Raises:
        RibsightError: the first error, and how many there are.
    """
    errors = [one for one in check_cohort(cohort) if one.severity == "error"]
    if errors:
        first = errors[0]
        more = f" (the first of {len(errors)} errors)" if len(errors) > 1 else ""
        raise RibsightError(
            f"the cohort is not sound: {first.kind}: {first.where}: {first.what}; {first.do}"
            f"{more}; `ribsight cohort check` lists all"
        )


def _duplicate_ids(cohort: Cohort) -> Iterator[Problem]:
    for id_, files in _repeated(cohort.radiographs, ["radiograph"], "file"):
        yield Problem(
            "duplicate id", "error", id_, f"is the id of {files}", "rename one file and build again"
        )


def _duplicate_diagnoses(cohort: Cohort) -> Iterator[Problem]:
    for key, evidence in _repeated(cohort.diagnoses, ["radiograph", "finding"], "evidence"):
        yield Problem(
            "duplicate diagnosis", "error", key, f"has more than one: {evidence}", "keep one row"
        )


def _repeated(table: pl.DataFrame, keys: list[str], listed: str) -> Iterator[tuple[str, str]]:
    groups = table.group_by(keys, maintain_order=True).agg(pl.len(), pl.col(listed))
    for *key, _, values in groups.filter(pl.col("len") > 1).rows():
        yield ", ".join(key), " and ".join(values)


def _unknown_references(cohort: Cohort) -> Iterator[Problem]:
    ids, findings = set(cohort.ids), set(cohort.findings)
    tables = (("diagnosis", cohort.diagnoses, "evidence"), ("region", cohort.regions, "source"))
    for name, table, origin in tables:
        for id_, finding, where in table.select("radiograph", "finding", origin).rows():
            if id_ not in ids:
                what = f"is about {id_}, which the cohort does not hold"
                yield Problem(f"{name} of nothing", "error", where, what, "remove the row")
            elif finding not in findings:
                what = f"is about {finding}, which is no finding of the cohort"
                yield Problem(f"{name} of nothing", "error", where, what, "remove the row")


def _in_two_splits(cohort: Cohort, column: str) -> Iterator[Problem]:
    known = cohort.radiographs.filter(pl.col(column).is_not_null() & pl.col("split").is_not_null())
    for value, splits, ids in _by_split(known, column).rows():
        if len(splits) > 1:
            yield Problem(
                f"{column} in two splits",
                "error",
                f"{column} {value}",
                f"is in {' and '.join(splits)} ({listed(ids)})",
                f"split again with `--group {column}`"
                if column == "patient"
                else "run `ribsight cohort split` again",
            )


def _same_pixels(cohort: Cohort) -> Iterator[Problem]:
    for _, splits, ids in _by_split(cohort.radiographs, "pixels_sha256").rows():
        if len(splits) > 1:
            yield Problem(
                "same pixels in two splits",
                "error",
                listed(ids),
                f"are one picture, in {' and '.join(splits)}",
                "run `ribsight cohort split` again, which keeps them together",
            )
        elif len(ids) > 1:
            where = f" in {splits[0]}" if splits else ""
            yield Problem(
                "same pixels twice",
                "warning",
                listed(ids),
                f"are one picture{where}",
                "it counts as often as it is there; remove all but one file if that is not meant",
            )


def _by_split(radiographs: pl.DataFrame, column: str) -> pl.DataFrame:
    return radiographs.group_by(column, maintain_order=True).agg(
        pl.col("split").drop_nulls().unique(maintain_order=True), pl.col("radiograph")
    )


def _outside(cohort: Cohort) -> Iterator[Problem]:
    sizes = {id_: (w, h) for id_, w, h in _columns(cohort, "radiograph", "width", "height")}
    for id_, polygons, source in cohort.regions.select("radiograph", "polygons", "source").rows():
        if id_ not in sizes:
            continue
        width, height = sizes[id_]
        x = [value for polygon in polygons for value in polygon[0::2]]
        y = [value for polygon in polygons for value in polygon[1::2]]
        over = max(-min(x), -min(y), max(x) - width, max(y) - height)
        if over > OUTSIDE_TOLERANCE:
            yield Problem(
                "region outside its image",
                "error",
                source,
                f"reaches {over:.1f} pixels over the edge of {id_} ({width} x {height})",
                "correct or remove the annotation and build again",
            )


def _columns(cohort: Cohort, *names: str) -> list[tuple[str, int, int]]:
    rows: list[tuple[str, int, int]] = cohort.radiographs.select(names).rows()
    return rows


def _region_on_negative(cohort: Cohort) -> Iterator[Problem]:
    keys = ["radiograph", "finding"]
    negative = cohort.diagnoses.filter(pl.col("state") == DiagnosisState.NEGATIVE)
    both = cohort.regions.join(negative, on=keys, maintain_order="left")
    for id_, finding, source, evidence in both.select(*keys, "source", "evidence").rows():
        yield Problem(
            "region on a negative",
            "error",
            source,
            f"draws {finding} on {id_}, which {evidence} calls negative",
            "correct one of them, or build with `--drawn-negative positive` or "
            "`--drawn-negative leave-out`",
        )


def _incomplete_images(cohort: Cohort) -> Iterator[Problem]:
    accepted = cohort.provenance.get("truncated") == Truncated.USE
    for file, warnings in cohort.radiographs.select("file", "warnings").rows():
        for warning in warnings.split(WARNING_SEPARATOR):
            what = warning.partition(": ")[2]
            if warning == TRUNCATED_ALL_ROWS or (warning.startswith(TRUNCATED) and accepted):
                yield Problem(
                    "truncated image", "warning", file, what, "its pixels are used as they are"
                )
            elif warning.startswith(TRUNCATED):
                yield Problem(
                    "truncated image",
                    "error",
                    file,
                    what,
                    "get the file again, or build with `--truncated use` or "
                    "`--truncated leave-out`",
                )
            elif warning.startswith(FILLED):
                yield Problem(
                    "filled rows", "warning", file, what, "its pixels are used as they are"
                )


def _notes(cohort: Cohort) -> Iterator[Problem]:
    """List what else was noticed while reading, once for all files that share it."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for file, warnings in cohort.radiographs.select("file", "warnings").rows():
        for warning in filter(None, warnings.split(WARNING_SEPARATOR)):
            if not warning.startswith((TRUNCATED, FILLED)):
                files[warning].append(file)
    for warning, named in sorted(files.items()):
        yield Problem(
            "noticed while reading",
            "warning",
            listed(named),
            warning,
            "look whether that is meant",
        )


def _unlocated_positives(cohort: Cohort) -> Iterator[Problem]:
    keys = ["radiograph", "finding"]
    positives = cohort.diagnoses.filter(pl.col("state") == DiagnosisState.POSITIVE)
    unlocated = positives.join(cohort.regions, on=keys, how="anti").join(
        cohort.radiographs.select("radiograph", "split"), on="radiograph"
    )
    for finding in cohort.findings:
        for split in (Split.VAL, Split.TEST):
            here = (pl.col("finding") == finding) & (pl.col("split") == split)
            ids = unlocated.filter(here)["radiograph"].to_list()
            if ids:
                yield Problem(
                    "positive without a region",
                    "warning",
                    f"{len(ids)} in {split}: {listed(ids)}",
                    f"{finding} is positive but nothing is drawn",
                    "they count for the image score, and cannot be scored for location",
                )


def _changed_files(cohort: Cohort) -> Iterator[Problem]:
    if not cohort.images.is_dir():
        yield Problem(
            "missing folder",
            "error",
            str(cohort.images),
            "the folder of all images is not there",
            "put it back, or say as `images` in cohort.toml where it is now",
        )
        return
    for file, sha256 in cohort.radiographs.select("file", "sha256").rows():
        path = cohort.images / file
        try:
            same = file_sha256(path) == sha256
        except OSError as error:
            yield Problem("missing file", "error", str(path), str(error.strerror), "put it back")
            continue
        if not same:
            what = "is not the file the cohort was built from"
            yield Problem("changed file", "error", str(path), what, "build the cohort again")
