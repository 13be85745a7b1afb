"""A sample of diagnoses for a human to check: stratified, worst agreement first.

`audit.html` shows reports with their evidence marked, so it holds text of reports; `audit.csv`,
where answers go, and `audit.json`, which remembers the strata, do not.
"""

import csv
import hashlib
import heapq
import io
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ribsight.files import write_text
from ribsight.records.collect import read_reports
from ribsight.records.labeller import label_report
from ribsight.records.lexicon import Lexicon
from ribsight.records.mention import Mention
from ribsight.records.outputs import LabelledImage
from ribsight.records.rows import TableFormat

COLUMNS = ("item", "finding", "image", "study", "state", "acuity", "side", "contradictions",
           "evidence", "answer", "answer_acuity", "answer_side", "note")  # fmt: skip
_AGREEMENT = ("contradiction", "plain")
_STATES = ("uncertain", "positive", "negative", "unknown")


@dataclass(frozen=True, slots=True)
class Stratum:
    """Studies of one finding that were labelled alike."""

    finding: str
    state: str
    agreement: str

    @property
    def badness(self) -> tuple[int, int, str]:
        """Order of strata: contradictions first, then doubt."""
        return _AGREEMENT.index(self.agreement), _STATES.index(self.state), self.finding


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One (study, finding) to check."""

    item: int
    stratum: Stratum
    image: str
    study: str
    acuity: str
    side: str
    contradictions: str
    evidence: str
    report_rows: tuple[int, ...]


class AuditSample:
    """Draws at most `size` studies from all strata alike, whatever the order they come in.

    Args:
        size: how many to draw.
        seed: another seed draws others.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self._size, self._seed = size, seed
        self.sizes: Counter[Stratum] = Counter()
        self._kept: defaultdict[Stratum, list[tuple[int, str, LabelledImage]]] = defaultdict(list)
        self._unit = ""

    def hear(self, image: LabelledImage) -> None:
        """Consider an image; of a study's images, which come together, only the first."""
        if image.unit == self._unit:
            return
        self._unit = image.unit
        for finding, diagnosis in image.diagnoses.items():
            agreement = _AGREEMENT[0 if diagnosis.contradictions else 1]
            stratum = Stratum(finding, str(diagnosis.state), agreement)
            self.sizes[stratum] += 1
            key = f"{self._seed}:{finding}:{image.unit}".encode()
            rank = -int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
            kept = self._kept[stratum]
            if len(kept) < self._size:
                heapq.heappush(kept, (rank, image.unit, image))
            elif rank > kept[0][0]:
                heapq.heapreplace(kept, (rank, image.unit, image))

    def items(self) -> list[AuditItem]:
        """Return the drawn items, worst agreement first: of each stratum the same number."""
        drawn = self._allotted()
        chosen = [
            (stratum, image)
            for stratum in sorted(self._kept, key=lambda one: one.badness)
            for _, _, image in sorted(self._kept[stratum], reverse=True)[: drawn[stratum]]
        ]
        return [
            _item(number, stratum, image) for number, (stratum, image) in enumerate(chosen, start=1)
        ]

    def _allotted(self) -> Counter[Stratum]:
        allotted: Counter[Stratum] = Counter()
        while allotted.total() < self._size:
            open_ = [one for one in self._kept if allotted[one] < len(self._kept[one])]
            if not open_:
                break
            for stratum in sorted(open_, key=lambda one: one.badness):
                if allotted.total() < self._size:
                    allotted[stratum] += 1
        return allotted


def _item(number: int, stratum: Stratum, image: LabelledImage) -> AuditItem:
    diagnosis = image.diagnoses[stratum.finding]
    return AuditItem(
        item=number,
        stratum=stratum,
        image=image.image,
        study=image.study,
        acuity=str(diagnosis.acuity),
        side=str(diagnosis.side),
        contradictions=", ".join(diagnosis.contradictions),
        evidence="; ".join(diagnosis.evidence),
        report_rows=image.report_rows,
    )


def write_audit(
    sample: AuditSample, reports: Path | None, lexicon: Lexicon, form: TableFormat, out: Path
) -> int:
    """Write `audit.html`, `audit.csv` and `audit.json`; return the number of items.

    Raises:
        RibsightError: the reports cannot be read again, or the folder cannot be written to.
    """
    items = sample.items()
    wanted = {row for item in items for row in item.report_rows}
    texts = {}
    if reports is not None and wanted:
        texts = {
            row.number: parts for row, parts in read_reports(reports, form) if row.number in wanted
        }
    write_text(out / "audit.csv", _csv(items))
    strata = [{**asdict(one), "size": size} for one, size in sorted(
        sample.sizes.items(), key=lambda pair: pair[0].badness
    )]  # fmt: skip
    known = [{"item": one.item, **asdict(one.stratum), "acuity": one.acuity, "side": one.side}
             for one in items]  # fmt: skip
    write_text(out / "audit.json", json.dumps({"strata": strata, "items": known}, indent=1))
    write_text(out / "audit.html", _page(items, texts, lexicon))
    return len(items)


def _csv(items: Sequence[AuditItem]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in items:
        writer.writerow(
            [one.item, one.stratum.finding, one.image, one.study, one.stratum.state, one.acuity,
             one.side, one.contradictions, one.evidence, "", "", "", ""]
        )  # fmt: skip
    return text.getvalue()


def _page(items: Sequence[AuditItem], texts: dict[int, dict[str, str]], lexicon: Lexicon) -> str:
    source = files(__package__).joinpath("audit.html").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    shown = [
        {
            "item": one,
            "reports": [
                {"name": name, "pieces": marked(text, name, lexicon)}
                for row in one.report_rows
                for name, text in texts.get(row, {}).items()
            ],
        }
        for one in items
    ]
    return template.render(items=shown, columns=COLUMNS)


def marked(text: str, section: str, lexicon: Lexicon) -> list[dict[str, Any]]:
    """Return a text in pieces, those that are evidence with the mention they are evidence of."""
    pieces: list[dict[str, Any]] = []
    position = 0
    for mention in _apart(label_report(text, lexicon, section=section)):
        start, end = mention.evidence.start, mention.evidence.end
        pieces.append({"text": text[position:start], "mention": None})
        pieces.append({"text": text[start:end], "mention": mention})
        position = end
    pieces.append({"text": text[position:], "mention": None})
    return [one for one in pieces if one["text"]]


def _apart(mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions whose evidence does not overlap that of an earlier one."""
    kept: list[Mention] = []
    for one in sorted(mentions, key=lambda each: (each.evidence.start, each.evidence.end)):
        if not kept or one.evidence.start >= kept[-1].evidence.end:
            kept.append(one)
    return kept
