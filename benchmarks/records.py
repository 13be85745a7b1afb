"""How good and how fast `ribsight.records` is, beside other labellers, on real reports.

    python benchmarks/records.py accuracy DATA [--other medspacy=PYTHON --other negspacy=PYTHON]
    python benchmarks/records.py fusion [--rows 1000000]

DATA is the folder with `openi_reports.csv` and `padchest_reports_es.csv.gz`. PYTHON is the
interpreter of an environment with that package; the two cannot share one. Halves are drawn by a
hash of the report's id: rules were chosen on the first, the second was looked at afterwards.
"""

import argparse
import ast
import csv
import gzip
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SITES = {"ribs": "rib", "clavicle": "clavicle"}
OLD = {"healed", "old", "chronic"}


def half(identifier: str) -> int:
    return int(hashlib.sha256(f"0:{identifier}".encode()).hexdigest(), 16) % 2


def read_openi(folder: Path) -> list[dict[str, str]]:
    with (folder / "openi_reports.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_padchest(folder: Path) -> list[dict[str, str]]:
    path = folder / "padchest_reports_es.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def mesh_truth(row: dict[str, str]) -> dict[str, list[set[str]]]:
    """Return the qualifiers of every `Fractures, Bone` of a rib or clavicle, by site."""
    truth: dict[str, list[set[str]]] = {}
    for heading in row["mesh_major"].split(";"):
        parts = heading.strip().lower().split("/")
        for word, site in SITES.items():
            if parts[0] == "fractures, bone" and word in parts:
                truth.setdefault(site, []).append(set(parts[1:]))
    return truth


def score(name: str, truth: Sequence[bool], said: Sequence[bool]) -> None:
    both = sum(t and s for t, s in zip(truth, said, strict=True))
    print(
        f"  {name:<38} P {both / max(1, sum(said)):.3f}  R {both / max(1, sum(truth)):.3f}  "
        f"({both} right, {sum(said) - both} too many, {sum(truth) - both} missed)"
    )


def openi_accuracy(folder: Path) -> None:
    from ribsight.records import label_report, read_lexicon

    lexicon = read_lexicon("en")
    reports = read_openi(folder)
    mentions = {
        row["report_id"]: [
            one
            for name in ("findings", "impression")
            for one in label_report(row[name], lexicon, section=name)
        ]
        for row in reports
    }
    for title, chosen in halves(reports, "report_id"):
        print(f"Open-i, {title}: {len(chosen)} reports")
        for sites in (("rib",), ("clavicle",), ("rib", "clavicle")):
            truth = [bool(mesh_truth(row).keys() & set(sites)) for row in chosen]
            for name, test in (
                ("present", lambda one: one.state == "present"),
                ("present + likely", lambda one: one.is_believed),
                ("present + all uncertain", lambda one: one.state in ("present", "uncertain")),
            ):
                said = [
                    any(one.site in sites and test(one) for one in mentions[row["report_id"]])
                    for row in chosen
                ]
                score(f"{' or '.join(sites)}, {name}", truth, said)
        age_and_side(chosen, mentions)
    for row in reports:
        truth, found = mesh_truth(row), mentions[row["report_id"]]
        said = {one.site for one in found if one.is_believed} & set(SITES.values())
        if bool(truth) != bool(said):
            kind = "not in MeSH" if said else "missed"
            rules = {one.evidence.rule for one in found if one.site in SITES.values()}
            print(f"  disagreement {row['report_id']}: {kind}; {'; '.join(sorted(rules))}")


def age_and_side(chosen: Sequence[dict[str, str]], mentions: dict[str, list]) -> None:  # type: ignore[type-arg]
    from ribsight.records import read_mentions, read_policy

    policy = read_policy()
    old, side, silent = [], [], 0
    for row in chosen:
        for site, headings in mesh_truth(row).items():
            reading = read_mentions(mentions[row["report_id"]], (site,), policy)
            qualifiers = set().union(*headings)
            is_old = reading.acuity in ("old", "healing")
            old.append((row["report_id"], bool(qualifiers & OLD), is_old))
            sides = qualifiers & {"left", "right", "bilateral"}
            if not sides:
                silent += 1
                continue
            expected = sides.pop() if len(sides) == 1 else "both"
            got = str(reading.side)
            side.append((row["report_id"], expected.replace("bilateral", "both") == got))
    print(
        f"  old against not old: {sum(a == b for _, a, b in old)} of {len(old)} agree"
        + "".join(f"; {one} ours {'old' if b else 'not'}" for one, a, b in old if a != b)
    )
    print(
        f"  side: {sum(ok for _, ok in side)} of {len(side)} agree ({silent} without one in MeSH)"
        + "".join(f"; differs {one}" for one, ok in side if not ok)
    )


def halves(rows: Sequence[dict[str, str]], key: str) -> Iterable[tuple[str, list[dict[str, str]]]]:
    yield "first half (rules chosen here)", [row for row in rows if half(row[key]) == 0]
    yield "second half", [row for row in rows if half(row[key]) == 1]
    yield "all", list(rows)


def padchest_accuracy(folder: Path) -> None:
    from ribsight.records import label_report, read_lexicon

    lexicon = read_lexicon("es")
    rows = [row for row in read_padchest(folder) if row["MethodLabel"] == "Physician"]
    mentions = {row["ReportID"]: label_report(row["Report"], lexicon) for row in rows}
    labels = {
        row["ReportID"]: {one.strip() for one in ast.literal_eval(row["Labels"])} for row in rows
    }
    for title, chosen in halves(rows, "ReportID"):
        print(f"PadChest, {title}: {len(chosen)} reports labelled by physicians")
        ids = [row["ReportID"] for row in chosen]
        rib = [bool(labels[i] & {"rib fracture", "callus rib fracture"}) for i in ids]
        for name, test in (
            ("present + likely", lambda one: one.is_believed),
            (
                "present + all uncertain",
                lambda one: one.state in ("present", "uncertain") and one.kind != "deformity",
            ),
        ):
            found = {i: [one for one in mentions[i] if test(one)] for i in ids}
            score(
                f"rib or callus, {name}",
                rib,
                [any(one.site == "rib" for one in found[i]) for i in ids],
            )
            score(
                f"callus (healing or old), {name}",
                ["callus rib fracture" in labels[i] for i in ids],
                [
                    any(o.site == "rib" and o.acuity in ("healing", "old") for o in found[i])
                    for i in ids
                ],
            )
            score(
                f"clavicle, {name}",
                ["clavicle fracture" in labels[i] for i in ids],
                [any(one.site == "clavicle" for one in found[i]) for i in ids],
            )


def speed(folder: Path, others: Sequence[tuple[str, str]]) -> None:
    from ribsight.records import Lexicon, label_report, read_lexicon

    texts = [f"{row['findings']} {row['impression']}" for row in read_openi(folder)]

    def fresh(chosen: Sequence[str]) -> Callable[[], object]:
        # A lexicon remembers sentences: each repetition begins with one that knows none.
        def work() -> object:
            lexicon = Lexicon(read_lexicon("en").settings)
            return [label_report(text, lexicon) for text in chosen]

        return work

    ours = fastest(fresh(texts), len(texts))
    print(f"speed on one core, {len(texts)} Open-i reports (best of 3)")
    print(f"  ribsight  {ours:8.0f} reports/s")
    fractures = [text for text in texts if "fractur" in text.lower()]
    dense = fastest(fresh(fractures), len(fractures))
    print(f"  ribsight  {dense:8.0f} reports/s on the {len(fractures)} that say fracture")
    for name, python in others:
        command = [python, __file__, "other", name, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {name}: did not run: {done.stderr.strip().splitlines()[-1:]}")
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        print(
            f"  {name:<9} {result['speed']:8.0f} reports/s, {ours / result['speed']:.0f} x slower"
        )
        print(f"    environment: {result['versions']}")
        reports = read_openi(folder)
        for sites, key in (("rib or clavicle", "said"), ("same, without uncertain", "certain")):
            for title, chosen in halves(reports, "report_id"):
                truth = [bool(mesh_truth(row)) for row in chosen]
                said = [result[key][row["report_id"]] for row in chosen]
                score(f"{name} {sites}, {title[:11]}", truth, said)


def fastest(work: Callable[[], object], count: int) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return count / best


def other(name: str, folder: Path) -> None:
    """Run a competitor in its own environment; print what it said as JSON."""
    import importlib.metadata

    label = _medspacy() if name == "medspacy" else _negspacy()
    said, certain = {}, {}
    rows = read_openi(folder)
    start = time.process_time()
    for row in rows:
        pairs = label(f"{row['findings']} {row['impression']}")
        said[row["report_id"]] = any(not negated for negated, _ in pairs)
        certain[row["report_id"]] = any(not (negated or hedged) for negated, hedged in pairs)
    took = time.process_time() - start
    versions = ", ".join(
        f"{one} {importlib.metadata.version(one)}" for one in (name, "spacy", "numpy")
    )
    print(
        json.dumps(
            {
                "speed": len(rows) / took, "said": said, "certain": certain,
                "versions": f"Python {sys.version.split()[0]}, {versions}",
            }
        )
    )  # fmt: skip


FRACTURE = r"fractur\w*"
SITE = r"ribs?|clavic\w*"


def _medspacy() -> Callable[[str], list[tuple[bool, bool]]]:
    from loguru import logger

    logger.remove()  # its sentence splitter logs every word of a report
    import medspacy
    from medspacy.ner import TargetRule

    # Without a model: a blank English pipeline, its sentence splitter, matcher and ConText.
    pipeline = medspacy.load()
    matcher = pipeline.get_pipe("medspacy_target_matcher")
    matcher.add(
        [TargetRule("fracture", "FRACTURE", pattern=[{"LOWER": {"REGEX": f"^{FRACTURE}$"}}])]
    )

    def label(text: str) -> list[tuple[bool, bool]]:
        return [
            (entity._.is_negated, entity._.is_uncertain or entity._.is_hypothetical)
            for entity in pipeline(text).ents
            if _has_site(entity.sent.text)
        ]

    return label


def _negspacy() -> Callable[[str], list[tuple[bool, bool]]]:
    import spacy
    from negspacy.negation import Negex  # noqa: F401

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "FRACTURE", "pattern": [{"LOWER": {"REGEX": f"^{FRACTURE}$"}}]}])
    pipeline.add_pipe("negex", config={"ent_types": ["FRACTURE"]})

    def label(text: str) -> list[tuple[bool, bool]]:
        return [
            (entity._.negex, False) for entity in pipeline(text).ents if _has_site(entity.sent.text)
        ]

    return label


def _has_site(sentence: str) -> bool:
    import re

    return re.search(rf"\b({SITE})\b", sentence.lower()) is not None


def fusion(rows: int) -> None:
    """Fuse made records: half of the rows are codes, half reports; two images a study."""
    took, peak = {}, {}
    for count in (rows // 4, rows):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_records(folder, count)
            arguments = [
                "label", "--codes", folder / "codes.csv", "--coding-system", "icd-10-cm",
                "--reports", folder / "reports.csv", "--images", folder / "images.csv",
                "--out", folder / "out",
            ]  # fmt: skip
            code = (
                "import resource, sys\n"
                "from ribsight.cli.main import cli\n"
                "cli(sys.argv[1:], standalone_mode=False)\n"
                "used = resource.getrusage(resource.RUSAGE_SELF)\n"
                "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
            )
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", code, *map(str, arguments)],
                check=True,
                capture_output=True,
                text=True,
            )
            wall = time.perf_counter() - start
            processor, memory = map(float, done.stdout.splitlines()[-1].split())
            took[count], peak[count] = processor, memory / 1024
            images = sum(1 for _ in (folder / "out" / "diagnoses.csv").open()) - 1
        print(
            f"{count} rows, {images} images: {processor:.0f} s of processor, {wall:.0f} s by the "
            f"clock, peak {peak[count]:.0f} MiB",
            flush=True,
        )
    print(
        f"{rows / (rows // 4):.0f} x the rows: {took[rows] / took[rows // 4]:.1f} x the time, "
        f"{peak[rows] / peak[rows // 4]:.1f} x the memory"
    )


SENTENCES = (
    "FINDINGS: Lungs are clear. No pneumothorax. No acute osseous abnormality.",
    "FINDINGS: Acute fractures of the {side} 5th and 6th ribs. IMPRESSION: Rib fractures.",
    "INDICATION: fall. FINDINGS: Old healed {side} clavicle fracture. Clear lungs.",
    "FINDINGS: No displaced rib fracture. Possible nondisplaced fracture of the {side} 7th rib.",
    "FINDINGS: Heart size is normal. Mild bibasilar atelectasis. No effusion.",
    "FINDINGS: No consolidation, effusion or pneumothorax. Degenerative changes of the spine.",
)
CODES = ("S22.41XA", "S2242XA", "J18.9", "I10", "S42.021A", "Z87.81", "R07.9", "S22.31XD")


def make_records(folder: Path, rows: int) -> None:
    choose = random.Random(0)
    reports = rows // 2
    with (
        (folder / "reports.csv").open("w", newline="") as r,
        (folder / "images.csv").open("w", newline="") as i,
        (folder / "codes.csv").open("w", newline="") as c,
    ):
        said, seen, coded = csv.writer(r), csv.writer(i), csv.writer(c)
        said.writerow(["study_id", "patient_id", "accession_number", "study_date", "report"])
        seen.writerow(
            ["image_id", "patient_id", "study_id", "accession_number", "study_date", "view"]
        )
        coded.writerow(
            [
                "patient_id",
                "study_id",
                "accession_number",
                "encounter_date",
                "code",
                "coding_system",
            ]
        )
        for number in range(reports):
            patient, day = f"P{number // 3}", f"20{10 + number % 12}-0{1 + number % 9}-15"
            key = [f"S{number}", patient, f"A{number}", day]
            text = choose.choice(SENTENCES).format(side=choose.choice(("left", "right")))
            said.writerow([*key, text])
            for view in ("PA", "LATERAL"):
                seen.writerow([f"I{number}-{view}", patient, f"S{number}", f"A{number}", day, view])
            accession = f"A{number}" if number % 2 else ""
            coded.writerow([patient, "", accession, day, choose.choice(CODES), ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["accuracy", "fusion", "other"])
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.what == "fusion":
        fusion(given.rows)
    elif given.what == "other":
        other(given.arguments[0], Path(given.arguments[1]))
    else:
        folder = Path(given.arguments[0])
        openi_accuracy(folder)
        padchest_accuracy(folder)
        speed(folder, [tuple(one.split("=", 1)) for one in given.other])  # type: ignore[misc]


if __name__ == "__main__":
    main()
