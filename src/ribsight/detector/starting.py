"""Weights of an earlier model to start from, instead of a backbone's alone."""

from pathlib import Path

import torch

from ribsight.detector.model_file import is_model, load_model
from ribsight.detector.network import DetectorNetwork
from ribsight.errors import RibsightError


def starts_from_model(weights: str) -> bool:
    """Return whether `NetworkSettings.weights` names a model folder or a finished run."""
    return is_model(Path(weights)) or is_model(Path(weights) / "model")


@torch.no_grad()
def start_from_model(network: DetectorNetwork, findings: tuple[str, ...], path: Path) -> list[str]:
    """Give a network the weights of an earlier model: backbone, pyramid, and the head by finding.

    Args:
        network: to fill, in place.
        findings: names of its K maps; one that the model does not know keeps its fresh row.
        path: a model folder or a run.

    Returns:
        The findings that the model knows.

    Raises:
        RibsightError: no model, or of another backbone or pyramid.

    """
    folder = path if is_model(path) else path / "model"
    theirs, description = load_model(folder)
    own = network.settings
    for key in ("backbone", "pyramid_channels", "pyramid_norm"):
        if getattr(own, key) != getattr(description.network, key):
            raise RibsightError(
                f"detector.weights = '{path}' has {key} = {getattr(description.network, key)!r}, "
                f"the recipe {getattr(own, key)!r}: make them the same"
            )
    network.backbone.load_state_dict(theirs.backbone.state_dict())
    network.pyramid.load_state_dict(theirs.pyramid.state_dict())
    known = [one for one in findings if one in description.findings]
    assert network.head.bias is not None
    assert theirs.head.bias is not None
    for one in known:
        mine, other = findings.index(one), description.findings.index(one)
        network.head.weight[mine] = theirs.head.weight[other]
        network.head.bias[mine] = theirs.head.bias[other]
    return known
