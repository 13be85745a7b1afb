"""Codes and reports of an archive -> one diagnosis per (image, finding), in a folder.

The folder holds `diagnoses.csv` and `columns.toml`, which `ribsight cohort build` takes, and
tables that say where every diagnosis came from. No file of it holds text of a report.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import tomli_w

from ribsight.errors import RibsightError
from ribsight.files import atomic_path, write_text
from ribsight.findings import Acuity, Side, read_ribs
from ribsight.records.codes import CodeCertainty, CodingSystem
from ribsight.records.collect import (
    CODES,
    MENTIONS,
    CodeBook,
    Progress,
    collect_codes,
    collect_images,
    collect_reports,
    paths_of,
    reports_schema,
)
from ribsight.records.fusion import CodeFact, Diagnosis, ReportFact, fuse
from ribsight.records.lexicon import Lexicon
from ribsight.records.linking import chunks, linked, sorted_images, unlinked, with_link
from ribsight.records.outputs import (
    LabelledImage,
    Listener,
    columns,
    write_codes,
    write_diagnoses,
)
from ribsight.records.policy import CodeSignal, FusionPolicy, ReportSignal
from ribsight.records.reading import code_signal
from ribsight.records.rows import TableFormat
from ribsight.records.summary import Summary, as_json

FILES = ("diagnoses.csv", "columns.toml", "contradictions.csv", "codes.csv", "unlinked.csv",
         "mentions.parquet", "policy.toml", "summary.json")  # fmt: skip


@dataclass(frozen=True)
class Sources:
    """A user's tables. Codes or reports may be missing, not both."""

    images: Path
    codes: Path | None = None
    reports: Path | None = None
    coding_system: CodingSystem | None = None
    form: TableFormat = field(default_factory=TableFormat)


@dataclass(frozen=True)
class _Tables:
    """What was collected, ready to be linked."""

    images: pl.DataFrame
    codes: pl.LazyFrame
    reports: pl.LazyFrame
    book: CodeBook


def label_records(
    sources: Sources,
    lexicon: Lexicon,
    policy: FusionPolicy,
    out: Path,
    *,
    progress: Progress = lambda _: None,
    listener: Listener | None = None,
) -> Summary:
    """Read codes and reports, fuse them, and write the folder of diagnoses.

    Memory is bounded by the number of images and patients, not by the records.

    Args:
        sources: the tables.
        lexicon: of the reports' language.
        policy: of fusion.
        out: folder; its files are written whole or not at all.
        progress: is told each step.
        listener: is given every labelled image, in the order of `diagnoses.csv`.

    Raises:
        RibsightError: an unusable table, or neither codes nor reports.
    """
    if sources.codes is None and sources.reports is None:
        raise RibsightError("give --codes, --reports or both: without, nothing can be labelled")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".collected-") as name:
        folder = Path(name)
        tables, mentions = _collect(sources, lexicon, policy, folder, progress)
        summary = _summary(sources, tables)
        progress("fusing")
        write_diagnoses(_labelled(tables, sources, policy), policy, out, summary, listener)
        write_codes(tables.book, out / "codes.csv")
        _write_unlinked(tables, sources, policy, out / "unlinked.csv", summary)
        with atomic_path(out / "mentions.parquet") as path:
            pl.scan_parquet(paths_of(mentions)).sink_parquet(path)
    write_text(out / "columns.toml", tomli_w.dumps(columns(policy)))
    write_text(out / "policy.toml", tomli_w.dumps(policy.model_dump()))
    write_text(out / "summary.json", json.dumps(as_json(summary), indent=2) + "\n")
    return summary


def _collect(
    sources: Sources, lexicon: Lexicon, policy: FusionPolicy, folder: Path, progress: Progress
) -> tuple[_Tables, Path]:
    progress("reading images")
    images = sorted_images(collect_images(sources.images, sources.form, folder), sources.images)
    book = CodeBook()
    codes = pl.LazyFrame(schema=CODES)
    if sources.codes is not None:
        progress("reading codes")
        pattern, book = collect_codes(sources.codes, sources.coding_system, sources.form, folder)
        codes = pl.scan_parquet(paths_of(pattern))
    reports = pl.LazyFrame(schema=reports_schema(policy))
    mentions = folder / "mentions-*.parquet"
    if sources.reports is not None:
        progress("labelling reports")
        pattern, mentions = collect_reports(sources.reports, lexicon, policy, sources.form, folder)
        reports = pl.scan_parquet(paths_of(pattern))
    else:
        pl.DataFrame(schema=MENTIONS).write_parquet(folder / "mentions-0.parquet")
    progress("linking")
    known = images.collect(engine="streaming")
    for name, table in (("codes", codes), ("reports", reports)):
        with_link(table, known.lazy()).sink_parquet(folder / f"linked-{name}.parquet")
    return _Tables(
        images=known,
        codes=pl.scan_parquet(folder / "linked-codes.parquet"),
        reports=pl.scan_parquet(folder / "linked-reports.parquet"),
        book=book,
    ), mentions


def _summary(sources: Sources, tables: _Tables) -> Summary:
    summary = Summary(images=tables.images.height)
    summary.rows["images"] = tables.images.height
    for name, table in (("codes", tables.codes), ("reports", tables.reports)):
        if getattr(sources, name) is not None:
            summary.rows[name] = table.select(pl.len()).collect().item()
    for place, meaning in enumerate(tables.book.meanings):
        count = tables.book.counts[place]
        if meaning.certainty is CodeCertainty.UNKNOWN:
            summary.unknown_codes[tables.book.written[place]] += count
        elif meaning.certainty is CodeCertainty.OTHER:
            summary.other_codes += count
    return summary


def _labelled(tables: _Tables, sources: Sources, policy: FusionPolicy) -> Iterator[LabelledImage]:
    fuser = _Fuser(_CodeFacts(tables.book, sources, policy), sources, policy)
    lateral = {one.lower() for one in policy.lateral_views}
    tells_lateral = policy.lateral_positive != "positive"
    for chunk in chunks(tables.images):
        codes: defaultdict[int, list[_FoundCode]] = defaultdict(list)
        found = linked(tables.codes, chunk, policy, late=True)
        for index, code, row, late in found.select("index", "code", "row", "late").iter_rows():
            codes[index].append((code, row, late))
        reports: defaultdict[int, list[_FoundReport]] = defaultdict(list)
        found = linked(tables.reports, chunk, policy, late=False)
        for index, *said in found.select(
            "index", "row", "link", "ct", *policy.findings
        ).iter_rows():
            reports[index].append(tuple(said))
        for image in chunk.iter_rows(named=True):
            index = image["index"]
            heard = _of_this_study(reports.get(index, []))
            is_lateral = tells_lateral and image["view"].lower() in lateral
            yield LabelledImage(
                image=image["image"],
                unit=image["unit"],
                patient=image["patient"] or "",
                study=image["study"] or image["accession"] or "",
                year="" if image["day"] is None else str(date.fromordinal(image["day"]).year),
                diagnoses=fuser.diagnoses(codes.get(index, []), heard, is_lateral=is_lateral),
                report_rows=tuple(int(str(said[0])) for said in heard),
            )


_FoundCode = tuple[int, int, bool]
"""Of a linked code: its place in the book, its row, whether it is late."""
_FoundReport = tuple[object, ...]
"""Of a linked report: its row, link, whether it is of tomography, and its readings."""


class _Fuser:
    """Fuses what was linked to an image; the images of one study, which come together, once."""

    def __init__(self, facts: "_CodeFacts", sources: Sources, policy: FusionPolicy) -> None:
        self._facts, self._sources, self._policy = facts, sources, policy
        self._last: tuple[list[_FoundCode], list[_FoundReport], bool] | None = None
        self._diagnoses: dict[str, Diagnosis] = {}

    def diagnoses(
        self, codes: list[_FoundCode], reports: list[_FoundReport], *, is_lateral: bool
    ) -> dict[str, Diagnosis]:
        """Return the diagnosis of each finding."""
        if self._last != (codes, reports, is_lateral):
            self._last = (codes, reports, is_lateral)
            self._diagnoses = {
                finding: fuse(
                    self._facts.of(codes, finding),
                    [_report_fact(said, place, self._sources) for said in reports],
                    self._policy,
                    has_codes=bool(codes),
                    is_lateral=is_lateral,
                )
                for place, finding in enumerate(self._policy.findings)
            }
        return self._diagnoses


def _of_this_study(reports: list[_FoundReport]) -> list[_FoundReport]:
    """Return the reports to hear: those of other films only if this one has none."""
    has_own = any(link is not None and not is_ct for _, link, is_ct, *_ in reports)
    return [one for one in reports if one[1] is not None or one[2] or not has_own]


def _report_fact(said: _FoundReport, place: int, sources: Sources) -> ReportFact:
    row, _, is_ct, *readings = said
    packed = str(readings[place] or "")
    if not packed:
        assert sources.reports is not None
        evidence = f"{sources.reports.name} row {row}"
        return ReportFact(ReportSignal.SILENT, Acuity.UNKNOWN, Side.UNKNOWN, evidence, bool(is_ct))
    signal, acuity, side, ribs, contradicts, evidence = packed.split("|", 5)
    return ReportFact(
        ReportSignal(signal),
        Acuity(acuity),
        Side(side),
        evidence,
        bool(is_ct),
        bool(contradicts),
        read_ribs(ribs),
    )


class _CodeFacts:
    """What each distinct code says of each finding, worked out once."""

    def __init__(self, book: CodeBook, sources: Sources, policy: FusionPolicy) -> None:
        self._file = "" if sources.codes is None else sources.codes.name
        self._meanings = book.meanings
        self._about = {
            finding: [
                code_signal(one) if set(one.sites) & set(sites) else CodeSignal.NONE
                for one in book.meanings
            ]
            for finding, sites in policy.findings.items()
        }

    def of(self, found: list[_FoundCode], finding: str) -> list[CodeFact]:
        """Return the facts of an image's codes (place, row, is late) that are about a finding."""
        about = self._about[finding]
        return [
            CodeFact(
                about[code],
                self._meanings[code].acuity,
                self._meanings[code].side,
                f"{self._file} row {row}, {self._meanings[code].code}",
                late,
            )
            for code, row, late in found
            if about[code] is not CodeSignal.NONE
        ]


def _write_unlinked(
    tables: _Tables, sources: Sources, policy: FusionPolicy, path: Path, summary: Summary
) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write("file,row,reason\n")
        for name, table in (("codes", tables.codes), ("reports", tables.reports)):
            source = getattr(sources, name)
            if source is None:
                continue
            missing = unlinked(table, tables.images.lazy(), policy).collect(engine="streaming")
            summary.unlinked[name] = missing.height
            for row, reason in missing.iter_rows():
                stream.write(f"{source.name},{row},{reason}\n")
