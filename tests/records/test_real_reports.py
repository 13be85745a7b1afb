"""The labeller on real reports, against codings made by others. Skipped without them."""

import ast
import csv
import gzip
import os
from pathlib import Path

import pytest

from ribsight.records import label_report, read_lexicon


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of real reports, or a skip."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    found = Path(os.environ.get("RIBSIGHT_DATA", beside)) / "records"
    if not (found / "openi_reports.csv").is_file():
        pytest.skip(f"no reports at {found}; set RIBSIGHT_DATA to the folder that holds records/")
    return found


def precision_and_recall(truth: list[bool], said: list[bool]) -> tuple[float, float]:
    both = sum(t and s for t, s in zip(truth, said, strict=True))
    return both / sum(said), both / sum(truth)


def test_open_i_against_its_mesh_headings(folder: Path) -> None:
    lexicon = read_lexicon("en")
    truth, said = [], []
    with (folder / "openi_reports.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            headings = [one.lower().split("/") for one in row["mesh_major"].split(";")]
            truth.append(
                any(
                    one[0].strip() == "fractures, bone" and {"ribs", "clavicle"} & set(one)
                    for one in headings
                )
            )
            mentions = [
                one
                for name in ("findings", "impression")
                for one in label_report(row[name], lexicon, section=name)
            ]
            said.append(any(o.is_believed and o.site in ("rib", "clavicle") for o in mentions))
    precision, recall = precision_and_recall(truth, said)
    assert precision >= 0.95
    assert recall >= 0.93


def test_padchest_against_its_physicians(folder: Path) -> None:
    lexicon = read_lexicon("es")
    path = folder / "padchest_reports_es.csv.gz"
    truth, said = [], []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["MethodLabel"] != "Physician":
                continue
            labels = {one.strip() for one in ast.literal_eval(row["Labels"])}
            truth.append(bool(labels & {"rib fracture", "callus rib fracture"}))
            mentions = label_report(row["Report"], lexicon)
            said.append(any(one.is_believed and one.site == "rib" for one in mentions))
    precision, recall = precision_and_recall(truth, said)
    assert precision >= 0.97
    assert recall >= 0.96
