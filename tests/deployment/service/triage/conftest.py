"""A service whose store holds a few films with results, and how it is asked."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from playwright.sync_api import Browser
from pydicom import uid
from tests.deployment.service.triage.browser import CHROMIUM, Reading, launched, served
from tests.deployment.service.triage.seeding import add_image
from tests.radiographs.conftest import dicom_bytes

from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.tables import State
from ribsight.evaluation.predictions import FindingPrediction, Mark
from ribsight.findings import Certainty, Side

LOCAL = "http://127.0.0.1:8042"
PAGE = {"X-Ribsight": "triage"}
RIB, CLAVICLE = "rib_fracture", "clavicle_fracture"
HEIGHT, WIDTH = 300, 400
DAY = 86_400.0
FIRST = 1_790_000_000.0
"""When the first film was received."""

NewContext = Callable[..., Context]


def write_film(path: Path, pixels: NDArray[Any] | None = None, **attributes: object) -> Path:
    """Write a DICOM file of 12-bit values; instance and study are of its name."""
    if pixels is None:
        rows, columns = np.indices((HEIGHT, WIDTH))
        pixels = 500 + rows + columns + len(path.stem)
    unique = {
        "SOPInstanceUID": uid.generate_uid(entropy_srcs=[path.stem, "instance"]),
        "StudyInstanceUID": uid.generate_uid(entropy_srcs=[path.stem, "study"]),
        "AccessionNumber": f"A-{path.stem}",
        "ViewPosition": "PA",
    }
    content = dicom_bytes(
        pixels.astype(np.uint16), uid.ExplicitVRLittleEndian, {**unique, **attributes}
    )
    path.write_bytes(content)
    return path


def mark(
    x0: float, y0: float, x1: float, y1: float, probability: float, side: Side = Side.UNKNOWN
) -> Mark:
    """A mark whose score is half its probability, doubtful from 0.3 and confident from 0.6 on."""
    box = (x0, y0, x1, y1)
    score = probability / 2
    certain = certainty_of(probability)
    return Mark((x0 + x1) / 2, (y0 + y1) / 2, box, score, probability, certain, side)


def certainty_of(probability: float) -> Certainty | None:
    if probability < 0.3:
        return None
    return Certainty.CONFIDENT if probability >= 0.6 else Certainty.DOUBTFUL


def finding(probability: float, *marks: Mark) -> FindingPrediction:
    return FindingPrediction(probability / 2, marks, probability, certainty_of(probability))


@dataclass
class Seeded:
    """A service with films.

    Attributes:
        context: of the service.
        client: that asks its app.
        ids: of the images, by name.
    """

    context: Context
    client: TestClient
    ids: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: str | int) -> Any:
        answer = self.client.get(path, params={"reader": "A", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, **query: str | int) -> list[str]:
        """Return the names of the worklist's images, in its order."""
        by_id = {id_: name for name, id_ in self.ids.items()}
        return [by_id[one["id"]] for one in self.get("/api/worklist", **query)["items"]]

    def review(self, name: str, **changes: Any) -> dict[str, Any]:
        """A review of an image by A that judges nothing."""
        return {
            "review_id": str(uuid.uuid4()),
            "reader": "A",
            "model_sha256": self.context.detector.identity.sha256,
            "based_on": None,
            "complete": False,
            "marks": [],
            "drawn": [],
            **changes,
        }

    def post(self, name: str, review: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        path = f"/api/images/{self.ids[name]}/reviews"
        return self.client.post(path, json=review, headers=PAGE if headers is None else headers)


@pytest.fixture
def seeded(new_context: NewContext, tmp_path: Path) -> Seeded:
    """Six films: high, middle and low probability; a clavicle; one refused; one waiting."""
    context = new_context()
    return seed(context, tmp_path / "films")


def seed(context: Context, folder: Path) -> Seeded:
    folder.mkdir()
    films: dict[str, dict[str, FindingPrediction] | None] = {
        "high": {
            RIB: finding(0.9, mark(40, 60, 90, 100, 0.9, Side.RIGHT), mark(200, 80, 230, 120, 0.4)),
            CLAVICLE: finding(0.05),
        },
        "middle": {RIB: finding(0.52, mark(10, 10, 60, 50, 0.52)), CLAVICLE: finding(0.1)},
        "low": {RIB: finding(0.02, mark(300, 200, 340, 240, 0.02)), CLAVICLE: finding(0.03)},
        "clavicle": {RIB: finding(0.2), CLAVICLE: finding(0.7, mark(100, 20, 180, 60, 0.7))},
        "refused": None,
        "waiting": None,
    }
    seeded = Seeded(context, TestClient(create_app(context), base_url=LOCAL))
    for day, (name, found) in enumerate(films.items()):
        file = write_film(folder / f"{name}.dcm")
        seeded.ids[name] = add_image(
            context,
            file,
            found,
            reason="is not scored: lateral" if name == "refused" else "",
            state=State.SCHEDULED if name == "waiting" else State.COMPLETED,
            received_at=FIRST + day * DAY,
        )
    return seeded


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless chromium, or a skip."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with launched() as one:
        yield one


@dataclass
class Room:
    """Where readers sit: one service, one browser.

    Attributes:
        seeded: the service.
        address: where it answers.
        browser: the readers'.
        readings: of this test.
    """

    seeded: Seeded
    address: str
    browser: Browser
    readings: list[Reading] = field(default_factory=list)

    def reading(self, width: int = 1280, height: int = 800, **options: Any) -> Reading:
        """Open a page in a browser profile of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", **options
        )
        one = Reading(context.new_page(), self.address)
        one.watch()
        self.readings.append(one)
        return one

    def latest(self, name: str, reader: str = "A") -> Any:
        """Return the review that counts of an image, or None."""
        return self.seeded.get(f"/api/images/{self.seeded.ids[name]}", reader=reader)["review"]


@pytest.fixture
def new_room(browser: Browser) -> Iterator[Callable[[Seeded], Room]]:
    """Return a function that opens a room on a service; at the end no page may have had trouble."""
    with ExitStack() as stack:
        rooms = []

        def open_one(seeded: Seeded) -> Room:
            address = stack.enter_context(served(seeded.client.app))
            rooms.append(Room(seeded, address, browser))
            return rooms[-1]

        yield open_one
        readings = [one for room in rooms for one in room.readings]
        for one in readings:
            one.page.context.close()
        assert [trouble for one in readings for trouble in one.troubles] == []


@pytest.fixture
def room(seeded: Seeded, new_room: Callable[[Seeded], Room]) -> Room:
    """A room on the service with six films."""
    return new_room(seeded)
