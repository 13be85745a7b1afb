"""A tiny model and services made of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.deployment.conftest import write_tiny_model

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.service.context import Context, open_context
from ribsight.deployment.service.settings import Secrets, ServiceSettings

NewContext = Callable[..., Context]


@pytest.fixture(scope="session")
def tiny_detector(tmp_path_factory: pytest.TempPathFactory) -> DetectorAtWork:
    """A detector of random weights."""
    return DetectorAtWork.load(write_tiny_model(tmp_path_factory.mktemp("tiny") / "model"))


@pytest.fixture
def new_context(tmp_path: Path, tiny_detector: DetectorAtWork) -> Iterator[NewContext]:
    """Return a function that opens a context on the test's data folder, closed with the test."""
    opened: list[Context] = []

    def open_one(
        settings: ServiceSettings | None = None, secrets: Secrets | None = None
    ) -> Context:
        context = open_context(
            settings or ServiceSettings(), secrets or Secrets(), tiny_detector, tmp_path / "data"
        )
        opened.append(context)
        return context

    yield open_one
    for one in opened:
        one.close()
