"""What the care in the training step is worth: each variant against the plain one, in one run.

    python benchmarks/training.py [--size 256] [--batch 12] [--steps 4] [--crop 160] [--of 512]

Variants run in processes of their own, one after the other: how the C library treats freed memory
can be set only once per process.
"""

import argparse
import json
import subprocess
import sys
import time

VARIANTS = {
    "plain": {},
    "+ channels last": {"channels_last": True},
    "+ freed memory kept": {"channels_last": True, "keep_memory": True},
    "+ two levels frozen": {"channels_last": True, "keep_memory": True, "frozen_levels": 2},
    "+ a teacher's pass on a third": {
        "channels_last": True, "keep_memory": True, "frozen_levels": 2, "teacher": True,
    },
}  # fmt: skip

_CAREFUL = {"channels_last": True, "keep_memory": True, "frozen_levels": 2}
CROPS = {
    "whole images": {**_CAREFUL},
    "whole, a teacher's pass on a quarter": {**_CAREFUL, "looks": 4},
    "crops": {**_CAREFUL, "crops": True},
    "crops, a look for every fourth": {**_CAREFUL, "crops": True, "looks": 4},
    "crops, a look for every eighth": {**_CAREFUL, "crops": True, "looks": 8},
}


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


def gigaflops(side: int = 2048) -> float:
    """Return what a large float32 matrix product reaches here, in 10^9 operations a second."""
    import torch

    a, b = torch.rand(side, side), torch.rand(side, side)
    fastest = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(a, b)
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * side**3 / fastest / 1e9


def operations(size: int, batch: int, frozen_levels: int, looks: int) -> float:
    """Return the 10^9 multiplications and additions of one step: student, gradient, teacher."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import NetworkSettings

    network = DetectorNetwork(NetworkSettings(weights="none", frozen_levels=frozen_levels), 1)
    network.train()
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(network(torch.rand(batch, 1, size, size)).mean())
        with torch.no_grad():
            network(torch.rand(looks, 1, size, size))
    return counter.get_total_flops() / 1e9


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

    from ribsight.detector.memory import keep_freed_memory
    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import NetworkSettings
    from ribsight.distillation.recipe import TeacherSettings
    from ribsight.distillation.teacher import Teacher

    if options.get("keep_memory"):
        keep_freed_memory()
    settings = NetworkSettings(weights="none", frozen_levels=options.get("frozen_levels", 0))
    network = DetectorNetwork(settings, 1)
    if options.get("channels_last"):
        network = network.to(memory_format=torch.channels_last)
    network.train()
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    shown = batch // options["looks"] if "looks" in options else batch // 3
    has_teacher = "looks" in options or options.get("teacher")
    teacher = Teacher(network, TeacherSettings()) if has_teacher else None
    images, looks = torch.rand(batch, 1, size, size), torch.rand(shown, 1, of, of)
    fastest = float("inf")
    for _ in range(steps):
        start = time.perf_counter()
        loss = torch.nn.functional.softplus(network(images)).mean()
        if teacher is not None:
            loss = loss + teacher.logits(looks).mean() * 0
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if teacher is not None:
            teacher.update(network)
        fastest = min(fastest, time.perf_counter() - start)
    return 1000 * fastest / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--crop", type=int, default=160)
    parser.add_argument("--of", type=int, default=512)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant:
        options = json.loads(given.variant)
        print(measure(options, given.size, given.batch, given.steps, given.of))
        return
    print(f"one training step of lite0 FPN, {given.batch} images of {given.size} x {given.size}")
    took = table(VARIANTS, given, given.batch, "plain", of=given.size)
    limit = gigaflops()
    needed = operations(given.size, given.batch, 2, given.batch // 3)
    reached = needed / (list(took.values())[-1] * given.batch / 1000)
    print(f"a large matrix product: {limit:.0f} GFLOP/s; that step: {needed:.0f} GFLOP, ", end="")
    print(f"{reached:.0f} GFLOP/s, {reached / limit:.0%} of the limit")
    without, whole = list(took.values())[-2:]
    print(f"the teacher's share of that step: {1 - without / whole:.0%}")
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
        command = [sys.executable, __file__, "--variant", json.dumps(options), *sizes]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = float(done.stdout)
        first = first or took
        all_took[name] = took
        print(f"{name:38} {took:7.1f} ms/view   {first / took:5.2f} x {against}", flush=True)
    return all_took


if __name__ == "__main__":
    main()
