"""Count what real headers say their images are; prints Markdown tables.

    python tools/check_eligibility.py openi_dicom_headers.csv.gz [padchest_reports_es.csv.gz]

The first is the Open-i table of DICOM headers that torchxrayvision ships: chest films, from the
front and from the side. The rules were made looking at the studies of half 0. Of the second, the
table of PadChest's reports in the same package, the column Projection is taken as ViewPosition.
"""

import argparse
import csv
import gzip
import hashlib
import warnings
from ast import literal_eval
from collections import Counter
from pathlib import Path

from pydicom.dataset import Dataset

from ribsight.radiographs.eligibility import Eligibility, eligibility
from ribsight.radiographs.image_header import read_image_header

COLUMNS = {
    "SOP Class UID": "SOPClassUID",
    "Modality": "Modality",
    "Image Type": "ImageType",
    "Conversion Type": "ConversionType",
    "Body Part Examined": "BodyPartExamined",
    "View Position": "ViewPosition",
    "Patient Orientation": "PatientOrientation",
    "Postprocessing Function": "PostprocessingFunction",
    "Quality Control Image": "QualityControlImage",
}
# The table flattens sequences; these meanings are not those of a procedure.
NO_PROCEDURE = frozenset({"", "head-first", "CHEST"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("openi", type=Path)
    parser.add_argument("padchest", type=Path, nargs="?")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of pydicom: values are not what they ought to be
    counts = count_openi(options.openi)
    print("| Open-i: kind | eligible | half 0 | half 1 | reason |\n| --- | --- | --- | --- | --- |")
    for found in sorted({one for _, one in counts}, key=lambda one: (one.kind, one.reason)):
        halves = " | ".join(str(counts[half, found]) for half in (0, 1))
        eligible = "yes" if found.eligible else "no"
        print(f"| `{found.kind}` | {eligible} | {halves} | {found.reason} |")
    if options.padchest:
        print("\n| PadChest: projection | images | kind |\n| --- | --- | --- |")
        for (projection, kind), count in count_padchest(options.padchest).most_common():
            print(f"| {projection} | {count} | `{kind}` |")


def count_openi(file: Path) -> Counter[tuple[int, Eligibility]]:
    """Return how many images of each half of the studies get which verdict."""
    rows: Counter[tuple[int, tuple[str, ...]]] = Counter()
    with gzip.open(file, "rt") as stream:
        for row in csv.DictReader(stream):
            half = hashlib.sha256(row["Study Instance UID"].encode()).digest()[-1] % 2
            rows[half, tuple(row[one] for one in (*COLUMNS, "Code Meaning"))] += 1
    counts: Counter[tuple[int, Eligibility]] = Counter()
    for (half, values), count in rows.items():
        counts[half, openi_verdict(values)] += count
    return counts


def openi_verdict(values: tuple[str, ...]) -> Eligibility:
    """Return the verdict on the values of `COLUMNS` and a code's meaning."""
    dataset = Dataset()
    for keyword, value in zip(COLUMNS.values(), values[:-1], strict=True):
        if value:
            setattr(dataset, keyword, literal_eval(value) if value.startswith("[") else value)
    if values[-1] not in NO_PROCEDURE:
        procedure = Dataset()
        procedure.CodeMeaning = values[-1]
        dataset.ProcedureCodeSequence = [procedure]
    return eligibility(read_image_header(dataset))


def count_padchest(file: Path) -> Counter[tuple[str, str]]:
    """Return how many images of each projection become which kind."""
    with gzip.open(file, "rt") as stream:
        projections = Counter(row["Projection"] for row in csv.DictReader(stream))
    counts: Counter[tuple[str, str]] = Counter()
    for projection, count in projections.items():
        dataset = Dataset()
        dataset.Modality, dataset.BodyPartExamined = "CR", "CHEST"
        dataset.ViewPosition = projection
        counts[projection, eligibility(read_image_header(dataset)).kind] += count
    return counts


if __name__ == "__main__":
    main()
