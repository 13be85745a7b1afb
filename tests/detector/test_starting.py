"""Starting from an earlier model: what is taken over, what stays fresh, what is refused."""

from pathlib import Path

import pytest
import torch
from tests.tiny_model import NETWORK, tiny_network, write_tiny_model

from ribsight.detector.network import DetectorNetwork
from ribsight.detector.starting import start_from_model, starts_from_model
from ribsight.errors import RibsightError


def test_backbone_pyramid_and_the_head_of_known_findings_are_taken_over(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "run" / "model")
    theirs = tiny_network()
    torch.manual_seed(1)
    mine = DetectorNetwork(NETWORK, 2)
    fresh = mine.head.weight[0].clone()
    assert starts_from_model(str(tmp_path / "run"))
    assert starts_from_model(str(tmp_path / "run" / "model"))
    known = start_from_model(mine, ("fracture", "rib_fracture"), tmp_path / "run")
    assert known == ["rib_fracture"]
    for name, tensor in theirs.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(mine.state_dict()[name], tensor), name
    assert torch.equal(mine.head.weight[1], theirs.head.weight[0])
    assert torch.equal(mine.head.weight[0], fresh)


def test_another_pyramid_is_refused(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model")
    wider = DetectorNetwork(NETWORK.model_copy(update={"pyramid_channels": 16}), 1)
    with pytest.raises(RibsightError, match=r"pyramid_channels = 8, the recipe 16"):
        start_from_model(wider, ("fracture",), tmp_path / "model")


@pytest.mark.parametrize("weights", ["imagenet", "none", "weights.safetensors"])
def test_other_weights_are_no_model(weights: str) -> None:
    assert not starts_from_model(weights)
