"""What the care in the training step is worth: each variant against the plain one, in one run.

    python benchmarks/training.py [--size 256] [--batch 12] [--steps 4] [--crop 160] [--of 512]
                                  [--clock wall]

First whole steps of student and teacher, from files on disk to moved averages: a plain loop
(`step_plain.py` says what it does) and the real one (`step_ours.py`), against what a large matrix
product reaches here. Then what each care is worth alone, and crops.

Variants run in processes of their own, one after the other: how the C library treats freed memory
can be set only once per process. On a machine that others use, `--clock cpu` counts the processor's
time instead of the wall's.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from made_cohort import made_cohort, made_pictures

if TYPE_CHECKING:
    from ribsight.distillation.recipe import Recipe

_PICTURES = 48
_FROZEN = 2
"""Levels that the recipe of whole steps freezes."""

WHOLE: dict[str, dict[str, Any]] = {
    "plain loop": {"loop": "plain", "frozen_levels": 0},
    "plain loop, two levels frozen": {"loop": "plain", "frozen_levels": _FROZEN},
    "the same, images kept in memory": {
        "loop": "plain", "frozen_levels": _FROZEN, "in_memory": True,
    },
    "ours": {"loop": "ours"},
    "ours, --compile": {"loop": "ours", "compiled": True},
}  # fmt: skip

VARIANTS = {
    "plain": {},
    "+ channels last": {"channels_last": True},
    "+ freed memory kept": {"channels_last": True, "keep_memory": True},
    "+ two levels frozen": {"channels_last": True, "keep_memory": True, "frozen_levels": 2},
    "+ norms folded, quick convolutions": {
        "channels_last": True, "keep_memory": True, "frozen_levels": 2, "folded": True,
    },
    "+ a teacher's pass on a third": {
        "channels_last": True, "keep_memory": True, "frozen_levels": 2, "folded": True,
        "teacher": True,
    },
}  # fmt: skip

_CAREFUL = {"channels_last": True, "keep_memory": True, "frozen_levels": 2, "folded": True}
CROPS = {
    "whole images": {**_CAREFUL},
    "whole, a teacher's pass on a quarter": {**_CAREFUL, "looks": 4},
    "crops": {**_CAREFUL, "crops": True},
    "crops, a look for every fourth": {**_CAREFUL, "crops": True, "looks": 4},
    "crops, a look for every eighth": {**_CAREFUL, "crops": True, "looks": 8},
}


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def measure_views(crop: int, size: int, count: int) -> float:
    """Return milliseconds to make one student's view: of the whole image, or a crop of it."""
    import numpy as np

    from ribsight.detector.maps import to_unit_interval
    from ribsight.distillation.augment import centred_on, draw_geometry, perturb, warp
    from ribsight.distillation.recipe import AugmentationSettings

    settings = AugmentationSettings()
    image = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    fastest = float("inf")
    for seed in range(count):
        random = np.random.default_rng(seed)
        start = time.perf_counter()
        matrix = draw_geometry(settings, crop, random)
        if crop != size:
            matrix = centred_on(np.full(2, size / 2), matrix, crop)
        perturb(to_unit_interval(warp(image, matrix, crop)), settings, random)
        fastest = min(fastest, time.perf_counter() - start)
    return 1000 * fastest


def gigaflops(clock: str, side: int = 2048) -> float:
    """Return what a large float32 matrix product reaches here, in 10^9 operations a second."""
    import torch

    a, b = torch.rand(side, side), torch.rand(side, side)
    fastest, now = float("inf"), CLOCKS[clock]
    for _ in range(5):
        start = now()
        torch.mm(a, b)
        fastest = min(fastest, now() - start)
    return 2 * side**3 / fastest / 1e9


def operations(size: int, batch: int, frozen_levels: int, looks: int) -> float:
    """Return the 10^9 multiplications and additions of one step: student, gradient, teacher.

    Those of convolutions; nothing else of the network counts. (torch's own counter takes the
    gradients of depthwise convolutions for those of full ones.)
    """
    import torch

    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import NetworkSettings

    network = DetectorNetwork(NetworkSettings(weights="none", frozen_levels=frozen_levels), 1)
    total = 0.0

    def count(conv: torch.nn.Conv2d, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        once = 2 * output.numel() * conv.weight[0].numel()
        passes = 1 + (inputs[0].requires_grad + conv.weight.requires_grad) * output.requires_grad
        total += once * passes

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    network.train()(torch.rand(batch, 1, size, size))
    with torch.no_grad():
        network(torch.rand(looks, 1, size, size))
    return total / 1e9


def whole_recipe(size: int, batch: int, steps: int) -> "Recipe":
    """Return the recipe of whole steps: AALS, a third of the batch record-positives."""
    from ribsight.distillation.recipe import Recipe

    third = batch // 3
    shares = {"regions": third, "positives": third, "negatives": batch - 2 * third}
    stage = {"steps": steps + 1, "learning_rate": 1e-4, "batch": shares}
    return Recipe.model_validate(
        {
            "method": "aals",
            "validate_every": 10 * steps,
            "images": {"size": size},
            "detector": {"weights": "none", "frozen_levels": _FROZEN},
            "stage1": {**stage, "batch": {"regions": third, "negatives": third}},
            "stage2": stage,
        }
    )


def measure_whole(options: dict[str, Any], given: argparse.Namespace) -> tuple[float, float]:
    """Return seconds of the fastest whole step and of the teacher's part in it (0: not known)."""
    recipe, folder = whole_recipe(given.size, given.batch, given.steps), Path(given.folder)
    if options["loop"] == "plain":
        from step_plain import measure as plain

        kept = bool(options.get("in_memory"))
        # Kept images must all have been seen once.
        steps = given.steps + (_PICTURES if kept else 0)
        frozen = {"frozen_levels": options["frozen_levels"]}
        recipe = recipe.model_copy(update={"detector": recipe.detector.model_copy(update=frozen)})
        return plain(folder, recipe, steps, given.clock, in_memory=kept), 0.0
    from step_ours import measure as ours

    step = ours(folder, recipe, given.steps, given.clock, compiled=bool(options.get("compiled")))
    return step.whole, step.teacher


def whole_steps(given: argparse.Namespace) -> None:
    """Print the table of whole steps."""
    third = given.batch // 3
    print(
        f"one whole step of student and teacher, {given.batch} radiographs of {2 * given.size} "
        f"pixels seen at {given.size}, {third} of them record-positives"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cohort"
        images = Path(name) / "images"
        images.mkdir()
        from ribsight.cohort.tables import save_cohort

        cohort = made_cohort(_PICTURES, 2 * given.size, images, every=2, drawn=_PICTURES // 4)
        save_cohort(made_pictures(cohort), folder)
        took: dict[str, tuple[float, float]] = {}
        for label, options in WHOLE.items():
            if options.get("compiled") and shutil.which("g++") is None:
                print(f"{label:38} there is no C++ compiler")
                continue
            command = [sys.executable, __file__, "--variant", json.dumps(options)]
            command += [f"--folder={folder}", f"--clock={given.clock}", f"--size={given.size}"]
            command += [f"--batch={given.batch}", f"--steps={given.steps}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            whole, teacher = json.loads(done.stdout.splitlines()[-1])
            took[label] = (whole, teacher)
            each = whole / given.batch
            print(
                f"{label:38} {1000 * each:7.1f} ms/image {1 / each:7.1f} images/s "
                f"{took['plain loop'][0] / whole:5.2f} x plain",
                flush=True,
            )
    whole, teacher = took["ours"]
    print(f"the teacher's share of our step: {teacher / whole:.0%}")
    limit = gigaflops(given.clock)
    needed = operations(given.size, given.batch, _FROZEN, third)
    print(
        f"a large matrix product: {limit:.0f} GFLOP/s; our step: {needed:.0f} GFLOP, "
        f"{needed / whole:.0f} GFLOP/s, {needed / whole / limit:.0%} of the limit"
    )


def measure(options: dict[str, int], size: int, batch: int, steps: int, of: int) -> float:
    """Return milliseconds per view of the fastest of some steps.

    Args:
        options: of the variant.
        size: side of the views.
        batch: views in a step.
        steps: how often to measure.
        of: side of the whole images that the teacher looks at, once for `options["looks"]` views.

    """
    import torch

    from ribsight.detector.folding import fold_frozen_norms
    from ribsight.detector.memory import keep_freed_memory
    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import NetworkSettings
    from ribsight.distillation.recipe import TeacherSettings
    from ribsight.distillation.teacher import Teacher

    if options.get("keep_memory"):
        keep_freed_memory()
    settings = NetworkSettings(weights="none", frozen_levels=options.get("frozen_levels", 0))
    network = DetectorNetwork(settings, 1)
    if options.get("folded"):
        fold_frozen_norms(network.backbone)
    if options.get("channels_last"):
        network = network.to(memory_format=torch.channels_last)
    network.train()
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    shown = batch // options["looks"] if "looks" in options else batch // 3
    has_teacher = "looks" in options or options.get("teacher")
    teacher = Teacher(network, TeacherSettings()) if has_teacher else None
    images, looks = torch.rand(batch, 1, size, size), torch.rand(shown, 1, of, of)
    fastest, now = float("inf"), CLOCKS[options.get("clock", "wall")]
    for _ in range(steps):
        start = now()
        loss = torch.nn.functional.softplus(network(images)).mean()
        if teacher is not None:
            loss = loss + teacher.logits(looks).mean() * 0
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if teacher is not None:
            teacher.update(network)
        fastest = min(fastest, now() - start)
    return 1000 * fastest / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--crop", type=int, default=160)
    parser.add_argument("--of", type=int, default=512)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant:
        options = json.loads(given.variant)
        if "loop" in options:
            print(json.dumps(measure_whole(options, given)))
        else:
            print(measure(options, given.size, given.batch, given.steps, given.of))
        return
    whole_steps(given)
    print(f"\nstudent alone, lite0 FPN, {given.batch} images of {given.size} x {given.size}")
    table(VARIANTS, given, given.batch, "plain", of=given.size)
    print(
        f"\none step of 16 views: crops of {given.crop} against whole images of {given.of} pixels"
    )
    table(CROPS, given, 16, "whole", of=given.of)
    whole, crop = (measure_views(side, given.of, 40) for side in (given.of, given.crop))
    print(f"{'making a whole view':38} {whole:7.2f} ms")
    print(f"{'making a crop':38} {crop:7.2f} ms        {whole / crop:5.2f} x whole")


def table(
    variants: dict[str, dict[str, int]],
    given: argparse.Namespace,
    batch: int,
    against: str,
    *,
    of: int,
) -> dict[str, float]:
    """Return milliseconds per view of variants, each in a process of its own, and print them."""
    first = None
    all_took: dict[str, float] = {}
    for name, options in variants.items():
        size = given.crop if options.get("crops") else of
        sizes = [f"--size={size}", f"--batch={batch}", f"--steps={given.steps}", f"--of={of}"]
        asked = json.dumps({**options, "clock": given.clock})
        command = [sys.executable, __file__, "--variant", asked, *sizes]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = float(done.stdout)
        first = first or took
        all_took[name] = took
        print(f"{name:38} {took:7.1f} ms/view   {first / took:5.2f} x {against}", flush=True)
    return all_took


if __name__ == "__main__":
    main()
