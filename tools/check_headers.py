"""Compare the headers of simulated films with those of real ones; prints a Markdown table.

    python tools/check_headers.py openi_dicom_headers.csv.gz [--drawn 2000] [--seed 0]

The file is the Open-i table of DICOM headers that torchxrayvision ships. Views are drawn in the
proportion in which the table states them.
"""

import argparse
import csv
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ribsight.simulation.paper.header import Header, draw_header
from ribsight.simulation.paper.machines import Spacing, Voi
from ribsight.simulation.truth import View

Row = Mapping[str, str]

MEASURES: dict[str, tuple[Callable[[Row], bool], Callable[[Header], bool]]] = {
    "MONOCHROME1": (
        lambda r: r["Photometric Interpretation"] == "MONOCHROME1",
        lambda h: h.photometric == "MONOCHROME1",
    ),
    "MONOCHROME1 without PresentationLUTShape": (
        lambda r: (
            r["Photometric Interpretation"] == "MONOCHROME1" and not r["Presentation LUT Shape"]
        ),
        lambda h: h.photometric == "MONOCHROME1" and h.presentation_lut_shape is None,
    ),
    "10 bits stored": (lambda r: r["Bits Stored"] == "10", lambda h: h.bits_stored == 10),
    "12 bits stored": (lambda r: r["Bits Stored"] == "12", lambda h: h.bits_stored == 12),
    "15 bits stored": (lambda r: r["Bits Stored"] == "15", lambda h: h.bits_stored == 15),
    "window, no LUT": (
        lambda r: bool(r["Window Center"]) and not r["LUT Descriptor"],
        lambda h: h.voi is Voi.WINDOW,
    ),
    "LUT, no window": (
        lambda r: not r["Window Center"] and bool(r["LUT Descriptor"]),
        lambda h: h.voi is Voi.LUT,
    ),
    "neither window nor LUT": (
        lambda r: not r["Window Center"] and not r["LUT Descriptor"],
        lambda h: h.voi is Voi.NEITHER,
    ),
    "rescale present": (lambda r: bool(r["Rescale Slope"]), lambda h: h.rescale is not None),
    "view not stated": (lambda r: not r["View Position"], lambda h: not h.view_position),
    "PatientOrientation missing": (
        lambda r: not r["Patient Orientation"],
        lambda h: h.patient_orientation is None,
    ),
    "body part missing": (lambda r: not r["Body Part Examined"], lambda h: not h.body_part),
    "BurnedInAnnotation missing": (
        lambda r: not r["Burned In Annotation"],
        lambda h: h.burned_in_annotation is None,
    ),
    "only ImagerPixelSpacing": (
        lambda r: bool(r["Imager Pixel Spacing"]) and not r["Pixel Spacing"],
        lambda h: h.spacing is Spacing.IMAGER,
    ),
}
_VIEWS = (View.PA_ERECT, View.AP_SUPINE, View.LATERAL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("headers", type=Path)
    parser.add_argument("--drawn", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    with gzip.open(wanted.headers, "rt", encoding="utf-8", newline="") as file:
        real = list(csv.DictReader(file))
    random = np.random.default_rng(wanted.seed)
    stated = [row["View Position"] for row in real]
    lateral = sum(one in ("LL", "RL", "LATERAL", "LARGE LATERAL") for one in stated)
    counts = np.array([stated.count("PA"), stated.count("AP"), lateral])
    views = random.choice(len(_VIEWS), wanted.drawn, p=counts / counts.sum())
    drawn = [draw_header(random, _VIEWS[k]) for k in views]
    print(f"| property | Open-i, {len(real):,} images | {len(drawn):,} drawn headers |")
    print("| --- | --- | --- |")
    for name, (of_row, of_header) in MEASURES.items():
        shares = [
            sum(map(of_row, real)) / len(real),
            sum(map(of_header, drawn)) / len(drawn),
        ]
        print(f"| {name} | {shares[0]:.1%} | {shares[1]:.1%} |")


if __name__ == "__main__":
    main()
