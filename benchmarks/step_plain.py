"""A student-teacher step as one would write it down first, for comparison.

What it does plainly: opens, decodes and scales each image in every step; grey to float in torch;
torchvision's affine for image and mask; tensors as they come (channels first); teacher on the whole
batch, as Mean Teacher's own code does; the average in a Python loop; torch's and the C library's
defaults. What it does not do wrong: no gradient through the teacher, no copy of the network, the
same network, loss, batch and optimiser as ours. What is frozen, the recipe says.
"""

import copy
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ribsight.distillation.recipe import Recipe


def measure(folder: Path, recipe: "Recipe", steps: int, clock: str, *, in_memory: bool) -> float:
    """Return seconds of the fastest of some steps.

    Args:
        folder: a made cohort.
        recipe: whose network, batch of stage 2 and method's parameters count.
        steps: how many.
        clock: "wall" or "cpu".
        in_memory: whether images are decoded and scaled once, before.

    """
    import numpy as np
    import torch
    from PIL import Image, ImageDraw
    from torch.nn.functional import binary_cross_entropy_with_logits
    from torchvision.transforms import functional as tv

    from ribsight.cohort.tables import load_cohort
    from ribsight.detector.network import DetectorNetwork
    from ribsight.distillation.sampling import pools_of, rows_of_step
    from ribsight.distillation.sharpening import sharpen_logits
    from ribsight.findings import Supervision

    cohort = load_cohort(folder)
    supervision = cohort.supervision()[:, 0]
    pools, drawn = pools_of(cohort.supervision()), cohort.drawn(revealed_only=True)
    files = cohort.radiographs["file"].to_list()
    size, random = recipe.images.size, np.random.default_rng(0)
    kept: dict[int, torch.Tensor] = {}

    def opened(row: int) -> torch.Tensor:
        if row in kept:
            return kept[row]
        picture = Image.open(cohort.images / files[row]).convert("L").resize((size, size))
        image = tv.to_tensor(picture)
        if in_memory:
            kept[row] = image
        return image

    def mask_of(row: int) -> torch.Tensor:
        mask = Image.new("L", (size, size))
        whole = cohort.radiographs["width"][row]
        for region in drawn[row]:
            for polygon in region.polygons:
                ImageDraw.Draw(mask).polygon([tuple(p) for p in polygon * size / whole], fill=255)
        return tv.to_tensor(mask)

    def jittered(image: torch.Tensor, strength: float) -> torch.Tensor:
        image = tv.adjust_gamma(image, float(2 ** (strength * random.uniform(-0.5, 0.5))))
        image = tv.adjust_contrast(image, float(1 + strength * random.uniform(-0.3, 0.3)))
        image = image + strength * float(random.uniform(-0.1, 0.1))
        return (image + strength * 0.03 * torch.randn_like(image)).clamp(0, 1)

    def views(row: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        image, mask = opened(row), mask_of(row)
        if random.random() < 0.5:
            image, mask = tv.hflip(image), tv.hflip(mask)
        shift = [int(one) for one in random.uniform(-0.05, 0.05, 2) * size]
        how = (float(random.uniform(-10, 10)), shift, float(random.uniform(0.87, 1.15)), [0.0])
        bilinear = tv.InterpolationMode.BILINEAR
        image = tv.affine(image, *how, interpolation=bilinear)
        mask = tv.affine(mask, *how, interpolation=bilinear)
        return jittered(image, 1.0), jittered(image, 0.5), mask

    student = DetectorNetwork(recipe.detector, 1).train()
    teacher = copy.deepcopy(student).eval()
    optimiser = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=1e-4)
    fastest = float("inf")
    now = time.perf_counter if clock == "wall" else time.process_time
    for step in range(steps):
        start = now()
        rows = rows_of_step(pools, recipe.stage2.batch, 0, 2, step).tolist()
        made = [views(row) for row in rows]
        images, weak, masks = (torch.stack([one[i] for one in made]) for i in range(3))
        target = torch.nn.functional.avg_pool2d(masks, 4)
        with torch.no_grad():
            sharpened = sharpen_logits(teacher(weak), recipe.aals.a0, recipe.aals.t)
        is_positive = torch.tensor([supervision[row] == Supervision.POSITIVE for row in rows])
        target = torch.where(is_positive.view(-1, 1, 1, 1), sharpened, target)
        loss = binary_cross_entropy_with_logits(student(images), target)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            for mine, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
                mine.data.mul_(0.99).add_(theirs.data, alpha=0.01)
        fastest = min(fastest, now() - start) if step else fastest
    return fastest
