import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image
from tests.deployment.service.triage.conftest import (
    CLAVICLE,
    HEIGHT,
    LOCAL,
    RIB,
    WIDTH,
    NewContext,
    Seeded,
    finding,
    write_film,
)
from tests.deployment.service.triage.seeding import add_image, add_result

from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.settings import ServiceSettings
from ribsight.deployment.service.triage.films import LONGEST_SIDE
from ribsight.deployment.service.triage.heat import heat_png
from ribsight.detector.maps import StoredImage
from ribsight.radiographs import read_radiograph
from ribsight.radiographs.preprocess import Affine, Preprocessing, preprocess
from ribsight.radiographs.radiograph import Radiograph


def test_pixels_are_the_stored_ones_with_the_files_window_aside(
    new_context: NewContext, tmp_path: Path
) -> None:
    context = new_context()
    file = write_film(tmp_path / "a.dcm", WindowCenter="800", WindowWidth="200")
    image = add_image(context, file, {RIB: finding(0.9), CLAVICLE: finding(0.1)})
    answer = TestClient(create_app(context), base_url=LOCAL).get(f"/api/images/{image}/pixels")
    assert answer.status_code == 200
    assert (answer.headers["x-width"], answer.headers["x-height"]) == (str(WIDTH), str(HEIGHT))
    assert answer.headers["x-scale"] == "1"
    assert answer.headers["cache-control"] == "no-store"
    sent = np.frombuffer(answer.content, "<u2").reshape(HEIGHT, WIDTH)
    low, high = map(int, answer.headers["x-window"].split(","))
    assert 0 < low < high < 65535
    shown = ((sent.astype(float) - low) / (high - low)).clip(0, 1) * 65535
    np.testing.assert_allclose(shown, read_radiograph(file).pixels, atol=300)
    # The film rises to the right and downwards all the way: nothing is cut off.
    assert (np.diff(sent.astype(int), axis=1) > 0).all()
    assert (np.diff(sent.astype(int), axis=0) > 0).all()


def test_a_large_film_is_sent_smaller_and_covers_the_same(
    new_context: NewContext, tmp_path: Path
) -> None:
    context = new_context()
    pixels = np.zeros((1500, 3001))
    pixels[600:900, 1500:1800] = 3000
    image = add_image(context, write_film(tmp_path / "a.dcm", pixels), {RIB: finding(0.9)})
    client = TestClient(create_app(context), base_url=LOCAL)
    answer = client.get(f"/api/images/{image}/pixels")
    width, height = int(answer.headers["x-width"]), int(answer.headers["x-height"])
    assert (width, height) == (LONGEST_SIDE, round(1500 / 3001 * LONGEST_SIDE))
    assert float(answer.headers["x-scale"]) == pytest.approx(3001 / LONGEST_SIDE, rel=1e-5)
    sent = np.frombuffer(answer.content, "<u2").reshape(height, width)
    rows, columns = np.nonzero(sent > sent.max() / 2)
    edges = np.array([columns.min(), columns.max() + 1, rows.min(), rows.max() + 1])
    stored = edges * np.array([3001 / width, 3001 / width, 1500 / height, 1500 / height])
    np.testing.assert_allclose(stored, [1500, 1800, 600, 900], atol=1.5)
    said = client.get(f"/api/images/{image}", params={"reader": "A"}).json()
    assert (said["width"], said["height"]) == (3001, 1500)


def test_an_image_says_what_its_header_says_and_no_name(seeded: Seeded) -> None:
    answer = seeded.client.get(f"/api/images/{seeded.ids['high']}", params={"reader": "A"})
    image = answer.json()
    assert image["header"]["accession"] == "A-high"
    assert image["header"]["view"] == "pa"
    assert image["pixels"] is True
    rib = image["findings"][0]
    assert [one["key"] for one in rib["marks"]] == [f"{RIB}/0", f"{RIB}/1"]
    assert rib["marks"][0]["side"] == "right"


def test_a_refused_image_is_shown_and_a_waiting_one_is_left_to_the_worker(seeded: Seeded) -> None:
    refused = seeded.get(f"/api/images/{seeded.ids['refused']}")
    assert (refused["reason"], refused["pixels"]) == ("is not scored: lateral", True)
    assert (refused["width"], refused["height"]) == (WIDTH, HEIGHT)
    waiting = seeded.get(f"/api/images/{seeded.ids['waiting']}")
    assert (waiting["state"], waiting["pixels"]) == ("waiting", False)


def test_a_file_without_pixels_is_a_reason(seeded: Seeded) -> None:
    image = seeded.ids["high"]
    seeded.context.folder.image(image).write_bytes(b"not DICOM")
    assert seeded.get(f"/api/images/{image}")["pixels"] is False
    answer = seeded.client.get(f"/api/images/{image}/pixels")
    assert answer.status_code == 422
    assert "is not a readable" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["", "/pixels", f"/heat/{RIB}"])
def test_an_unknown_image_is_404(seeded: Seeded, path: str) -> None:
    url = f"/api/images/{'0' * 64}{path}"
    assert seeded.client.get(url, params={"reader": "A"}).status_code == 404


def test_a_heat_map_is_the_detectors_map_over_the_stored_image(seeded: Seeded) -> None:
    image, detector = seeded.ids["high"], seeded.context.detector
    answer = seeded.client.get(f"/api/images/{image}/heat/{CLAVICLE}")
    assert answer.headers["content-type"] == "image/png"
    picture = opened(answer.content)
    assert picture.shape == (384, 512)  # 300 x 400, the longer side made 512
    prepared = detector.prepare(read_radiograph(seeded.context.folder.image(image)))
    probability = detector.maps([prepared])[0, 1]
    for x, y in ((50.5, 40.5), (200.5, 150.5), (390.5, 290.5)):
        (u, v) = prepared.stored.affine.to_network(np.array([[x, y]]))[0] / 4 - 0.5
        expected = _bilinear(probability, u, v)
        seen = picture[int(y * 384 / 300), int(x * 512 / 400)]
        assert seen == pytest.approx(255 * expected, abs=4)
    assert seeded.client.get(f"/api/images/{image}/heat/none").status_code == 404


def opened(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def _bilinear(values: NDArray[np.float32], u: float, v: float) -> float:
    u, v = np.clip(u, 0, values.shape[1] - 1.001), np.clip(v, 0, values.shape[0] - 1.001)
    column, row = int(u), int(v)
    a, b = u - column, v - row
    top = (1 - a) * values[row, column] + a * values[row, column + 1]
    bottom = (1 - a) * values[row + 1, column] + a * values[row + 1, column + 1]
    return float((1 - b) * top + b * bottom)


@pytest.mark.parametrize("crop", ["none", "collimation"])
def test_a_hot_cell_of_a_heat_map_lies_where_the_affine_puts_it(crop: str) -> None:
    pixels = np.full((600, 900), 100, np.uint8)
    pixels[:40] = 0
    radiograph = Radiograph(pixels, 8, field=(100, 500, 200, 800))
    preprocessing = Preprocessing(256, crop="collimation" if crop == "collimation" else "none")
    _, affine = preprocess(radiograph, preprocessing)
    probability = np.zeros((64, 64), np.float32)
    probability[30, 20] = 1
    picture = opened(heat_png(probability, StoredImage(affine, 900, 600)))
    row, column = np.unravel_index(int(picture.argmax()), picture.shape)
    (x, y) = affine.to_stored(np.array([[20.5 * 4, 30.5 * 4]]))[0]
    height, width = picture.shape
    assert (column + 0.5) * 900 / width == pytest.approx(x, abs=900 / width + 1)
    assert (row + 0.5) * 600 / height == pytest.approx(y, abs=600 / height + 1)


def test_a_transposed_and_mirrored_heat_map_lies_right_too() -> None:
    affine = Affine(-0.4, 0.4, 200, 10, transposed=True)
    probability = np.zeros((64, 64), np.float32)
    probability[12, 40] = 1
    picture = opened(heat_png(probability, StoredImage(affine, 500, 500)))
    row, column = np.unravel_index(int(picture.argmax()), picture.shape)
    (x, y) = affine.to_stored(np.array([[40.5 * 4, 12.5 * 4]]))[0]
    assert (column + 0.5) * 500 / 512 == pytest.approx(x, abs=2)
    assert (row + 0.5) * 500 / 512 == pytest.approx(y, abs=2)


def test_another_models_image_has_no_heat_map(seeded: Seeded) -> None:
    image = seeded.ids["high"]
    add_result(seeded.context, image, {RIB: finding(0.9)}, model_sha256="1" * 64)
    assert seeded.client.get(f"/api/images/{image}/heat/{RIB}").status_code == 409


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(seeded: Seeded) -> None:
    answer = seeded.client.get("/", follow_redirects=True)
    assert answer.url.path == "/triage/"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    page = answer.text
    assert "Research only: not a medical device" in page
    assert "://" not in page
    assert "style=" not in page
    assert " on" not in {part[:3] for part in page.split("<script")[1:]}
    for name in ("main.js", "page.css", "icon.svg"):
        one = seeded.client.get(f"/triage/{name}")
        assert one.status_code == 200
        assert one.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2frouter.py", "../router.py", "none.js", "%2e%2e/desk.py"])
def test_only_the_pages_files_are_given_out(seeded: Seeded, name: str) -> None:
    assert seeded.client.get(f"/triage/{name}").status_code == 404


def test_with_a_token_the_page_opens_and_the_images_need_it(
    new_context: NewContext, tmp_path: Path
) -> None:
    context = new_context(ServiceSettings(), Secrets(token="a-token-of-the-test"))
    client = TestClient(create_app(context), base_url=LOCAL)
    assert client.get("/triage/").status_code == 200
    assert client.get("/triage/main.js").status_code == 200
    for path in ("/api/about", "/api/worklist?reader=A", "/api/regions.coco.json"):
        assert client.get(path).status_code == 401
        known = {"Authorization": "Bearer a-token-of-the-test"}
        assert client.get(path, headers=known).status_code == 200
