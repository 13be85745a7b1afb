"""What the care in the training step is worth: each variant against the plain one, in one run.

    python benchmarks/training.py [--size 256] [--batch 12] [--steps 4]

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


def measure(options: dict[str, int], size: int, batch: int, steps: int) -> float:
    """Return milliseconds per image of the fastest of some steps."""
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
    teacher = Teacher(network, TeacherSettings()) if options.get("teacher") else None
    images = torch.rand(batch, 1, size, size)
    fastest = float("inf")
    for _ in range(steps):
        start = time.perf_counter()
        loss = torch.nn.functional.softplus(network(images)).mean()
        if teacher is not None:
            loss = loss + teacher.logits(images[: batch // 3]).mean() * 0
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
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant:
        print(measure(json.loads(given.variant), given.size, given.batch, given.steps))
        return
    plain = None
    print(f"one training step of lite0 FPN, {given.batch} images of {given.size} x {given.size}")
    for name, options in VARIANTS.items():
        sizes = [f"--{key}={getattr(given, key)}" for key in ("size", "batch", "steps")]
        command = [sys.executable, __file__, "--variant", json.dumps(options), *sizes]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = float(done.stdout)
        plain = plain or took
        print(f"{name:32} {took:7.1f} ms/image   {plain / took:5.2f} x plain", flush=True)


if __name__ == "__main__":
    main()
