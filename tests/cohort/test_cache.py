import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ribsight.cohort import cache as cache_module
from ribsight.cohort.cache import PixelCache, fill_cache
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.radiographs import Preprocessing, preprocess, read_radiograph

SIZE = Preprocessing(32)


def fill(cohort: Cohort, folder: Path, processes: int = 1) -> PixelCache:
    return fill_cache(cohort, SIZE, folder, processes=processes, progress=False)


def with_hash(cohort: Cohort, row: int, sha256: str) -> Cohort:
    hashes = cohort.radiographs["sha256"].to_list()
    hashes[row] = sha256
    return replace(cohort, radiographs=cohort.radiographs.with_columns(sha256=pl.Series(hashes)))


def test_the_cache_holds_what_preprocessing_gives_in_the_order_of_ids(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    backwards = replace(small_cohort, radiographs=small_cohort.radiographs.reverse())
    for cohort in (small_cohort, backwards):
        cache = fill(cohort, tmp_path / "cache")
        assert len(cache) == 12
        for index, file in enumerate(cohort.radiographs["file"]):
            pixels, affine = preprocess(read_radiograph(cohort.images / file), SIZE)
            assert np.array_equal(cache.pixels(index), pixels)
            assert cache.affine(index) == affine


def test_a_bright_dot_is_found_back_in_stored_pixels(small_cohort: Cohort, tmp_path: Path) -> None:
    # One network pixel is 48 / 32 stored pixels wide, so the dot is known to half of that.
    pixels = np.zeros((40, 48), dtype=np.uint8)
    pixels[30:33, 12:15] = 255
    Image.fromarray(pixels).save(small_cohort.images / "img000.png")
    sha256 = file_sha256(small_cohort.images / "img000.png")
    cache = fill(with_hash(small_cohort, 0, sha256), tmp_path)
    y, x = np.unravel_index(cache.pixels(0).argmax(), cache.pixels(0).shape)
    stored = cache.affine(0).to_stored(np.array([[x + 0.5, y + 0.5]]))
    np.testing.assert_allclose(stored, [[13.5, 31.5]], atol=0.75)


def test_pixels_are_read_only(small_cohort: Cohort, tmp_path: Path) -> None:
    cache = fill(small_cohort, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        cache.pixels(0)[0, 0] = 1


def test_two_processes_give_the_same_pixels(small_cohort: Cohort, tmp_path: Path) -> None:
    one, two = fill(small_cohort, tmp_path / "1"), fill(small_cohort, tmp_path / "2", processes=2)
    assert all(np.array_equal(one.pixels(index), two.pixels(index)) for index in range(12))


def test_a_cache_travels_without_its_maps(small_cohort: Cohort, tmp_path: Path) -> None:
    cache = fill(small_cohort, tmp_path)
    before = cache.pixels(3).copy()
    frozen = pickle.dumps(cache)
    assert len(frozen) < 4000
    assert np.array_equal(pickle.loads(frozen).pixels(3), before)


def test_a_full_cache_is_not_decoded_again_and_a_new_image_is_added(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    part = replace(small_cohort, radiographs=small_cohort.radiographs[:5])
    fill(part, tmp_path)
    for file in part.radiographs["file"]:
        (part.images / file).unlink()
    assert len(fill(small_cohort, tmp_path)) == 12
    assert len(list((tmp_path / SIZE.key).glob("index-*"))) == 2


def test_identical_files_are_held_once(small_cohort: Cohort, tmp_path: Path) -> None:
    (small_cohort.images / "img001.png").write_bytes(
        (small_cohort.images / "img000.png").read_bytes()
    )
    same = with_hash(small_cohort, 1, small_cohort.radiographs["sha256"][0])
    cache = fill(same, tmp_path)
    assert (len(cache), cache.row[0]) == (12, cache.row[1])
    (shard,) = (tmp_path / SIZE.key).glob("pixels-*")
    assert len(np.load(shard)) == 11


def test_an_interrupted_fill_keeps_whole_shards_and_nothing_else(
    small_cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "SHARD_IMAGES", 5)
    # Shards are filled in the order of hashes: the eighth breaks the second shard.
    broken = sorted(small_cohort.radiographs["sha256"])[7]
    names = dict(small_cohort.radiographs.select("sha256", "file").rows())
    path = small_cohort.images / names[broken]
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    with pytest.raises(RibsightError, match=f"{path.name} has changed since the cohort was built"):
        fill(small_cohort, tmp_path)
    folder = tmp_path / SIZE.key
    assert sorted(one.suffix for one in folder.iterdir()) == [".npy", ".parquet"]
    path.write_bytes(content)
    assert len(fill(small_cohort, tmp_path)) == 12
    assert len(list(folder.glob("index-*"))) == 3


def damage_no_index(folder: Path) -> None:
    next(folder.glob("index-*")).unlink()


def damage_index(folder: Path) -> None:
    next(folder.glob("index-*")).write_bytes(b"PAR1")


def damage_pixels(folder: Path) -> None:
    pixels = next(folder.glob("pixels-*"))
    pixels.write_bytes(pixels.read_bytes()[:-1])


def damage_shape(folder: Path) -> None:
    pixels = next(folder.glob("pixels-*"))
    np.save(pixels, np.load(pixels)[:-1])


def damage_no_pixels(folder: Path) -> None:
    next(folder.glob("pixels-*")).unlink()


@pytest.mark.parametrize(
    "damage", [damage_no_index, damage_index, damage_pixels, damage_shape, damage_no_pixels]
)
def test_a_damaged_shard_is_not_trusted_but_written_again(
    small_cohort: Cohort, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    cache = fill(small_cohort, tmp_path)
    expected = [cache.pixels(index).copy() for index in range(12)]
    damage(tmp_path / SIZE.key)
    again = fill(small_cohort, tmp_path)
    assert all(np.array_equal(again.pixels(index), expected[index]) for index in range(12))
    assert len(list((tmp_path / SIZE.key).iterdir())) == 2


def test_another_preprocessing_has_its_own_pixels(small_cohort: Cohort, tmp_path: Path) -> None:
    fill(small_cohort, tmp_path)
    wide = fill_cache(small_cohort, Preprocessing(48, bits=16), tmp_path, progress=False)
    assert wide.pixels(0).shape == (48, 48)
    assert wide.pixels(0).dtype == np.uint16
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith("v")) == [
        "v1-32-8",
        "v1-48-16",
    ]


def test_a_missing_image_and_an_unwritable_folder_are_one_sentence(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RibsightError, match="cannot write"):
        fill(small_cohort, tmp_path / "file" / "cache")
    (small_cohort.images / "img003.png").unlink()
    with pytest.raises(RibsightError, match=r"cannot read .*img003.png: No such file"):
        fill(small_cohort, tmp_path)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_to_trust(
    small_cohort: Cohort, full_disk: Path
) -> None:
    with pytest.raises(RibsightError, match="No space left on device"):
        fill(small_cohort, full_disk)
    assert list((full_disk / SIZE.key).iterdir()) == []
