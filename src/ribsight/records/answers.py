"""A checked audit -> how good the diagnoses are, with intervals, and noise rates for training.

Strata are weighted by their size. Intervals are 95 % intervals of the posterior under Jeffreys'
prior, Beta(1/2, 1/2) in each stratum, from draws with a fixed seed: they hold for small and for
unanimous strata, and a stratum without an answer widens them instead of vanishing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.records.rows import TableFormat, masked, read_rows

_DRAWS = 20_000
_ANSWERS = {
    **dict.fromkeys(("present", "p", "yes", "y", "1", "true"), "present"),
    **dict.fromkeys(("absent", "a", "no", "n", "0", "false"), "absent"),
    **dict.fromkeys(("unsure", "u", "?"), "unsure"),
}
_STATES = ("positive", "negative", "uncertain", "unknown")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human said of one item; acuity and side are empty if not given."""

    item: int
    answer: str
    acuity: str
    side: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval, and how many answers it rests on."""

    value: float
    low: float
    high: float
    answers: int


@dataclass(frozen=True)
class AuditResult:
    """What the audit of one finding says.

    Attributes:
        present: share of studies with the finding, of those labelled with each state.
        prevalence: share of all studies.
        recall: share of the studies with the finding that were labelled positive.
        false_positive_rate: labelled positive, of those without it labelled positive or negative.
        false_negative_rate: labelled negative, of those with it labelled positive or negative.
        acuity, side: share of answers on these that agree with the label.
        unsure: answers that say so; they count nowhere else.
    """

    finding: str
    present: Mapping[str, Estimate]
    prevalence: Estimate
    recall: Estimate
    false_positive_rate: Estimate
    false_negative_rate: Estimate
    acuity: Estimate
    side: Estimate
    unsure: int


def read_answers(path: Path, out: Path) -> list[Answer]:
    """Read a checked `audit.csv`; items without an answer are skipped.

    Raises:
        RibsightError: an answer that is none, an item that `audit.json` does not know or that
            stands twice, or no answer at all.
    """
    known = {one["item"] for one in _document(out)["items"]}
    answers: dict[int, Answer] = {}
    form = TableFormat()
    for row in read_rows(path, "audit", ("item", "answer"), ("answer_acuity", "answer_side"), form):
        cells = row.cells
        if not cells["answer"]:
            continue
        if not cells["item"].isdigit() or int(cells["item"]) not in known:
            raise RibsightError(
                f"{path}, row {row.number}: {out / 'audit.json'} has no such item; "
                "it is an audit of other diagnoses"
            )
        item = int(cells["item"])
        if item in answers:
            raise RibsightError(f"{path}, row {row.number} answers item {item} again; keep one")
        answer = _ANSWERS.get(cells["answer"].lower())
        if answer is None:
            raise RibsightError(
                f"{path}, row {row.number}, column 'answer' is of the form "
                f"{masked(cells['answer'])}; use present, absent or unsure"
            )
        answers[item] = Answer(
            item, answer, cells["answer_acuity"].lower(), cells["answer_side"].lower()
        )
    if not answers:
        raise RibsightError(f"{path} holds no answer: fill the column 'answer'")
    return list(answers.values())


def measure_audit(answers: Sequence[Answer], out: Path) -> list[AuditResult]:
    """Return what the answers say of each finding, and write it to `noise.toml`.

    Raises:
        RibsightError: the folder has no `audit.json`.
    """
    document = _document(out)
    items = {one["item"]: one for one in document["items"]}
    findings = dict.fromkeys(one["finding"] for one in document["strata"])
    results = [_result(one, document["strata"], items, answers) for one in findings]
    write_text(out / "noise.toml", tomli_w.dumps({one.finding: _table(one) for one in results}))
    return results


def _document(out: Path) -> dict[str, Any]:
    try:
        document = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RibsightError(
            f"{out} has no readable audit.json: write an audit with `ribsight label --audit N`"
        ) from error
    assert isinstance(document, dict)
    return document


def _result(
    finding: str,
    strata: Sequence[Mapping[str, Any]],
    items: Mapping[int, Mapping[str, Any]],
    answers: Sequence[Answer],
) -> AuditResult:
    ours = [one for one in answers if items[one.item]["finding"] == finding]
    decided = [one for one in ours if one.answer != "unsure"]
    own = [one for one in strata if one["finding"] == finding]
    counts = np.array([_counts(stratum, items, decided) for stratum in own])
    sizes = np.array([stratum["size"] for stratum in own], dtype=np.float64)
    states = [stratum["state"] for stratum in own]
    random = np.random.default_rng(0)
    shares = random.beta(counts[:, 1] + 0.5, counts[:, 0] - counts[:, 1] + 0.5, (_DRAWS, len(own)))
    point = (counts[:, 1] + 0.5) / (counts[:, 0] + 1)
    answered = counts[:, 0] > 0
    point[answered] = counts[answered, 1] / counts[answered, 0]
    draws = np.vstack([point, shares])

    def estimate(over: Sequence[str], under: Sequence[str], *, absent: bool = False) -> Estimate:
        values = 1 - draws if absent else draws
        chosen = np.isin(states, under)
        part = np.isin(states, over)
        return _ratio(
            (values * sizes * part).sum(axis=1),
            (values * sizes * chosen).sum(axis=1),
            int(counts[chosen, 0].sum()),
        )

    def share(of: Sequence[str]) -> Estimate:
        chosen = np.isin(states, of)
        total = np.full(len(draws), (sizes * chosen).sum())
        return _ratio((draws * sizes * chosen).sum(axis=1), total, int(counts[chosen, 0].sum()))

    labelled = ("positive", "negative")
    return AuditResult(
        finding=finding,
        present={state: share([state]) for state in _STATES if state in states},
        prevalence=share(_STATES),
        recall=estimate(["positive"], _STATES),
        false_positive_rate=estimate(["positive"], labelled, absent=True),
        false_negative_rate=estimate(["negative"], labelled),
        acuity=_agreement(ours, items, "acuity"),
        side=_agreement(ours, items, "side"),
        unsure=len(ours) - len(decided),
    )


def _counts(
    stratum: Mapping[str, Any], items: Mapping[int, Mapping[str, Any]], answers: Sequence[Answer]
) -> tuple[int, int]:
    keys = ("finding", "state", "agreement")
    within = [one for one in answers if all(items[one.item][key] == stratum[key] for key in keys)]
    return len(within), sum(one.answer == "present" for one in within)


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64], answers: int) -> Estimate:
    """Return the ratio of the first entries, and the interval of that of the others."""
    ratios = np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)
    if np.isnan(ratios).all():
        return Estimate(np.nan, np.nan, np.nan, answers)
    low, high = np.nanpercentile(ratios[1:], [2.5, 97.5])
    value = float(ratios[0])
    # Of unanimous answers the interval reaches the value itself.
    return Estimate(value, float(np.fmin(low, value)), float(np.fmax(high, value)), answers)


def _agreement(
    answers: Sequence[Answer], items: Mapping[int, Mapping[str, Any]], what: str
) -> Estimate:
    said = [one for one in answers if getattr(one, what) and one.answer == "present"]
    agreeing = sum(getattr(one, what) == items[one.item][what] for one in said)
    draws = np.random.default_rng(0).beta(agreeing + 0.5, len(said) - agreeing + 0.5, _DRAWS)
    low, high = np.percentile(draws, [2.5, 97.5])
    value = agreeing / len(said) if said else np.nan
    return Estimate(value, float(np.fmin(low, value)), float(np.fmax(high, value)), len(said))


def _table(result: AuditResult) -> dict[str, Any]:
    def rounded(one: Estimate) -> dict[str, float | int]:
        shares = {"value": one.value, "low": one.low, "high": one.high}
        return {**{key: round(share, 4) for key, share in shares.items()}, "answers": one.answers}

    table = {f"present_if_{state}": rounded(one) for state, one in result.present.items()}
    for name in ("prevalence", "recall", "false_positive_rate", "false_negative_rate", "acuity",
                 "side"):  # fmt: skip
        table[name] = rounded(getattr(result, name))
    return {**table, "unsure": result.unsure}


def audit_lines(results: Sequence[AuditResult]) -> list[str]:
    """Return the results as lines for a terminal."""
    said = []
    for one in results:
        rows = [(f"present, of those labelled {state}", e) for state, e in one.present.items()]
        rows += [
            ("prevalence", one.prevalence),
            ("recall of positive", one.recall),
            ("false positive rate", one.false_positive_rate),
            ("false negative rate", one.false_negative_rate),
            ("acuity agrees", one.acuity),
            ("side agrees", one.side),
        ]
        said.append(f"{one.finding} ({one.unsure} unsure)")
        said += [
            f"  {name:<35} {e.value:.3f} ({e.low:.3f} to {e.high:.3f}), {e.answers} answers"
            for name, e in rows
        ]
    return said
