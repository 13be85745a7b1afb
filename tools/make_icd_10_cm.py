"""Write the table of ICD-10-CM codes once; what `ribsight` reads is the table, not this.

    pip install simple-icd-10-cm && python tools/make_icd_10_cm.py > icd-10-cm.csv

The attributes are read from the official long title of each billable code, so a code is in the
table with what its title says or not at all. Categories above them (`S22.41` without the seventh
character) stand in the table with what all their codes share: exports often cut codes short.
"""

import csv
import importlib.metadata
import re
import sys

import simple_icd_10_cm as icd

FIELDS = ("code", "title", "sites", "certainty", "phase", "side", "count", "open", "part",
          "displacement", "cause", "source")  # fmt: skip
DEFINITE = ("S22.3", "S22.4", "S22.5", "S42.0", "M96.A2", "M96.A3", "M96.A4", "P13.4")
WEAK = {
    "rib": ("S22.9", "M84.38", "M84.48", "M84.58", "M84.68", "M80.0A", "M80.8A", "M95.4", "P13.8"),
    "clavicle": ("S42.9", "M84.31", "M84.41", "M84.51", "M84.61", "M80.01", "M80.81"),
    "rib clavicle": ("Z87.81", "Z87.310", "Z87.311", "Z87.312", "Z47.89", "Z09", "M96.A9",
                     "M84.30", "M84.40", "M84.50", "M84.60", "M80.00", "M80.80", "P13.9"),
}  # fmt: skip
NOT = ("M96.A1", "Q76.6", "Z04.1", "Z04.2", "Z04.3")
SOURCE = f"simple-icd-10-cm {importlib.metadata.version('simple-icd-10-cm')}"


def phase(code: str, title: str) -> str:
    if code.startswith("Z87"):
        return "history"
    if code.startswith(("Z47", "Z09")):
        return "aftercare"
    if code.startswith("M95.4"):
        return "sequela"
    if "sequela" in title:
        return "sequela"
    if "subsequent encounter" in title:
        return "subsequent"
    return "initial" if "initial encounter" in title else "current"


def count(title: str) -> str:
    if "one rib" in title:
        return "1"
    return "2+" if "multiple fractures of ribs" in title.lower() else ""


def side(title: str) -> str:
    words = title.lower()
    if "bilateral" in words:
        return "both"
    for one in ("right", "left"):
        if re.search(rf"\b{one}\b", words):
            return one
    return ""


def part(title: str) -> str:
    for words, name in (("sternal end", "sternal"), ("shaft", "shaft"), ("lateral end", "lateral")):
        if words in title:
            return name
    return ""


def displacement(title: str) -> str:
    if "ondisplaced" in title:
        return "nondisplaced"
    return "displaced" if "isplaced" in title else ""


def cause(code: str) -> str:
    for prefixes, name in (
        (("M96.A",), "resuscitation"),
        (("P13",), "birth"),
        (("M84.3",), "stress"),
        (("M84", "M80"), "pathological"),
        (("S",), "trauma"),
    ):
        if code.startswith(prefixes):
            return name
    return ""


def opened(title: str) -> str:
    if "open fracture" in title:
        return "open"
    return "closed" if "closed fracture" in title else ""


def sites_of(code: str) -> tuple[str, str]:
    if code.startswith(NOT):
        return "", "not"
    if code.startswith(DEFINITE):
        return ("clavicle" if code.startswith(("S42", "P13")) else "rib"), "definite"
    for sites, prefixes in WEAK.items():
        if code.startswith(prefixes):
            return sites, "weak"
    raise ValueError(code)


def row(code: str) -> dict[str, str]:
    title = icd.get_full_data(code) and icd.get_description(code)
    sites, certainty = sites_of(code)
    return dict(
        zip(
            FIELDS,
            (code, title, sites, certainty, phase(code, title), side(title), count(title),
             opened(title), part(title), displacement(title), cause(code), SOURCE),
            strict=True,
        )
    )  # fmt: skip


def header_rows(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the categories above the codes, each with what its codes share."""
    known = {one["code"] for one in rows}
    prefixes = (*DEFINITE, *NOT, *(one for group in WEAK.values() for one in group))
    headers = []
    for length in (5, 6, 7):
        for code in sorted({one["code"][:length] for one in rows} - known):
            below = [one for one in rows if one["code"].startswith(code)]
            if not code.startswith(prefixes) or code.endswith("."):
                continue
            shared = {
                field: below[0][field] if len({one[field] for one in below}) == 1 else ""
                for field in FIELDS
            }
            bare = code.rstrip("X")
            title = icd.get_description(bare) if icd.is_valid_item(bare) else below[0]["title"]
            phase_ = "history" if shared["phase"] == "history" else "unspecified"
            headers.append(
                {**shared, "code": code, "title": f"{title} (cut short)", "phase": phase_,
                 "source": f"{SOURCE}, category"}
            )  # fmt: skip
            known.add(code)
    return headers


def main() -> None:
    prefixes = (*DEFINITE, *NOT, *(one for group in WEAK.values() for one in group))
    codes = [one for one in icd.get_all_codes(with_dots=True) if icd.is_leaf(one)]
    rows = [row(one) for one in codes if one.startswith(prefixes)]
    writer = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows + header_rows(rows), key=lambda one: one["code"]))


if __name__ == "__main__":
    main()
