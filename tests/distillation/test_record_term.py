"""Records that err: the loss allows for it, and what is learned is the truth, not the record."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ribsight.distillation.method_settings import PredictiveValues
from ribsight.distillation.method_table import highest, method_of
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.record_term import RecordTerm
from ribsight.errors import RibsightError
from ribsight.findings import Supervision as S

FINDINGS = ("rib_fracture", "clavicle_fracture")


def recipe(method: str, noise: dict[str, Any], positives: int = 4) -> Recipe:
    batch = {"regions": 4, "negatives": 4}
    stage = {"steps": 1, "learning_rate": 1e-3, "batch": batch}
    return Recipe.model_validate(
        {
            "method": method,
            "record_noise": noise,
            "stage1": stage,
            "stage2": {**stage, "batch": {**batch, "positives": positives}},
        }
    )


def term(ppv: float, npv: float, *, positives: float = 1.0, negatives: float = 1.0) -> RecordTerm:
    """A term of weight 1 for one finding with these predictive values."""
    values = PredictiveValues(positive_predictive_value=ppv, negative_predictive_value=npv)
    plain = RecordTerm(highest, positive=1.0, negative=1.0)
    return plain.knowing({"a": values}, ("a",), positives=positives, negatives=negatives)


def one_cell(logits: Tensor) -> Tensor:
    return logits.reshape(-1, 1, 1, 1)


def test_records_that_never_err_are_believed_as_before() -> None:
    plain = RecordTerm(highest, positive=0.3, negative=0.2)
    logits = torch.tensor([-2.0, 0.5, 3.0, 1.0])
    kinds = torch.tensor([[S.POSITIVE], [S.NEGATIVE], [S.REGION], [S.NOTHING]])
    sure = replace(plain, noise=term(1.0, 1.0).noise)
    expected = torch.tensor([[0.3 * 2.1269], [0.2 * 0.9741], [0.0], [0.0]])
    torch.testing.assert_close(plain.loss(one_cell(logits), kinds), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(sure.loss(one_cell(logits), kinds), expected, atol=1e-4, rtol=0)


def test_the_rates_are_those_of_the_batch_not_of_the_hospital() -> None:
    noise = term(0.9, 0.95, positives=4.0, negatives=2.0).noise
    assert noise is not None
    # Shown: 4 positive records of which 0.4 err, 2 negative ones of which 0.1 err.
    assert float(noise.false_positive[0]) == pytest.approx(0.4 / (0.4 + 1.9))
    assert float(noise.false_negative[0]) == pytest.approx(0.1 / (3.6 + 0.1))


def test_the_price_of_a_positive_record_on_an_empty_image_is_bounded() -> None:
    doubting = term(0.9, 1.0)
    assert doubting.noise is not None
    price = float(-torch.log(doubting.noise.false_positive[0]))
    logits = one_cell(torch.tensor([-40.0])).requires_grad_()
    loss = doubting.loss(logits, torch.tensor([[S.POSITIVE]]))
    assert float(loss.detach()) == pytest.approx(price, abs=1e-5)
    torch.autograd.backward(loss.sum())
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) < 1e-6  # and it is pushed nowhere


def test_what_is_learned_from_records_that_err_is_the_truth() -> None:
    """Images like one another, of which a share has the finding: the best logit for all of them."""
    truth, right_positive, right_negative = 0.3, 0.98, 0.97
    # p = share of positive records, from truth = p ppv + (1 - p) (1 - npv).
    share = (truth - (1 - right_negative)) / (right_positive + right_negative - 1)
    said = term(right_positive, right_negative, positives=share, negatives=1 - share)
    logits = torch.linspace(-4, 4, 80_001)

    def learned(one: RecordTerm) -> float:
        cost = share * one.loss(one_cell(logits), torch.tensor([[S.POSITIVE]]))
        cost += (1 - share) * one.loss(one_cell(logits), torch.tensor([[S.NEGATIVE]]))
        return float(torch.sigmoid(logits[cost[:, 0].argmin()]))

    assert learned(said) == pytest.approx(truth, abs=1e-3)
    assert learned(replace(said, noise=None)) == pytest.approx(share, abs=1e-3)


def test_only_the_finding_that_was_audited_is_doubted() -> None:
    values = {"positive_predictive_value": 0.8}
    method = method_of(recipe("ribsight", {"clavicle_fracture": values}), FINDINGS)
    assert method.record is not None
    assert method.record.noise is not None
    alpha = method.record.noise.false_positive
    assert float(alpha[0]) == 0
    # Positives weigh 1, negatives 4 of the 8 images that are known.
    assert float(alpha[1]) == pytest.approx(0.2 / (0.2 + 0.5))


@pytest.mark.parametrize("method", ["aals", "supervised", "patches", "cam"])
def test_methods_that_do_not_ask_both_records_refuse_to_know_of_errors(method: str) -> None:
    noise = {"rib_fracture": {"positive_predictive_value": 0.9}}
    with pytest.raises(RibsightError, match="record_noise needs a method that asks"):
        method_of(recipe(method, noise), FINDINGS)


def test_a_finding_that_the_cohort_has_not_is_named() -> None:
    noise = {"rib": {"positive_predictive_value": 0.9}}
    with pytest.raises(RibsightError, match=r"record_noise\.rib is no finding of the cohort"):
        method_of(recipe("ribsight", noise), FINDINGS)


def test_records_that_tell_nothing_are_refused() -> None:
    noise = {"positive_predictive_value": 0.5, "negative_predictive_value": 0.5}
    with pytest.raises(ValueError, match="must sum to more than 1"):
        recipe("ribsight", {"rib_fracture": noise})
