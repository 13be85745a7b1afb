import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.errors import RibsightError
from ribsight.findings import Acuity, DiagnosisState, Side
from ribsight.records import (
    CodeFact,
    CodeSignal,
    Diagnosis,
    FusionPolicy,
    ReportFact,
    ReportSignal,
    fuse,
    label_report,
    read_lexicon,
    read_mentions,
    read_policy,
)

POLICY = read_policy()


def code(
    signal: str, acuity: str = "acute", side: str = "unknown", *, late: bool = False
) -> CodeFact:
    return CodeFact(CodeSignal(signal), Acuity(acuity), Side(side), f"c {signal} {side}", late)


def report(
    signal: str, acuity: str = "unknown", side: str = "unknown", *, ct: bool = False
) -> ReportFact:
    return ReportFact(ReportSignal(signal), Acuity(acuity), Side(side), f"r {signal} {side}", ct)


def fused(*facts: CodeFact | ReportFact, policy: FusionPolicy = POLICY) -> Diagnosis:
    codes = [one for one in facts if isinstance(one, CodeFact)]
    reports = [one for one in facts if isinstance(one, ReportFact)]
    return fuse(codes, reports, policy)


@pytest.mark.parametrize(
    ("facts", "state", "contradictions"),
    [
        ([], "unknown", []),
        ([report("silent")], "unknown", []),
        ([report("negated")], "negative", []),
        ([report("likely")], "positive", ["mention not coded"]),
        ([report("possible")], "uncertain", []),
        ([code("positive")], "positive", []),
        ([code("old", "old")], "uncertain", []),
        ([code("weak")], "uncertain", []),
        ([code("excluded")], "negative", []),
        ([code("positive"), report("present")], "positive", []),
        ([code("positive"), report("possible")], "positive", []),
        ([code("positive"), report("negated")], "uncertain", ["code denied"]),
        ([code("positive"), report("silent")], "uncertain", ["code not mentioned"]),
        ([report("negated"), report("present", ct=True)], "uncertain", ["ct only"]),
        ([code("positive", late=True), report("silent")], "unknown", ["late code"]),
        ([report("present"), report("negated")], "positive", ["mention not coded"]),
    ],
)
def test_the_default_policy(
    facts: list[CodeFact | ReportFact], state: str, contradictions: list[str]
) -> None:
    diagnosis = fused(*facts)
    assert diagnosis.state == state
    assert list(diagnosis.contradictions) == contradictions


def test_without_codes_none_is_missed() -> None:
    assert fuse([], [report("present")], POLICY, has_codes=False).contradictions == ()


def test_side_and_age_come_from_the_report_and_differences_are_kept() -> None:
    facts: list[CodeFact | ReportFact] = [
        code("positive", "acute", "right"),
        report("present", "old", "left"),
    ]
    diagnosis = fused(*facts)
    assert (diagnosis.side, diagnosis.acuity) == ("left", "old")
    assert list(diagnosis.contradictions) == ["side", "acuity"]
    believing_codes = POLICY.model_copy(update={"side": "code", "acuity": "code"})
    diagnosis = fused(*facts, policy=believing_codes)
    assert (diagnosis.side, diagnosis.acuity) == ("right", "acute")
    # What one of them does not say is taken from the other.
    diagnosis = fused(code("positive", "acute", "right"), report("present"))
    assert (diagnosis.side, diagnosis.acuity) == ("right", "acute")


def test_evidence_names_both_sources() -> None:
    diagnosis = fused(code("positive", side="right"), report("silent"))
    assert diagnosis.evidence == ("r silent unknown, not mentioned", "c positive right")


def test_lateral_views_can_be_told_apart() -> None:
    policy = POLICY.model_copy(update={"lateral_positive": "unknown"})
    facts = [report("present")]
    assert fuse([], facts, policy, is_lateral=True).state == "unknown"
    assert fuse([], facts, policy).state == "positive"


def test_old_fractures_can_be_told_apart() -> None:
    policy = POLICY.model_copy(update={"old_positive": "unknown"})
    assert fused(report("present", "old"), policy=policy).state == "unknown"
    assert fused(report("present", "old")).state == "positive"
    assert fused(report("present", "acute"), policy=policy).state == "positive"
    assert fused(report("possible", "old"), policy=policy).state == "uncertain"


def test_a_file_replaces_single_cells(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        'days_after = 2\n[states.silent]\nnone = "negative"\n'
        '[findings]\nfracture = ["rib", "clavicle"]\n'
    )
    policy = read_policy(path)
    assert fused(report("silent"), policy=policy).state == "negative"
    assert policy.days_after == 2
    assert policy.days_before == POLICY.days_before
    assert list(policy.findings) == ["fracture"]
    path.write_text('days_afer = 2\nside = "nobody"\n[states.silent]\nnone = "maybe"\n')
    with pytest.raises(RibsightError, match="3 mistakes") as caught:
        read_policy(path)
    assert "did you mean 'days_after'?" in str(caught.value)


FACTS = st.one_of(
    st.builds(code, st.sampled_from(CodeSignal), st.sampled_from(Acuity), st.sampled_from(Side)),
    st.builds(
        report,
        st.sampled_from(list(ReportSignal)[:5]),
        st.sampled_from(Acuity),
        st.sampled_from(Side),
    ),
)


@given(st.lists(FACTS, max_size=4))
def test_the_order_of_facts_and_saying_them_twice_do_not_matter(
    facts: list[CodeFact | ReportFact],
) -> None:
    expected = fused(*facts)
    assert all(fused(*order) == expected for order in itertools.permutations(facts))
    assert fused(*facts, *facts) == expected
    if expected.state in (DiagnosisState.NEGATIVE, DiagnosisState.UNKNOWN):
        assert (expected.side, expected.acuity) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("text", "signal", "acuity", "side", "contradicts"),
    [
        ("Clear lungs.", "silent", "unknown", "unknown", False),
        ("No acute rib fracture. Old left rib fractures.", "present", "old", "left", False),
        ("Old left rib fracture. IMPRESSION: Rib fracture.", "present", "old", "left", False),
        ("Left rib fracture. Right rib fracture.", "present", "unknown", "both", False),
        ("Rib fracture. IMPRESSION: No rib fracture.", "present", "unknown", "unknown", True),
        ("Rib deformity.", "possible", "unknown", "unknown", False),
        ("Evaluate for rib fracture.", "silent", "unknown", "unknown", False),
        ("Fracture of several XXXX.", "possible", "unknown", "unknown", False),
        ("Bones are intact.", "negated", "unknown", "unknown", False),
        ("Fracture of T5.", "silent", "unknown", "unknown", False),
    ],
)
def test_what_a_report_says_of_a_finding(
    text: str, signal: str, acuity: str, side: str, contradicts: bool
) -> None:
    reading = read_mentions(label_report(text, read_lexicon("en")), ("rib",), POLICY)
    assert (reading.signal, reading.acuity, reading.side) == (signal, acuity, side)
    assert reading.contradicts_itself is contradicts


def test_what_counts_as_denied_is_the_policys() -> None:
    policy = POLICY.model_copy(update={"no_acute_fracture": "silent", "bones_intact": "silent"})
    for text in ("No acute rib fracture.", "No displaced rib fracture.", "Bones are intact."):
        mentions = label_report(text, read_lexicon("en"))
        assert read_mentions(mentions, ("rib",), POLICY).signal == "negated"
        assert read_mentions(mentions, ("rib",), policy).signal == "silent"
