"""A tiny model of random weights, for tests of what is done with any model."""

from pathlib import Path

import torch

from ribsight import __version__
from ribsight.detector.model_file import SCHEMA, ModelDescription, save_model
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
from ribsight.radiographs.preprocess import Preprocessing

NETWORK = NetworkSettings(backbone="test_efficientnet", weights="none", pyramid_channels=8)
FINDINGS = ("rib_fracture", "clavicle_fracture")


def tiny_network(*, seed: int = 0, findings: int = len(FINDINGS)) -> DetectorNetwork:
    """Return a network whose maps are neither flat nor saturated, always the same of a seed."""
    torch.manual_seed(seed)
    network = DetectorNetwork(NETWORK, findings).eval()
    with torch.no_grad():
        network.head.weight.normal_(std=0.5)
        network.head.bias = torch.nn.Parameter(torch.zeros(findings))
    return network


def write_tiny_model(
    folder: Path, *, seed: int = 0, size: int = 64, findings: tuple[str, ...] = FINDINGS
) -> Path:
    """Write a model folder with the tiny network of a seed, and return it."""
    description = ModelDescription.model_validate(
        {
            "schema": SCHEMA,
            "name": f"tiny{seed}",
            "findings": list(findings),
            "images": ImageSettings(size=size),
            "preprocessing": Preprocessing(size).key,
            "intensity_mean": 0.5,
            "intensity_std": 0.5,
            "network": NETWORK,
            "marks": MarkSettings(),
            "recipe": {},
            "training": {"method": "supervised"},
            "cohort_sha256": "",
            "ribsight": __version__,
        }
    )
    save_model(tiny_network(seed=seed, findings=len(findings)), description, folder)
    return folder
