"""How often `ribsight label` is right about a simulated registry; prints a Markdown table.

    python tools/check_labels.py REGISTRY DIAGNOSES

REGISTRY is what `ribsight simulate` wrote, DIAGNOSES what `ribsight label` wrote about it. What is
counted is the state of each film against its truth: an acute or healing fracture in the field.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

from ribsight.findings import DiagnosisState
from ribsight.simulation.truth import FINDINGS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("registry", type=Path)
    parser.add_argument("diagnoses", type=Path)
    wanted = parser.parse_args()
    truth = {row["radiograph"]: row for row in read(wanted.registry / "truth" / "radiographs.csv")}
    labels = read(wanted.diagnoses / "diagnoses.csv")
    print("| finding | labelled | films | of these with a fresh fracture |")
    print("| --- | --- | --- | --- |")
    for finding in FINDINGS:
        counts = Counter((row[finding], truth[row["image"]][finding] == "1") for row in labels)
        for state in DiagnosisState:
            right, others = counts[state, True], counts[state, False]
            print(f"| {finding} | {state} | {right + others} | {right} |")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
