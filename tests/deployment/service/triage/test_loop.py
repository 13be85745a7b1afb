"""The whole loop with its real parts: STOW, worker, page in a browser, export, cohort."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser
from sqlalchemy import func, select
from tests.deployment.service.clients import stow, wait_until
from tests.deployment.service.triage.browser import Reading
from tests.deployment.service.triage.conftest import CLAVICLE, RIB, write_film

from ribsight.cli.main import cli
from ribsight.cohort.tables import load_cohort
from ribsight.deployment.service import tables
from ribsight.deployment.service.audit import verify
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.serve import Service
from ribsight.files import file_sha256


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_film_comes_in_is_read_and_teaches(
    new_context: Callable[..., Context],
    new_service: Callable[..., Service],
    browser: Browser,
    tmp_path: Path,
) -> None:
    context = new_context()
    service = new_service(context)
    assert service.http
    chest: dict[str, Any] = {"Modality": "CR", "BodyPartExamined": "CHEST"}
    films = [write_film(tmp_path / f"{name}.dcm", **chest) for name in ("drawn", "negative")]
    assert stow(service.http.port, [one.read_bytes() for one in films]).status_code == 200
    drawn, negative = map(file_sha256, films)
    address = f"http://127.0.0.1:{service.http.port}"

    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    reading = Reading(page, address)
    reading.watch()
    wait_until(lambda: is_done(context, 2))
    reading.start("Dr. A")
    reading.open(drawn)
    reading.press("b", "n", "a", "d", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter", "c")
    assert reading.save().status == 201
    (box,) = page.evaluate("fetch('../api/regions.coco.json').then(one => one.json())")[
        "annotations"
    ][1:]
    reading.open(negative)
    reading.press("c")
    assert reading.save().status == 201
    assert reading.troubles == []
    page.context.close()

    # The service goes on running meanwhile.
    regions, readings, diagnoses = (tmp_path / one for one in ("r.json", "r.csv", "d.csv"))
    said = run(
        "feedback", context.folder.path, "--out", regions, "--readings", readings,
        "--diagnoses", diagnoses,
    )  # fmt: skip
    assert said.startswith(
        "2 reviewed images, 2 complete: 2 regions (1 accepted, 1 drawn), 1 without any"
    )
    cohort = tmp_path / "cohort"
    names = [f"--{what}={one}={one}" for one in (RIB, CLAVICLE) for what in ("category", "finding")]
    run(
        "cohort", "build", "--images", context.folder.images, "--diagnoses", diagnoses,
        "--regions", regions, "--out", cohort, *names,
    )  # fmt: skip
    run("cohort", "readings", cohort, readings)
    built = load_cohort(cohort)
    assert built.regions["radiograph"].to_list() == [drawn, drawn]
    assert built.regions["reader"].to_list() == ["Dr. A", "Dr. A"]
    x, y, width, height = box["bbox"]
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    assert built.regions["polygons"].to_list()[1][0] == pytest.approx(corners)
    states = built.diagnoses.filter(pl.col("finding") == RIB).select("radiograph", "state")
    assert dict(states.rows()) == {drawn: "positive", negative: "negative"}
    assert "2 radiographs: 0 errors" in run("cohort", "check", cohort)

    service.stop()
    verify(context.folder.audit_log)
    log = context.folder.audit_log.read_text()
    assert log.count('"event": "review"') == 2
    assert "A-drawn" not in log  # the accession number


def is_done(context: Context, count: int) -> bool:
    wanted = select(func.count()).where(tables.results.c.kind == tables.Kind.FINDINGS)
    with context.store.reading() as connection:
        return connection.execute(wanted).scalar_one() == count
