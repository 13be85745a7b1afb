"""Who a result comes from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelIdentity:
    """What a result names as its source: for people, for machines, and who wrote the model."""

    name: str
    sha256: str
    version: str
