import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.findings import Acuity, Side
from ribsight.simulation.paper import phrases
from ribsight.simulation.paper.bones import number_list
from ribsight.simulation.paper.mentions import plan_mentions, visible_fractures
from ribsight.simulation.paper.reports import write_report
from ribsight.simulation.paper.settings import RecordSettings
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Confounder,
    Displacement,
    Fracture,
    PatientTruth,
    View,
)

Rib = Callable[..., Fracture]
Patient = Callable[..., PatientTruth]

# Plain words, no slips: what stays is the grammar.
EXACT = RecordSettings().without_errors().model_copy(update={"report_abbreviates": 0.0})
SEEDS = st.integers(min_value=0, max_value=10**6)
BONES = {RIB_FRACTURE: r"\bribs?\b", CLAVICLE_FRACTURE: r"\bclavicles?\b"}


def section(report: str, name: str) -> str:
    found = re.search(rf"^{name}:(.*?)(?=^[A-Z ]+:|\Z)", report, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, report
    return found[1]


def sentences_of(text: str) -> list[str]:
    return re.split(r"(?<=\.)\s+|\n", text)


def sided_bones(text: str) -> set[tuple[str, str]]:
    """(bone, side) of every sentence that names a bone with a side."""
    found = set()
    for sentence in sentences_of(text.lower()):
        for finding, bone in BONES.items():
            if re.search(bone, sentence):
                sides = set(re.findall(r"left|right|bilateral", sentence))
                found |= {(finding, "left") for _ in sides & {"left", "bilateral"}}
                found |= {(finding, "right") for _ in sides & {"right", "bilateral"}}
    return found


@settings(max_examples=300)
@given(seed=SEEDS)
def test_without_errors_a_report_names_exactly_the_bones_the_films_show_broken(
    any_patient: Callable[[int], PatientTruth], seed: int
) -> None:
    truth = any_patient(seed)
    report = write_report(truth, np.random.default_rng(seed), EXACT)
    expected = {(one.finding, one.side.value) for one in visible_fractures(truth)}
    assert sided_bones(section(report, "FINDINGS")) == expected, report
    assert sided_bones(section(report, "IMPRESSION")) <= expected, report


@settings(max_examples=300)
@given(seed=SEEDS)
def test_without_errors_the_plan_is_the_visible_fractures(
    any_patient: Callable[[int], PatientTruth], seed: int
) -> None:
    truth = any_patient(seed)
    exact = EXACT.model_copy(update={"report_numbers_unsaid": 0.0})
    mentions = plan_mentions(truth, np.random.default_rng(seed), exact)
    said = {
        (one.finding, one.side, rib, one.acuity)
        for one in mentions
        for rib in (one.ribs or (None,))
    }
    assert all(one.certain for one in mentions)
    assert said == {
        (one.finding, one.side, one.rib, one.acuity) for one in visible_fractures(truth)
    }


@given(seed=SEEDS)
def test_without_errors_acute_fractures_are_never_denied(
    rib: Rib, patient: Patient, seed: int
) -> None:
    report = write_report(patient(rib(7)), np.random.default_rng(seed), EXACT)
    for words in ("no acute fracture", "no acute osseous", "no displaced rib", "ribs are intact"):
        assert words not in report.lower()
    assert re.search(r"fracture", section(report, "FINDINGS"), re.IGNORECASE)


@given(seed=SEEDS)
def test_an_old_fracture_is_called_old_and_no_acute_one_is_reported(
    rib: Rib, patient: Patient, seed: int
) -> None:
    truth = patient(rib(7, acuity=Acuity.OLD))
    report = write_report(truth, np.random.default_rng(seed), EXACT)
    told = [one for one in sentences_of(section(report, "FINDINGS")) if "left" in one.lower()]
    told = [one for one in told if re.search(BONES[RIB_FRACTURE], one)]
    assert len(told) == 1
    assert re.search(r"old|remote|healed|chronic", told[0], re.IGNORECASE), told


def test_a_report_without_fracture_says_so_and_one_with_an_old_fracture_too(
    rib: Rib, patient: Patient
) -> None:
    always = EXACT.model_copy(update={"report_negates": 1.0})
    for truth, table in (
        (patient(), phrases.BONES_CLEAR),
        (patient(rib(5, acuity=Acuity.OLD)), phrases.NO_NEW),
    ):
        for seed in range(20):
            findings = section(write_report(truth, np.random.default_rng(seed), always), "FINDINGS")
            assert any(phrase in findings for phrase, _ in table)


@pytest.mark.parametrize(
    ("rate", "certain", "reported"),
    [("report_misses_rib", True, False), ("report_hedges", False, True)],
)
def test_a_rate_of_one_always_errs(
    rib: Rib, patient: Patient, rate: str, certain: bool, reported: bool
) -> None:
    erring = EXACT.model_copy(update={rate: 1.0})
    for seed in range(10):
        mentions = plan_mentions(patient(rib(7)), np.random.default_rng(seed), erring)
        assert bool(mentions) == reported
        assert all(one.certain == certain for one in mentions)


def test_the_wrong_side_and_the_occult_are_written_at_their_rates(
    rib: Rib, patient: Patient
) -> None:
    random = np.random.default_rng(0)
    wrong = EXACT.model_copy(update={"report_wrong_side": 0.2})
    sides = [plan_mentions(patient(rib(7)), random, wrong)[0].side for _ in range(1000)]
    assert np.mean([side is Side.RIGHT for side in sides]) == pytest.approx(0.2, abs=0.04)
    occult = patient(rib(7), invisible=frozenset({"left7"}))
    suspects = EXACT.model_copy(update={"report_suspects_invisible": 0.3})
    plans = [plan_mentions(occult, random, suspects) for _ in range(1000)]
    assert np.mean([bool(plan) for plan in plans]) == pytest.approx(0.3, abs=0.05)
    assert not any(one.certain for plan in plans for one in plan)


def test_a_flail_segment_needs_three_neighbours_broken_twice(rib: Rib, patient: Patient) -> None:
    twice = [rib(n, name=f"{n}{end}") for n in (4, 5, 6) for end in "ab"]
    once = [rib(n) for n in (4, 5, 6)]
    for seed in range(10):
        flail = write_report(patient(*twice), np.random.default_rng(seed), EXACT)
        assert "flail" in section(flail, "FINDINGS")
        assert "flail" not in write_report(patient(*once), np.random.default_rng(seed), EXACT)


def test_broken_hardware_is_no_broken_bone(patient: Patient) -> None:
    truth = patient(confounders=(Confounder.STERNAL_WIRES, Confounder.CLAVICLE_PLATE))
    always = EXACT.model_copy(update={"report_hardware_fracture": 1.0})
    for seed in range(20):
        findings = section(write_report(truth, np.random.default_rng(seed), always), "FINDINGS")
        told = [one for one in sentences_of(findings) if re.search("wire|screw", one)]
        assert len(told) == 2
        assert all("fracture" in one.lower() for one in told)
        assert sided_bones(findings) == set()


def test_a_fixed_clavicle_is_told_with_its_plate(patient: Patient, clavicle: Rib) -> None:
    truth = patient(clavicle(acuity=Acuity.OLD, fixed=True))
    for seed in range(10):
        findings = section(write_report(truth, np.random.default_rng(seed), EXACT), "FINDINGS")
        assert re.search(r"fixation|ORIF", findings)
        assert "left clavicle" in findings or "left" in findings


@pytest.mark.parametrize(
    ("ribs", "text"),
    [
        ((7,), "7"),
        ((4, 5), "4 and 5"),
        ((4, 5, 6), "4 to 6"),
        ((2, 4, 5, 6, 7, 9), "2, 4 to 7 and 9"),
    ],
)
def test_runs_of_ribs_become_ranges(ribs: tuple[int, ...], text: str) -> None:
    assert number_list(ribs, str, " to ") == text


def test_slips_are_off_unless_asked_for(rib: Rib, patient: Patient) -> None:
    truth = patient(rib(7), views=(View.PA_ERECT, View.LATERAL))
    plain = EXACT.model_copy(update={"report_blanks_dates": 0.0})
    slips = EXACT.model_copy(
        update={
            "report_blanks_words": 0.3,
            "report_abbreviates": 1.0,
            "report_misspells": 1.0,
        }
    )
    for seed in range(20):
        report = write_report(truth, np.random.default_rng(seed), plain)
        assert not re.search(r"XXXX|\bfx\b|\blt\b", report)
        assert "XXXX" in write_report(truth, np.random.default_rng(seed), slips)
    empty = EXACT.model_copy(update={"report_empty": 1.0})
    assert write_report(truth, np.random.default_rng(0), empty) == ""


def test_the_same_seed_writes_the_same_report(any_patient: Callable[[int], PatientTruth]) -> None:
    for seed in range(20):
        truth = any_patient(seed)
        first, second = (write_report(truth, np.random.default_rng(seed)) for _ in range(2))
        assert first == second


def test_every_phrase_can_be_written() -> None:
    slots = {"bone": "b", "short": "s", "side": "left", "d": "", "age": "a", "ago": "2"}
    slots |= {"sex": "male", "date": "d"}
    tables = [getattr(phrases, name) for name in dir(phrases) if name.isupper()]
    for table in tables:
        rows = table.values() if isinstance(table, dict) else [table]
        for row in rows:
            for phrase in row if isinstance(row, tuple) else ():
                assert "{" not in phrase[0].format(**slots)
    assert set(phrases.DISPLACEMENTS) == set(Displacement)
    assert set(phrases.EXAMS) == set(View)


def test_several_ribs_of_both_sides_become_bilateral_if_of_one_age(
    rib: Rib, patient: Patient
) -> None:
    unsaid = EXACT.model_copy(update={"report_numbers_unsaid": 1.0})
    left, right = [rib(4), rib(5)], [rib(6, Side.RIGHT), rib(7, Side.RIGHT)]
    (both,) = plan_mentions(patient(*left, *right), np.random.default_rng(0), unsaid)
    assert (both.side, both.ribs, both.acuity) == (Side.BOTH, (4, 5, 6, 7), Acuity.ACUTE)
    old = [rib(n, Side.RIGHT, Acuity.OLD) for n in (6, 7)]
    apart = plan_mentions(patient(*left, *old), np.random.default_rng(0), unsaid)
    assert [(one.side, one.acuity) for one in apart] == [
        (Side.LEFT, Acuity.ACUTE),
        (Side.RIGHT, Acuity.OLD),
    ]
    report = write_report(patient(*left, *right), np.random.default_rng(0), unsaid)
    assert "bilateral" in section(report, "FINDINGS")


def test_an_impression_is_never_empty(any_patient: Callable[[int], PatientTruth]) -> None:
    silent = EXACT.model_copy(
        update={"report_impression_omits_acute": 1.0, "report_impression_omits_old": 1.0}
    )
    for seed in range(50):
        report = write_report(any_patient(seed), np.random.default_rng(seed), silent)
        assert section(report, "IMPRESSION").strip()
