"""The loop as a whole: resume, processes, interruption, failure, sharing stage 1."""

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ribsight.cohort.tables import load_cohort
from ribsight.detector.model_file import load_model
from ribsight.detector.network import DetectorNetwork
from ribsight.distillation import objective as objective_module
from ribsight.distillation import optimisation as optimisation_module
from ribsight.distillation.checkpoint import Position, load_checkpoint
from ribsight.distillation.loop import LoopOptions
from ribsight.distillation.method_settings import PredictiveValues
from ribsight.distillation.method_table import method_of
from ribsight.distillation.optimisation import NonFiniteLossError
from ribsight.distillation.recipe import (
    CropSettings,
    Recipe,
    ValidationSettings,
    load_recipe,
)
from ribsight.distillation.run_folder import RunFolder, read_metrics
from ribsight.distillation.train import Machine, resume, train
from ribsight.distillation.validation import drawn_subset
from ribsight.errors import RibsightError
from ribsight.findings import Split
from ribsight.method_names import METHODS, MethodName

CPU = Machine(accelerator="cpu")
QUIET = LoopOptions(progress=False)


def with_method(recipe: Recipe, method: MethodName) -> Recipe:
    return recipe.model_copy(update={"method": method})


def on_crops() -> Recipe:
    """Crops of 64 out of 96 pixels, two of each record-positive, frozen statistics.

    On 32 pixels the coarsest level has one cell, which group norm makes constant: its gradients
    are rounding, and AdamW makes steps of them.
    """
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / "test.toml")
    return recipe.model_copy(
        update={
            "detector": recipe.detector.model_copy(update={"batch_norm": "frozen"}),
            "images": recipe.images.model_copy(update={"size": 96}),
            "crops": CropSettings(size=64, per_positive=2),
        }
    )


def state_of(run: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the newest checkpoint: student, teacher, optimiser."""
    checkpoint = load_checkpoint(RunFolder(run).last)
    tensors = {f"student.{k}": v for k, v in checkpoint.student.items()}
    if checkpoint.teacher:
        tensors |= {f"teacher.{k}": v for k, v in checkpoint.teacher["network"].items()}
        tensors["updates"] = torch.tensor(checkpoint.teacher["updates"])
    tensors |= {f"ensemble.{k}": v for k, v in checkpoint.ensemble.items()}
    for number, one in checkpoint.optimiser.get("state", {}).items():
        tensors |= {f"optimiser.{number}.{k}": v for k, v in one.items()}
    return tensors


def trainings(run: Path) -> list[dict[str, Any]]:
    return [one for one in read_metrics(run / "metrics.jsonl") if one["kind"] == "train"]


def validations(run: Path) -> list[dict[str, Any]]:
    return [one for one in read_metrics(run / "metrics.jsonl") if one["kind"] == "validation"]


def assert_same_state(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different


@pytest.fixture(scope="module")
def whole_run(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(__file__).parents[2] / "recipes" / "test.toml"
    run = tmp_path_factory.mktemp("whole") / "run"
    assert train(load_recipe(path), trainable, run, machine=CPU, options=QUIET)
    return run


@pytest.mark.parametrize("stop_at", [Position(1, 3), Position(1, 8), Position(2, 5)])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path, stop_at: Position
) -> None:
    run = tmp_path / "run"
    options = replace(QUIET, stop_at=stop_at)
    assert not train(recipe, trainable, run, machine=CPU, options=options)
    assert not (run / "model").exists()
    assert resume(run, machine=CPU, options=QUIET)
    assert_same_state(state_of(run), state_of(whole_run))
    assert load_model(run / "model")[1].weights_sha256 == (
        load_model(whole_run / "model")[1].weights_sha256
    )
    assert validations(run) == validations(whole_run)


@pytest.mark.parametrize("crops", [False, True])
def test_what_a_student_said_before_survives_an_interruption(
    recipe: Recipe, trainable: Path, tmp_path: Path, crops: bool
) -> None:
    longer = recipe.stage2.model_copy(update={"steps": 10})
    base = on_crops() if crops else recipe
    remembering = with_method(base, "temporal_ensembling").model_copy(update={"stage2": longer})
    train(remembering, trainable, tmp_path / "whole", machine=CPU, options=QUIET)
    options = replace(QUIET, stop_at=Position(2, 7))
    assert not train(remembering, trainable, tmp_path / "two", machine=CPU, options=options)
    assert resume(tmp_path / "two", machine=CPU, options=QUIET)
    assert_same_state(state_of(tmp_path / "two"), state_of(tmp_path / "whole"))
    assert "ensemble.sums" in state_of(tmp_path / "two")
    # The second turn through 16 radiographs has targets, the first had none.
    assert trainings(tmp_path / "two")[-1]["loss_positive"] > 0


def test_workers_change_nothing(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(recipe, trainable, run, machine=CPU, options=replace(QUIET, workers=2))
    assert_same_state(state_of(run), state_of(whole_run))


def test_two_processes_equal_one_with_the_same_batch_up_to_rounding(
    recipe: Recipe, trainable: Path, tmp_path: Path
) -> None:
    # Frozen statistics, as in the recipes for many processes; sums are taken in another order.
    detector = recipe.detector.model_copy(update={"batch_norm": "frozen"})
    same = recipe.model_copy(update={"detector": detector})
    train(same, trainable, tmp_path / "one", machine=CPU, options=QUIET)
    train(same, trainable, tmp_path / "two", machine=replace(CPU, devices=2), options=QUIET)
    one, two = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    assert one.keys() == two.keys()
    for name in one:
        if not name.startswith("optimiser"):
            torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=2e-5, msg=name)
    moved = load_checkpoint(RunFolder(tmp_path / "one").stage1).student
    assert any(not torch.equal(moved[k], one[f"student.{k}"]) for k in moved)
    losses = [[one["loss_known"] for one in trainings(tmp_path / run)] for run in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("parts", [2, 3])
def test_accumulated_parts_equal_the_whole_step_up_to_rounding(
    recipe: Recipe, trainable: Path, tmp_path: Path, parts: int
) -> None:
    detector = recipe.detector.model_copy(update={"batch_norm": "frozen"})
    same = recipe.model_copy(update={"detector": detector})
    in_parts = replace(QUIET, accumulate=parts)
    train(same, trainable, tmp_path / "one", machine=CPU, options=QUIET)
    train(same, trainable, tmp_path / "parts", machine=CPU, options=in_parts)
    one, other = state_of(tmp_path / "one"), state_of(tmp_path / "parts")
    for name in one:
        if not name.startswith("optimiser"):
            torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=2e-5, msg=name)
    losses = [[one["loss_known"] for one in trainings(tmp_path / run)] for run in ("one", "parts")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("crops", [False, True])
def test_under_autocast_targets_losses_and_weights_stay_float32(
    recipe: Recipe, trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crops: bool
) -> None:
    real: Any = objective_module.step_objective
    seen: list[tuple[torch.dtype, ...]] = []

    def watched(logits: Any, taught: Any, batch: Any, method: Any, **rest: Any) -> Any:
        loss, facts = real(logits, taught, batch, method, **rest)
        if taught is not None:
            target = method.positive_target(taught)
            dtypes = (taught.dtype, target.map.dtype, target.weight.dtype, loss.dtype)
            seen.append((*dtypes, facts.loss_positive.dtype))
        return loss, facts

    monkeypatch.setattr(optimisation_module, "step_objective", watched)
    half = replace(CPU, precision="bf16-mixed")
    given = on_crops() if crops else recipe
    assert train(given, trainable, tmp_path / "run", machine=half, options=QUIET)
    assert set(seen) == {(torch.bfloat16, *[torch.float32] * 4)}
    checkpoint = load_checkpoint(RunFolder(tmp_path / "run").last)
    for state in (checkpoint.student, checkpoint.teacher["network"]):
        assert {one.dtype for one in state.values() if one.is_floating_point()} == {torch.float32}
    assert all(0 < one["loss_known"] < 10 for one in trainings(tmp_path / "run"))


def test_a_compiled_student_learns_the_same_up_to_rounding(
    recipe: Recipe, trainable: Path, tmp_path: Path
) -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch.compile needs a C++ compiler, and there is none")
    short = recipe.stage1.model_copy(update={"steps": 2})
    frozen = recipe.detector.model_copy(update={"batch_norm": "frozen", "backbone": "test_resnet"})
    same = recipe.model_copy(update={"stage1": short, "detector": frozen})
    for name, options in (("plain", QUIET), ("compiled", replace(QUIET, compiled=True))):
        until = replace(options, stop_at=Position(1, 2))
        train(same, trainable, tmp_path / name, machine=CPU, options=until)
    one, other = (load_checkpoint(RunFolder(tmp_path / run).last) for run in ("plain", "compiled"))
    assert one.position == other.position == Position(2, 0)
    assert one.student.keys() == other.student.keys()
    for name, tensor in one.student.items():
        torch.testing.assert_close(tensor, other.student[name], rtol=1e-3, atol=2e-5, msg=name)


def test_more_parts_than_images_are_refused(
    recipe: Recipe, trainable: Path, tmp_path: Path
) -> None:
    too_many = replace(QUIET, accumulate=100)
    with pytest.raises(RibsightError, match="too few for 100 shares"):
        train(recipe, trainable, tmp_path / "run", machine=CPU, options=too_many)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_and_says_what_it_did(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path, method: MethodName
) -> None:
    run = tmp_path / "run"
    assert train(
        with_method(recipe, method),
        trainable,
        run,
        machine=CPU,
        options=QUIET,
        stage1_from=None if method == "regions_only" else whole_run,
    )
    records = trainings(run)
    assert {one["stage"] for one in records} == ({1, 2} if method == "regions_only" else {2})
    loss = records[-1]["loss_positive"]
    assert loss == 0 if method in ("supervised", "regions_only") else loss >= 0
    centred = ("pseudo_labels", "temperature", "asymmetric", "adaptive", "aals", "ribsight")
    assert ("share_without_push" in records[-1]) == (method in centred)
    if method in ("aals", "distillation"):
        assert 0 < records[-1]["teacher_maximum"]["fracture"] < 1
    health = [one for one in read_metrics(run / "metrics.jsonl") if one["kind"] == "health"]
    has_target = method_of(with_method(recipe, method)).positive_target is not None
    assert len(health) == has_target
    for one in health:
        assert 0 <= one["target_area"]["fracture"] <= one["target_maximum"]["fracture"] <= 1
        assert 0 <= one["disagreement"]["fracture"] <= 1
    validated = validations(run)
    assert {one["which"] for one in validated} == {"student", "teacher"}
    assert 0 <= validated[-1]["auroc"]["fracture"] <= 1
    assert 0 <= validated[-1]["image_ece"]["fracture"] <= 1
    assert 0 <= validated[-1]["map_ece"]["fracture"] <= 1
    assert validated[-1]["map_area"]["fracture"] > 0
    assert load_model(run / "model")[1].training["method"] == method


@pytest.fixture(scope="module")
def crops_run(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("crops") / "run"
    assert train(on_crops(), trainable, run, machine=CPU, options=QUIET)
    return run


@pytest.mark.parametrize("stop_at", [Position(1, 5), Position(2, 5)])
def test_on_crops_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    trainable: Path, crops_run: Path, tmp_path: Path, stop_at: Position
) -> None:
    run = tmp_path / "run"
    options = replace(QUIET, stop_at=stop_at)
    assert not train(on_crops(), trainable, run, machine=CPU, options=options)
    assert resume(run, machine=CPU, options=QUIET)
    assert_same_state(state_of(run), state_of(crops_run))


def test_on_crops_workers_change_nothing(trainable: Path, crops_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(on_crops(), trainable, run, machine=CPU, options=replace(QUIET, workers=2))
    assert_same_state(state_of(run), state_of(crops_run))


def test_on_crops_two_processes_equal_one_up_to_rounding(
    trainable: Path, crops_run: Path, tmp_path: Path
) -> None:
    train(on_crops(), trainable, tmp_path / "two", machine=replace(CPU, devices=2), options=QUIET)
    one, two = state_of(crops_run), state_of(tmp_path / "two")
    for name in one:
        if not name.startswith("optimiser"):
            torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=2e-5, msg=name)
    losses = [
        [one["loss_known"] for one in trainings(run)] for run in (crops_run, tmp_path / "two")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("method", ["supervised", "distillation"])
def test_on_crops_other_methods_take_over_stage_1(
    trainable: Path, crops_run: Path, tmp_path: Path, method: MethodName
) -> None:
    run = tmp_path / "run"
    changed = with_method(on_crops(), method)
    assert train(changed, trainable, run, machine=CPU, options=QUIET, stage1_from=crops_run)
    last = trainings(run)[-1]
    assert (last["loss_positive"] > 0) == (method == "distillation")
    assert (last["target_area"] != {}) == (method == "distillation")


def test_another_size_of_crops_is_another_stage_1(
    trainable: Path, crops_run: Path, tmp_path: Path
) -> None:
    whole = on_crops().model_copy(update={"crops": CropSettings()})
    with pytest.raises(RibsightError, match="crops differ"):
        train(whole, trainable, tmp_path / "run", machine=CPU, options=QUIET, stage1_from=crops_run)


def test_training_on_crops_learns_the_strokes(trainable: Path, tmp_path: Path) -> None:
    longer = on_crops().stage1.model_copy(update={"steps": 60, "learning_rate": 1e-2})
    changed = on_crops().model_copy(update={"stage1": longer, "method": "supervised"})
    train(changed, trainable, tmp_path / "run", machine=CPU, options=QUIET)
    losses = [one["loss_known"] for one in trainings(tmp_path / "run")]
    assert losses[5] < losses[0] / 2


def test_validation_on_a_subset_says_so(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    assert {one["images"] for one in validations(whole_run)} == {12}
    run = tmp_path / "run"
    changed = recipe.model_copy(update={"validation": ValidationSettings(images=6)})
    train(changed, trainable, run, machine=CPU, options=QUIET, stage1_from=whole_run)
    assert {one["images"] for one in validations(run)} == {6}
    assert_same_state(state_of(run), state_of(whole_run))


def test_the_subset_is_half_positive_and_drawn_by_the_seed(trainable: Path) -> None:
    held = load_cohort(trainable).select(Split.VAL)  # 8 positive, 4 negative
    subset = drawn_subset(held, 6, seed=1)
    assert len(subset.ids) == 6
    assert (subset.states == "positive").sum() == 3
    assert set(subset.diagnoses["radiograph"]) == set(subset.ids)
    assert set(subset.regions["radiograph"]) <= set(subset.ids)
    assert subset.ids == drawn_subset(held, 6, seed=1).ids
    assert subset.ids != drawn_subset(held, 6, seed=2).ids
    assert (drawn_subset(held, 10, seed=1).states == "positive").sum() == 6
    assert drawn_subset(held, 0, seed=1) is held


def test_taking_over_stage_1_equals_training_it(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(recipe, trainable, run, machine=CPU, options=QUIET, stage1_from=whole_run)
    assert_same_state(state_of(run), state_of(whole_run))


def test_a_run_that_allows_for_errors_of_records_takes_over_stage_1(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    audited = with_method(recipe, "ribsight").model_copy(
        update={"record_noise": {"fracture": PredictiveValues(positive_predictive_value=0.9)}}
    )
    run = tmp_path / "run"
    train(audited, trainable, run, machine=CPU, options=QUIET, stage1_from=whole_run)
    assert {one["stage"] for one in trainings(run)} == {2}


def test_a_different_stage_1_is_not_taken_over(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    others = {
        "seed": recipe.model_copy(update={"seed": 5}),
        "method": with_method(recipe, "regions_only"),  # whose stage 1 sees no negatives
    }
    for key, other in others.items():
        with pytest.raises(RibsightError, match=f"taken over: {key} differ"):
            train(
                other, trainable, tmp_path / "run", machine=CPU, options=QUIET,
                stage1_from=whole_run,
            )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_the_learning_rate_of_the_recipe_moves_the_weights(
    recipe: Recipe, trainable: Path, whole_run: Path, tmp_path: Path
) -> None:
    still = recipe.stage2.model_copy(update={"learning_rate": 1e-30})
    run = tmp_path / "run"
    changed = recipe.model_copy(update={"stage2": still})
    train(changed, trainable, run, machine=CPU, options=QUIET, stage1_from=whole_run)
    stage1 = load_checkpoint(RunFolder(whole_run).stage1).student
    final = load_checkpoint(RunFolder(run).last).student
    for name in dict(DetectorNetwork(recipe.detector, 1).named_parameters()):
        torch.testing.assert_close(stage1[name], final[name], rtol=0, atol=1e-9)


def test_an_interrupt_saves_and_stops(recipe: Recipe, trainable: Path, tmp_path: Path) -> None:
    def interrupt_at_stage_2(record: Mapping[str, object]) -> None:
        if record["stage"] == 1 and record["kind"] == "validation":
            os.kill(os.getpid(), signal.SIGINT)

    # Whoever starts the tests in the background has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run = tmp_path / "run"
    options = replace(QUIET, observe=interrupt_at_stage_2)
    assert not train(recipe, trainable, run, machine=CPU, options=options)
    assert load_checkpoint(RunFolder(run).last).position == Position(2, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert resume(run, machine=CPU, options=QUIET)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(
    recipe: Recipe, trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = objective_module.step_objective
    calls = 0

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        loss, facts = real(*args, **kwargs)
        return (loss * float("nan") if calls == 6 else loss), facts

    monkeypatch.setattr(optimisation_module, "step_objective", poisoned)
    run = tmp_path / "run"
    options = replace(QUIET, checkpoint_every=5)
    with pytest.raises(NonFiniteLossError, match="stage 1, step 5"):
        train(recipe, trainable, run, machine=CPU, options=options)
    kept = load_checkpoint(RunFolder(run).last)
    assert kept.position == Position(1, 5)
    assert all(bool(torch.isfinite(t).all()) for t in kept.student.values())
    monkeypatch.undo()
    assert resume(run, machine=CPU, options=QUIET)


def test_a_run_is_never_written_over(recipe: Recipe, trainable: Path, whole_run: Path) -> None:
    with pytest.raises(RibsightError, match="not empty"):
        train(recipe, trainable, whole_run, machine=CPU, options=QUIET)


def test_a_run_folder_below_a_file_is_refused_in_one_sentence(
    recipe: Recipe, trainable: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RibsightError, match="cannot write"):
        train(recipe, trainable, tmp_path / "file" / "run", machine=CPU, options=QUIET)


def test_a_damaged_checkpoint_is_refused(whole_run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "last.pt"
    damaged.write_bytes(RunFolder(whole_run).last.read_bytes()[:1000])
    with pytest.raises(RibsightError, match="not a readable checkpoint"):
        load_checkpoint(damaged)


def test_training_learns_the_strokes(recipe: Recipe, trainable: Path, tmp_path: Path) -> None:
    longer = recipe.stage1.model_copy(update={"steps": 60, "learning_rate": 1e-2})
    changed = recipe.model_copy(update={"stage1": longer, "method": "supervised"})
    train(changed, trainable, tmp_path / "run", machine=CPU, options=QUIET)
    losses = [one["loss_known"] for one in trainings(tmp_path / "run")]
    assert losses[5] < losses[0] / 2


def test_a_full_disk_is_one_sentence_and_leaves_nothing_to_trust(
    recipe: Recipe, trainable: Path, full_disk: Path
) -> None:
    run = full_disk / "run"
    with pytest.raises(RibsightError, match="cannot write"):
        train(recipe, trainable, run, machine=CPU, options=QUIET)
    with pytest.raises(RibsightError):
        resume(run, machine=CPU, options=QUIET)
    assert not (run / "model").exists()
