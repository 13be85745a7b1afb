"""Train the classifier of views, measure it, and write its weights into the package.

    ribsight simulate A --patients 120 --laterals 1 --seed 611 --size 256
    ribsight simulate D --patients 400 --laterals 1 --seed 612 --size 256
    ribsight simulate B --patients 60 --laterals 1 --seed 613 --size 256
    ribsight simulate C --patients 12 --laterals 1 --seed 620 --size 256 --ct CT --labels LABELS
    python tools/train_view_classifier.py --chests A D --held-out B --held-out-ct C
        --ct CT --others FRACATLAS --real DICOM

Chests are simulated registries, others the folder of FracAtlas (`dataset.csv`, `images`);
of its blocks of 25 neighbouring ids, `id // 25`, every fifth is held out. CT, a NIfTI file, is also
projected along parallel rays without the simulator. Files of `--real` are only looked at. Prints
Markdown tables.
"""

import argparse
import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import nibabel
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import rotate
from torch import nn

from ribsight.errors import RibsightError
from ribsight.radiographs import image_files, image_id, read_radiograph, view_classifier
from ribsight.radiographs.view_classifier import SIDE, Look, network_input

Film = NDArray[np.float32]

KINDS = ("frontal", "lateral", "other")
STORED = 128
"""Side of the films kept in memory: they are turned and cut before they shrink to SIDE."""
WEIGHTS = Path(view_classifier.__file__).with_suffix(".npz")
FRONTAL = ("pa_erect", "ap_supine")
BLOCK, EVERY = 25, 5
_COARSE = np.hypot(np.fft.fftfreq(STORED)[:, None], np.fft.rfftfreq(STORED)) < 0.08


@dataclass(frozen=True)
class Films:
    """(STORED, STORED) films in [0, 1] by kind."""

    frontal: list[Film]
    lateral: list[Film]
    other: list[Film]


def main() -> None:
    options = parse()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    trained, held_out = films_of_fracatlas(options.others)
    chests = [films_of_registry(folder) for folder in options.chests]
    films = Films(
        [film for one in chests for film in one.frontal],
        [film for one in chests for film in one.lateral],
        trained,
    )
    print(f"training: {len(films.frontal)} frontal, {len(films.lateral)} lateral, "
          f"{len(films.other)} other films")  # fmt: skip
    if not options.measure:
        np.savez_compressed(WEIGHTS, **folded(train(films, options)))
        view_classifier._weights.cache_clear()
    calibrate(films, options.seed)
    report(held_out, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chests", type=Path, nargs="+", required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--held-out-ct", type=Path, required=True)
    parser.add_argument("--ct", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--measure", action="store_true", help="only measure the weights there are")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--films-a-round", type=int, default=3000)
    return parser.parse_args()


# Reading


def films_of_registry(folder: Path) -> Films:
    with (folder / "truth" / "radiographs.csv").open() as stream:
        views = {row["radiograph"]: row["view"] for row in csv.DictReader(stream)}
    files = {path: views[image_id(path)] for path in image_files(folder / "images")}
    return Films(
        [film_of(path) for path, view in files.items() if view in FRONTAL],
        [film_of(path) for path, view in files.items() if view == "lateral"],
        [],
    )


def films_of_fracatlas(folder: Path) -> tuple[list[Film], list[Film]]:
    """Return films to train on and films held out."""
    parts: tuple[list[Film], list[Film]] = ([], [])
    for path in image_files(folder / "images"):
        block = int("".join(filter(str.isdigit, path.stem))) // BLOCK
        try:
            parts[block % EVERY == 0].append(film_of(path))
        except RibsightError as error:
            print(f"left out: {error}")
    return parts


def films_of_ct(file: Path, angles: Sequence[float]) -> Films:
    """Return sums of attenuation along parallel rays through a CT, turned by these degrees."""
    image = nibabel.as_closest_canonical(nibabel.load(file))
    attenuation = np.asarray(image.dataobj, np.float32).clip(-1000, 1500) + 1000
    frontal, lateral = [], []
    for angle in angles:
        turned = rotate(attenuation[::2, ::2], angle, axes=(0, 1), reshape=False, order=1)
        # Canonical axes run to the right, front and top: rows of a film run down.
        frontal.append(scaled(turned.sum(1).T[::-1, ::-1]))
        lateral.append(scaled(turned.sum(0).T[::-1, ::-1]))
    return Films(frontal, lateral, [])


def film_of(path: Path) -> Film:
    return scaled(read_radiograph(path).pixels.astype(np.float32))


def scaled(pixels: Film) -> Film:
    small = cv2.resize(pixels, (STORED, STORED), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, (0.2, 99.8))
    return np.asarray((small - low) / max(high - low, 1e-6), np.float32).clip(0, 1)


# What may happen to a film


def varied(film: Film, styles: Sequence[Film], random: np.random.Generator) -> Film:
    """Return a film as another room, machine, archive or hurry would have given it."""
    if random.random() < 0.6:
        film = in_style_of(film, styles[random.integers(len(styles))], random)
    changes: tuple[tuple[float, Callable[[Film, np.random.Generator], Film]], ...] = (
        (0.3, covered), (0.9, moved), (0.8, toned), (0.4, shaded), (0.4, collimated),
        (0.5, marked), (0.4, blurred), (0.5, noisy), (0.4, compressed),
    )  # fmt: skip
    for probability, change in changes:
        if random.random() < probability:
            film = change(film, random)
    return film


def in_style_of(film: Film, style: Film, random: np.random.Generator) -> Film:
    """Mix the fine spectrum of another film in, so that texture does not tell simulated from real.

    After Yang and Soatto, FDA, CVPR 2020, here for all but the coarsest frequencies.
    """
    mine, other = np.fft.rfft2(film), np.fft.rfft2(style)
    size, share = np.abs(mine), random.uniform(0, 0.7)
    factor = 1 - share + share * np.abs(other) / np.maximum(size, 1e-6)
    factor[_COARSE] = 1
    return np.fft.irfft2(mine * factor, s=film.shape).astype(np.float32).clip(0, 1)


def moved(film: Film, random: np.random.Generator) -> Film:
    angle, centre = np.deg2rad(random.normal(0, 6)), STORED / 2
    across, down = np.exp(random.normal(0.04, 0.16, 2))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = matrix @ np.diag([across, down]) @ np.array([[1, random.normal(0, 0.05)], [0, 1]])
    shift = centre - matrix @ (centre, centre) + random.normal(0, 0.07 * STORED, 2)
    affine = np.column_stack([matrix, shift])
    border = random.choice([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE])
    value = float(random.choice([0.0, 0.0, 1.0, 0.5]))
    return np.asarray(
        cv2.warpAffine(film, affine, film.shape, borderMode=int(border), borderValue=value),
        np.float32,
    )


def toned(film: Film, random: np.random.Generator) -> Film:
    film = film ** np.exp(random.normal(0, 0.4))
    low, high = random.uniform(-0.1, 0.25), random.uniform(0.7, 1.1)
    return ((film - low) / (high - low)).clip(0, 1)


def shaded(film: Film, random: np.random.Generator) -> Film:
    y, x = np.mgrid[-1 : 1 : STORED * 1j, -1 : 1 : STORED * 1j].astype(np.float32)
    slope = random.normal(0, 0.25, 2).astype(np.float32)
    return (film + slope[0] * x + slope[1] * y).clip(0, 1).astype(np.float32)


def covered(film: Film, random: np.random.Generator) -> Film:
    """Add soft bright patches: opacities, devices, blankets."""
    film = film.copy()
    for _ in range(random.integers(1, 4)):
        patch = np.zeros_like(film)
        centre = [int(one) for one in random.integers(0, STORED, 2)]
        axes = [int(one) for one in random.integers(5, STORED // 4, 2)]
        cv2.ellipse(patch, centre, axes, float(random.uniform(0, 180)), 0, 360, 1.0, -1)
        patch = cv2.GaussianBlur(patch, (0, 0), float(random.uniform(1, 8)))
        film += patch * np.float32(random.uniform(-0.25, 0.5))
    return film.clip(0, 1)


def collimated(film: Film, random: np.random.Generator) -> Film:
    left, top, right, bottom = (random.exponential(0.05, 4).clip(0, 0.2) * STORED).astype(int)
    result = np.full_like(film, random.choice([0.0, 0.0, 1.0, 0.15]))
    inside = (slice(top, STORED - bottom), slice(left, STORED - right))
    result[inside] = film[inside]
    return result


def marked(film: Film, random: np.random.Generator) -> Film:
    for _ in range(random.integers(1, 4)):
        text = "".join(random.choice(list("LRPAER 0123456789:"), random.integers(1, 9)))
        place = (int(random.integers(STORED)), int(random.integers(STORED)))
        film = written(film, text, place, random.uniform(0.25, 0.8), random.choice([1, 1, 0]))
    return film


def written(film: Film, text: str, place: tuple[int, int], size: float, ink: float) -> Film:
    letters = np.zeros(film.shape, np.uint8)
    cv2.putText(letters, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1)
    return np.where(letters > 0, np.float32(ink), film)


def blurred(film: Film, random: np.random.Generator) -> Film:
    return np.asarray(cv2.GaussianBlur(film, (0, 0), float(random.uniform(0.3, 1.6))), np.float32)


def noisy(film: Film, random: np.random.Generator) -> Film:
    noise = random.normal(0, random.uniform(0.01, 0.08), film.shape).astype(np.float32)
    if random.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), 1.0) * 2
    return (film + noise).clip(0, 1)


def compressed(film: Film, random: np.random.Generator) -> Film:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(10, 80))]
    _, coded = cv2.imencode(".jpg", np.rint(255 * film).astype(np.uint8), quality)
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float32) / 255


def page(random: np.random.Generator) -> Film:
    """Return a report, a screen or a chart: words, lines and boxes."""
    background, ink = random.choice([(0.0, 1.0), (1.0, 0.0), (0.15, 0.8), (0.9, 0.2)])
    film = np.full((STORED, STORED), background, np.float32)
    step, size = int(random.integers(6, 18)), random.uniform(0.2, 0.6)
    for y in range(step, STORED, step):
        if random.random() < 0.75:
            letters = list("abcdefghij mnop rstu :0123")
            words = "".join(random.choice(letters, random.integers(2, 40)))
            place = (int(random.integers(2, 30)), y)
            film = written(film, words, place, size, ink)
    for _ in range(random.integers(0, 4)):
        one, two = random.integers(0, STORED, (2, 2))
        width = int(random.choice([1, 1, -1]))
        cv2.rectangle(film, one.tolist(), two.tolist(), float(random.random()), width)
    return film


def fragment(film: Film, random: np.random.Generator) -> Film:
    """Return a small part of a chest film, which is no chest film."""
    side = int(random.uniform(0.15, 0.3) * STORED)
    y, x = random.integers(0, STORED - side, 2)
    part = film[y : y + side, x : x + side]
    return np.asarray(cv2.resize(part, film.shape, interpolation=cv2.INTER_LINEAR), np.float32)


# Learning


class Network(nn.Module):
    """Four convolutions of stride 2, then one layer to kinds (3), turns (4) and inversion (1)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (2, 16, 32, 48, 64)
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b))
            for a, b in pairwise(widths)
        )
        self.dropout = nn.Dropout(0.4)
        self.linear = nn.Linear(widths[-1] * (SIDE // 16) ** 2, 8)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Map (N, 2, SIDE, SIDE) planes to (N, 8) logits."""
        for layer in self.convolutions:
            planes = torch.relu(layer(planes))
        return self.linear(self.dropout(planes.flatten(1)))


def train(films: Films, options: argparse.Namespace) -> Network:
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.02)
    batch, count = 64, options.films_a_round
    steps = options.rounds * (count // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for round_ in range(options.rounds):
        losses = []
        random = np.random.default_rng((options.seed, round_))
        for _ in range(count // batch):
            planes, kinds, turns, inverted = drawn(films, batch, random)
            logits = network(planes)
            chest = kinds < 2
            loss = nn.functional.cross_entropy(logits[:, :3], kinds, label_smoothing=0.02)
            loss = loss + 0.5 * nn.functional.cross_entropy(logits[chest, 3:7], turns[chest])
            loss = loss + 0.5 * nn.functional.binary_cross_entropy_with_logits(
                logits[chest, 7], inverted[chest]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"round {round_ + 1}: loss {np.mean(losses):.3f}", flush=True)
    return network.eval()


def drawn(
    films: Films, count: int, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return planes, kinds, quarter turns and inversions of a batch."""
    styles = films.other
    planes, kinds = [], random.choice(3, count, p=(0.35, 0.25, 0.4))
    turns = np.where(random.random(count) < 0.5, 0, random.integers(0, 4, count))
    inverted = random.random(count) < 0.3
    for kind, turn, is_inverted in zip(kinds, turns, inverted, strict=True):
        pool = (films.frontal, films.lateral, films.other)[kind]
        film = pool[random.integers(len(pool))]
        if kind == 2 and (chance := random.random()) < 0.15:
            chests = films.frontal if chance < 0.1 else films.lateral
            film = page(random) if chance < 0.05 else fragment(
                chests[random.integers(len(chests))], random
            )  # fmt: skip
        film = varied(film[:, ::-1] if random.random() < 0.5 else film, styles, random)
        film = np.rot90(film, -turn)
        planes.append(network_input(1 - film if is_inverted else film))
    return (
        torch.from_numpy(np.stack(planes)),
        torch.from_numpy(kinds),
        torch.from_numpy(turns),
        torch.from_numpy(inverted.astype(np.float32)),
    )


def folded(network: Network) -> dict[str, NDArray[np.float16]]:
    """Return the weights with batch normalisation folded in."""
    result = {}
    for number, (convolution, norm) in enumerate(network.convolutions):
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        result[f"convolution{number}"] = convolution.weight * scale[:, None, None, None]
        result[f"bias{number}"] = norm.bias - norm.running_mean * scale
    result["linear"], result["bias"] = network.linear.weight, network.linear.bias
    return {name: value.detach().numpy().astype(np.float16) for name, value in result.items()}


# Measuring


def calibrate(films: Films, seed: int) -> None:
    """Print how many of the films trained on, varied anew, each limit would refuse."""
    random = np.random.default_rng((seed, 1 << 20))
    limits = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
    print(
        "\n| trained on, varied anew | films | " + " | ".join(f"< {one}" for one in limits) + " |"
    )
    print("| --- " * (2 + len(limits)) + "|")
    for kind, pool in zip(KINDS, (films.frontal, films.lateral, films.other), strict=True):
        some = [pool[index] for index in random.integers(0, len(pool), 1000)]
        found = [look(varied(film, films.other, random)).frontal for film in some]
        shares = " | ".join(f"{np.mean([one < limit for one in found]):.1%}" for limit in limits)
        print(f"| {kind} | {len(some)} | {shares} |")


def report(others: list[Film], options: argparse.Namespace) -> None:
    """Print how often pixels refuse, and what they say of turns and polarity."""
    held_out = films_of_registry(options.held_out)
    ct = films_of_registry(options.held_out_ct)
    projected = films_of_ct(options.ct, np.linspace(-8, 8, 9))
    sets = {
        "simulated frontal": held_out.frontal,
        "simulated frontal, varied": changed(held_out.frontal, others, 5),
        "frontal from CT (1 patient)": ct.frontal,
        "frontal from CT, varied": changed(ct.frontal, others, 20),
        "projected CT, frontal": projected.frontal,
        "simulated lateral": held_out.lateral,
        "simulated lateral, varied": changed(held_out.lateral, others, 5),
        "projected CT, lateral": projected.lateral,
        "FracAtlas": others,
        "pages": [page(np.random.default_rng(seed)) for seed in range(200)],
    }
    limit = view_classifier.REFUSING
    print(f"\n| held out | films | likeliest frontal | refused, below {limit} (95 % interval) |")
    print("| --- | --- | --- | --- |")
    looks = {name: [look(film) for film in films] for name, films in sets.items()}
    for name, seen in looks.items():
        frontal = sum(one.frontal >= max(one.lateral, one.other) for one in seen)
        refused = sum(one.is_refused for one in seen)
        print(f"| {name} | {len(seen)} | {frontal / len(seen):.1%} | "
              f"{refused / len(seen):.1%} {interval(refused, len(seen))} |")  # fmt: skip
    print("\n| held-out frontal | turn right | false word on turns | polarity right |")
    print("| --- | --- | --- | --- |")
    for name in ("simulated frontal", "frontal from CT (1 patient)"):
        print(f"| {name} | " + " | ".join(turns_and_polarity(sets[name])) + " |")
    if options.real:
        for path in image_files(options.real):
            print(f"{path.name}: {view_classifier.look_at(read_radiograph(path).pixels)}")


def look(film: Film) -> Look:
    return view_classifier.look_at(np.rint(255 * film).astype(np.uint8))


def changed(films: list[Film], styles: list[Film], times: int) -> list[Film]:
    random = np.random.default_rng(int(hashlib.sha256(b"held out").hexdigest()[:8], 16))
    return [varied(film, styles, random) for film in films for _ in range(times)]


def turns_and_polarity(films: list[Film]) -> tuple[str, str, str]:
    right = noticed = polarity = 0
    for film in films:
        for quarter in range(4):
            seen = look(np.ascontiguousarray(np.rot90(film, -quarter)))
            right += seen.turn == 90 * quarter
            noticed += bool(seen.turn) != bool(quarter) and bool(seen.warnings())
        polarity += (look(film).inverted < 0.5) + (look(1 - film).inverted >= 0.5)
    count = len(films)
    return f"{right / 4 / count:.1%}", f"{noticed / 4 / count:.1%}", f"{polarity / 2 / count:.1%}"


def interval(hits: int, count: int) -> str:
    """Return Wilson's 95 % interval of a share."""
    z, share = 1.96, hits / count
    middle = (share + z * z / 2 / count) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / 2 / count) ** 2)
    return f"({max(middle - half, 0):.1%} to {min(middle + half, 1):.1%})"


if __name__ == "__main__":
    main()
