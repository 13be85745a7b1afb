"""Read a small film behind every one of many real DICOM headers; prints a Markdown table.

    python tools/check_headers_read.py openi_dicom_headers.csv.gz

The file is the Open-i table of DICOM headers that torchxrayvision ships. Each of its rows becomes a
file with that row's photometric interpretation, windows, table, rescale, bits, view, orientation,
collimator and spacing around a film whose values fill the window or table. Rows that agree in what
decides the reading are counted together. Bone must come out bright: the picture is compared with
the film.
"""

import argparse
import ast
import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from films import content, encoded, lookup_table
from numpy.typing import NDArray
from pydicom import uid

from ribsight.radiographs import UnreadableImageError
from ribsight.radiographs.read import read_content

Row = Mapping[str, str]

ROWS, COLUMNS = 60, 48
TEXT = {
    "Photometric Interpretation": "PhotometricInterpretation",
    "SOP Class UID": "SOPClassUID",
    "Modality": "Modality",
    "Presentation LUT Shape": "PresentationLUTShape",
    "Rescale Slope": "RescaleSlope",
    "Rescale Intercept": "RescaleIntercept",
    "Rescale Type": "RescaleType",
    "Pixel Intensity Relationship": "PixelIntensityRelationship",
    "View Position": "ViewPosition",
    "Patient Orientation": "PatientOrientation",
    "Field of View Horizontal Flip": "FieldOfViewHorizontalFlip",
    "Field of View Rotation": "FieldOfViewRotation",
    "Collimator Shape": "CollimatorShape",
    "Window Center": "WindowCenter",
    "Window Width": "WindowWidth",
    "Window Center & Width Explanation": "WindowCenterWidthExplanation",
    "Pixel Spacing": "PixelSpacing",
    "Imager Pixel Spacing": "ImagerPixelSpacing",
    "Number of Frames": "NumberOfFrames",
    "Body Part Examined": "BodyPartExamined",
}
WHOLE = {
    "Bits Stored": "BitsStored",
    "High Bit": "HighBit",
    "Pixel Representation": "PixelRepresentation",
    "Pixel Intensity Relationship Sign": "PixelIntensityRelationshipSign",
}
EDGES = {"Upper Horizontal": "Rows", "Lower Horizontal": "Rows",
         "Left Vertical": "Columns", "Right Vertical": "Columns"}  # fmt: skip
COLUMNS_OF_TABLE = (
    "photometric", "shape", "bits", "windows", "table", "rescale", "orientation", "images", "read",
    "refused", "window used", "bone bright",
)  # fmt: skip


def listed(value: str) -> list[str]:
    """Return the parts of a value, which the table writes as Python does."""
    return list(map(str, ast.literal_eval(value))) if value.startswith("[") else [value]


def bone() -> NDArray[np.float64]:
    """Return the film: (60, 48) from 0.1 to 0.9, bone bright."""
    film = np.linspace(0.1, 0.6, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    film[20:30, 10:40] = 0.9
    return film


def file_of(row: Row) -> bytes:
    """Return the film as a DICOM file with the row's header."""
    header: dict[str, object] = {}
    for column, keyword in TEXT.items():
        if row[column]:
            parts = listed(row[column])
            header[keyword] = parts if len(parts) > 1 else parts[0]
    header.update({keyword: int(row[column]) for column, keyword in WHOLE.items() if row[column]})
    for edge, side in EDGES.items():
        value = row[f"Collimator {edge} Edge"]
        if value:
            small = {"Rows": ROWS, "Columns": COLUMNS}[side]
            header[f"Collimator{edge.replace(' ', '')}Edge"] = round(
                int(value) * small / int(row[side])
            )
    low, high = 0.0, float((1 << int(row["Bits Stored"])) - 1)
    if row["LUT Descriptor"]:
        length, first, bits = map(int, listed(row["LUT Descriptor"]))
        entries = np.linspace(0, (1 << bits) - 1, length)
        header["VOILUTSequence"] = [lookup_table(first, entries, bits)]
        low, high = first, first + length - 1
    elif row["Window Center"]:
        center, width = (
            float(listed(row["Window Center"])[0]),
            float(listed(row["Window Width"])[0]),
        )
        low, high = center - width / 2, center + width / 2
    shown = 1 - bone() if row["Photometric Interpretation"] == "MONOCHROME1" else bone()
    stored = np.rint(low + shown * (high - low)).astype(np.uint16)
    return content(encoded(stored, uid.ExplicitVRLittleEndian, header))


def combination(row: Row) -> tuple[str, ...]:
    rescale = (
        f"{float(row['Rescale Slope']):g} {row['Rescale Type']}" if row["Rescale Slope"] else ""
    )
    return (
        row["Photometric Interpretation"],
        row["Presentation LUT Shape"],
        row["Bits Stored"],
        str(len(listed(row["Window Center"]))) if row["Window Center"] else "",
        "yes" if row["LUT Descriptor"] else "",
        rescale,
        "\\\\".join(listed(row["Patient Orientation"])) if row["Patient Orientation"] else "",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("headers", type=Path)
    with gzip.open(parser.parse_args().headers, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    read: Counter[tuple[str, ...]] = Counter()
    bright: Counter[tuple[str, ...]] = Counter()
    reasons: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    used: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    warnings: Counter[str] = Counter()
    groups = Counter(map(combination, rows))
    for number, row in enumerate(rows):
        key = combination(row)
        try:
            radiograph = read_content(file_of(row), f"row {number + 2}")
        except UnreadableImageError as error:
            reasons[key][error.reason] += 1
            continue
        read[key] += 1
        warnings.update(radiograph.warnings)
        assert radiograph.provenance is not None
        used[key][re.sub(r" [-\d.e+/]+$", "", radiograph.provenance.window)] += 1
        alike = np.corrcoef(radiograph.unit_pixels().ravel(), bone().ravel())[0, 1]
        bright[key] += bool(alike > 0.99)
    print(f"{len(rows):,} headers, {len(groups)} combinations; {sum(read.values()):,} read, "
          f"{sum(bright.values()):,} with bone bright\n")  # fmt: skip
    print(f"| {' | '.join(COLUMNS_OF_TABLE)} |\n|{' --- |' * len(COLUMNS_OF_TABLE)}")
    for key, count in groups.most_common():
        refused = "; ".join(f"{many} {reason}" for reason, many in reasons[key].items())
        cells = (*key, f"{count:,}", f"{read[key]:,}", refused, ", ".join(used[key]),
                 f"{bright[key]:,}")  # fmt: skip
        print(f"| {' | '.join(cells)} |")
    print("\n| warning | images |\n| --- | --- |")
    for text, count in warnings.most_common():
        print(f"| {text} | {count:,} |")


if __name__ == "__main__":
    main()
