from collections.abc import Callable

import numpy as np
import pytest

from ribsight.simulation.paper.header import Header, draw_header
from ribsight.simulation.paper.machines import MACHINES, Range, Spacing, Voi
from ribsight.simulation.truth import View

DRAWS = 3000


@pytest.fixture(scope="module")
def headers() -> list[Header]:
    random = np.random.default_rng(11)
    views = [View.PA_ERECT, View.LATERAL]
    return [draw_header(random, views[n % 2]) for n in range(DRAWS)]


# Shares of the 7,469 Open-i headers (docs: reference of the collection), 3 standard errors wide.
@pytest.mark.parametrize(
    ("share", "has"),
    [
        (3584 / 7469, lambda h: h.photometric == "MONOCHROME1"),
        (572 / 7469, lambda h: h.presentation_lut_shape == "INVERSE"),
        (988 / 7469, lambda h: h.digital),
        (5906 / 7469, lambda h: h.bits_stored == 12),
        (1476 / 7469, lambda h: h.bits_stored == 15),
        (4103 / 7469, lambda h: h.voi in (Voi.WINDOW, Voi.WINDOWS_AND_LUT)),
        (3037 / 7469, lambda h: h.voi in (Voi.LUT, Voi.WINDOWS_AND_LUT)),
        (355 / 7469, lambda h: h.voi is Voi.NEITHER),
        (2586 / 7469, lambda h: not h.view_position),
        (4073 / 7469, lambda h: h.burned_in_annotation == "NO"),
        (2547 / 7469, lambda h: h.spacing in (Spacing.IMAGER, Spacing.NONE)),
        (2505 / 7469, lambda h: not h.body_part),
        (122 / 7469, lambda h: h.flipped),
    ],
)
def test_shares_are_those_of_open_i(
    headers: list[Header], share: float, has: Callable[[Header], bool]
) -> None:
    drawn = np.mean([has(header) for header in headers])
    assert drawn == pytest.approx(share, abs=3 * (share * (1 - share) / DRAWS) ** 0.5 + 0.01)


def test_the_machines_are_all_but_two_of_the_open_i_images() -> None:
    assert sum(machine.images for machine in MACHINES) == 7467
    assert len({machine.name for machine in MACHINES}) == len(MACHINES)


def test_the_shown_range_lies_within_what_can_be_stored(headers: list[Header]) -> None:
    for header in headers:
        assert 0 <= header.low < header.high <= header.top


def test_machines_that_choose_their_range_leave_headroom(headers: list[Header]) -> None:
    chosen = {one.name for one in MACHINES if one.shown is not Range.FULL}
    for header in headers:
        if header.machine in chosen:
            assert (header.high - header.low) / header.top < 0.85


def test_an_inverse_lut_shape_only_restates_monochrome1(headers: list[Header]) -> None:
    for header in headers:
        if header.presentation_lut_shape is not None:
            inverse = header.presentation_lut_shape == "INVERSE"
            assert inverse == (header.photometric == "MONOCHROME1")


def test_the_view_is_named_rightly_or_not_at_all(headers: list[Header]) -> None:
    words = [{header.view_position for header in headers[start::2]} for start in (0, 1)]
    assert words[0] == {"", "PA"}
    assert {"", "LL", "LATERAL", "RL"} <= words[1] <= {"", "LL", "LATERAL", "LARGE LATERAL", "RL"}


def test_the_films_of_a_study_can_share_a_machine() -> None:
    random = np.random.default_rng(0)
    for machine in MACHINES:
        assert draw_header(random, View.PA_ERECT, machine).machine == machine.name


def test_the_same_seed_gives_the_same_header() -> None:
    first, second = (draw_header(np.random.default_rng(5), View.AP_SUPINE) for _ in range(2))
    assert first == second
