"""Temporal Ensembling: what is accumulated, corrected, brought back from views and kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ribsight.distillation.augment import draw_geometry
from ribsight.distillation.checkpoint import Checkpoint, Position, load_checkpoint, save_checkpoint
from ribsight.distillation.crops import cut_maps
from ribsight.distillation.ensemble import Predictions, TemporalEnsemble, brought_back
from ribsight.distillation.recipe import AugmentationSettings
from ribsight.errors import RibsightError

SIZE, CELLS = 64, 16
ROWS = np.array([3, 7, 8])


def said(row: int, place: int, value: float | Tensor, seen: Tensor | None = None) -> Predictions:
    shown = torch.ones(1, 1, CELLS, CELLS) if seen is None else seen
    maps = torch.full((1, 2, CELLS, CELLS), value) if isinstance(value, float) else value
    return Predictions(np.array([row]), np.array([place]), maps * shown, shown)


def ensemble() -> TemporalEnsemble:
    return TemporalEnsemble(ROWS, findings=2, size=SIZE, decay=0.6)


def test_the_target_is_the_bias_corrected_average_of_laine_and_aila() -> None:
    remembered = ensemble()
    values, z = [0.2, 0.7, 0.1, 0.9], 0.0
    for turn, value in enumerate(values, start=1):
        remembered.remember([said(7, 0, value)], places=1)
        z = 0.6 * z + 0.4 * value
        logits, known = remembered.recall(np.array([7]))
        expected = torch.full((1, 2, CELLS, CELLS), z / (1 - 0.6**turn))
        torch.testing.assert_close(torch.sigmoid(logits), expected, atol=5e-4, rtol=2e-3)
        assert bool((known == 1).all())
    # After one turn the target is that turn's prediction; another radiograph knows nothing.
    assert bool((remembered.recall(np.array([3]))[1] == 0).all())


def test_a_cell_outside_the_view_keeps_what_it_had() -> None:
    remembered = ensemble()
    left = torch.zeros(1, 1, CELLS, CELLS)
    left[..., :8] = 1.0
    remembered.remember([said(3, 0, 0.5, left)], places=1)
    remembered.remember([said(3, 0, 0.9)], places=1)
    logits, known = remembered.recall(np.array([3]))
    probability = torch.sigmoid(logits)
    twice = (0.6 * 0.4 * 0.5 + 0.4 * 0.9) / (1 - 0.6**2)
    assert probability[0, 0, 0, 0].item() == pytest.approx(twice, abs=1e-3)
    assert probability[0, 0, 0, 12].item() == pytest.approx(0.9, abs=1e-3)
    assert bool((known == 1).all())


def test_a_flipped_view_comes_back_exactly() -> None:
    logits = torch.randn(1, 2, CELLS, CELLS, generator=torch.Generator().manual_seed(1))
    flipped = np.array([[[-1.0, 0.0, SIZE], [0.0, 1.0, 0.0]]])
    back = brought_back(logits, flipped, np.array([3]), np.array([0]), SIZE)
    torch.testing.assert_close(back.maps, torch.sigmoid(logits).flip(-1))
    assert bool((back.seen == 1).all())


def test_a_turned_and_shifted_view_comes_back_where_it_was_seen() -> None:
    # A smooth map, so that interpolating twice changes little.
    y, x = torch.meshgrid(torch.arange(CELLS) + 0.5, torch.arange(CELLS) + 0.5, indexing="ij")
    smooth = torch.exp(-((x - 9) ** 2 + (y - 6) ** 2) / 30)[None, None]
    settings = AugmentationSettings(rotation=20.0, scale=0.2, shift=0.2)
    matrix = draw_geometry(settings, SIZE, np.random.default_rng(4))[None]
    view = cut_maps(smooth, matrix, SIZE)
    back = brought_back(torch.logit(view, eps=1e-6), matrix, np.array([3]), np.array([0]), SIZE)
    inside = back.seen[0, 0] > 0
    assert 0.4 < inside.float().mean() < 1.0
    assert (back.maps[0, 0][inside] - smooth[0, 0][inside]).abs().max() < 0.07
    assert bool((back.maps[0, 0][~inside] == 0).all())


def test_a_crop_comes_back_to_its_place() -> None:
    matrix = np.array([[[1.0, 0.0, -32.0], [0.0, 1.0, 0.0]]])  # the picture's top-right quarter
    logits = torch.full((1, 2, 8, 8), 2.0)
    back = brought_back(logits, matrix, np.array([3]), np.array([0]), SIZE)
    expected = torch.zeros(CELLS, CELLS)
    expected[:8, 8:] = 1.0
    assert torch.equal(back.seen[0, 0], expected)


def test_a_radiograph_twice_in_a_step_counts_twice_in_the_order_of_places() -> None:
    one, other = ensemble(), ensemble()
    one.remember([said(7, 1, 0.9), said(7, 0, 0.1)], places=2)
    other.remember([said(7, 0, 0.1)], places=1)
    other.remember([said(7, 0, 0.9)], places=1)
    assert torch.equal(one.recall(np.array([7]))[0], other.recall(np.array([7]))[0])


def test_processes_remember_what_all_of_them_said() -> None:
    shares = [[said(3, 0, 0.3)], [said(8, 1, 0.8)]]
    alone = ensemble()
    alone.remember([*shares[0], *shares[1]], places=3)
    laid_out = [ensemble()._laid_out(one, 3) for one in shares]
    sums = iter([a + b for a, b in zip(*laid_out, strict=True)])
    together = ensemble()
    together.remember(shares[0], places=3, add=lambda _: next(sums))
    for rows in ROWS[:, None]:
        for a, b in zip(alone.recall(rows), together.recall(rows), strict=True):
            assert torch.equal(a, b)


def test_it_survives_a_checkpoint_and_older_ones_are_read(tmp_path: Path) -> None:
    remembered = ensemble()
    remembered.remember([said(8, 0, 0.4)], places=1)
    state = remembered.state_dict()
    assert state["rows"].tolist() == [8]  # no room for what was never seen
    plain = Checkpoint(Position(2, 1), {}, {}, {}, {})
    save_checkpoint(replace(plain, ensemble=state), tmp_path / "a.pt")
    again = ensemble()
    again.remember([said(3, 0, 0.4)], places=1)
    again.load_state_dict(load_checkpoint(tmp_path / "a.pt").ensemble)
    assert torch.equal(again.recall(ROWS)[0], remembered.recall(ROWS)[0])
    document = torch.load(tmp_path / "a.pt", weights_only=True)
    del document["ensemble"]
    torch.save(document, tmp_path / "old.pt")
    assert load_checkpoint(tmp_path / "old.pt").ensemble == {}


def test_more_maps_than_a_checkpoint_can_hold_are_refused() -> None:
    with pytest.raises(RibsightError, match=r"100000 radiographs in every checkpoint: 31 GiB"):
        TemporalEnsemble(np.arange(100_000), findings=2, size=1024, decay=0.6)
