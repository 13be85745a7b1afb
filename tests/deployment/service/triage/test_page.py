"""The page in a real browser: what readers see and do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Locator, Page, Route, expect
from tests.deployment.service.triage.conftest import (
    CLAVICLE,
    LOCAL,
    RIB,
    NewContext,
    Room,
    Seeded,
    finding,
    mark,
    seed,
    write_film,
)
from tests.deployment.service.triage.seeding import add_image

from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.settings import ServiceSettings

CONFIDENT = "rib, confident, 90 %, right"
DOUBTFUL = "rib, doubtful, 40 %"


def test_the_list_opens_its_first_image_and_marks_are_toggled(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    rows = page.locator("#rows [role=option]")
    assert rows.count() == 6
    assert "rib 90 %" in rows.nth(0).inner_text()
    assert rows.nth(0).get_attribute("aria-selected") == "true"
    assert reading.marks() == [CONFIDENT, DOUBTFUL]
    layer(page, "doubtful").uncheck()
    assert reading.marks() == [CONFIDENT]
    layer(page, "confident").uncheck()
    assert reading.marks() == []
    layer(page, "confident").check()
    layer(page, "rib").click()
    assert reading.marks() == []
    layer(page, "rib").click()
    reading.press("m")
    assert reading.marks() == []
    reading.press("m")
    assert reading.marks() == [CONFIDENT]
    reading.open(room.seeded.ids["low"])
    assert reading.marks() == []
    reading.press("b")
    assert reading.marks() == ["rib, below threshold, 2 %"]
    # A doubtful box is dotted, a confident one is not.
    reading.open(room.seeded.ids["middle"])
    layer(page, "doubtful").check()
    dash = page.locator("#drawings .line").evaluate("one => getComputedStyle(one).strokeDasharray")
    assert dash == "0px, 5px"


def layer(page: Page, name: str) -> Locator:
    return page.locator("#layers").get_by_role("checkbox", name=name, exact=True)


def test_window_by_drag_preset_and_keyboard(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    first = reading.grey(0.5, 0.5)
    reading.press("i")
    assert reading.grey(0.5, 0.5)[0] == pytest.approx(255 - first[0], abs=1)
    reading.press("i")
    reading.press(",", ",", ",")
    assert reading.grey(0.5, 0.5)[0] < first[0] - 5
    assert page.input_value("#preset") == "own"
    reading.press("1")
    assert reading.grey(0.5, 0.5) == first
    page.select_option("#preset", "full")
    assert "window 32768 / 65535" in reading.readout()
    box = page.locator("#stage").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = reading.grey(0.1, 0.2), reading.grey(0.9, 0.8)
    reading.drag(middle, (middle[0] - 120, middle[1]))
    after = reading.grey(0.1, 0.2), reading.grey(0.9, 0.8)
    # To the left narrows: dark becomes darker, light lighter.
    assert after[0][0] <= before[0][0]
    assert after[1][0] - after[0][0] > before[1][0] - before[0][0]
    reading.drag(middle, (middle[0], middle[1] + 60))
    assert reading.grey(0.9, 0.8)[0] < after[1][0]


def test_zoom_and_pan_by_wheel_keyboard_and_drag(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page

    def place() -> dict[str, float]:
        reading.frame()
        found = page.locator("#drawings .mark .line").first.bounding_box()
        assert found
        return {name: float(found[name]) for name in ("x", "y", "width", "height")}

    fitted = place()
    page.mouse.move(fitted["x"] + 1, fitted["y"] + 1)
    page.mouse.wheel(0, -300)
    zoomed = place()
    # What is under the pointer stays there.
    assert zoomed["width"] > 1.4 * fitted["width"]
    assert zoomed["x"] == pytest.approx(fitted["x"], abs=3)
    assert zoomed["y"] == pytest.approx(fitted["y"], abs=3)
    reading.press("Shift+ArrowRight")
    assert place()["x"] == pytest.approx(zoomed["x"] - 60, abs=1)
    reading.press("f")
    assert place() == fitted
    reading.press("+")
    assert place()["width"] > fitted["width"]
    reading.press("-", "-")
    assert place()["width"] < fitted["width"]
    reading.press("z")
    assert "zoom 1.00" in reading.readout()
    page.get_by_role("radio", name="Pan").click()
    before = place()
    start = before["x"] + 200, before["y"] + 200
    reading.drag(start, (start[0] + 37, start[1] - 21))
    after = place()
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((37, -21), abs=1)
    page.dblclick("#stage", position={"x": 300, "y": 300})
    assert place() == fitted


def bright(width: int, height: int, box: tuple[int, int, int, int]) -> Any:
    pixels = np.zeros((height, width))
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = 4000
    return pixels


@pytest.mark.parametrize(
    ("size", "box", "wheel", "density"),
    [
        ((400, 300), (120, 40, 200, 110), 0, 1),
        ((300, 700), (30, 480, 150, 560), 0, 1),
        ((300, 700), (30, 480, 150, 560), -400, 2),
        ((3001, 1500), (2100, 333, 2500, 700), 0, 2),
        ((3001, 1500), (2100, 333, 2500, 700), -500, 1),
        ((2000, 2500), (5, 1900, 190, 2495), -700, 1),
    ],
)
def test_a_box_is_kept_where_it_was_drawn(
    new_context: NewContext,
    new_room: Callable[[Seeded], Room],
    tmp_path: Path,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    wheel: int,
    density: float,
) -> None:
    """Drawn around a bright rectangle as the screen shows it, whatever the page thinks it shows."""
    context = new_context()
    film = write_film(tmp_path / "a.dcm", bright(*size, box))
    image = add_image(context, film, {RIB: finding(0.9)})
    room = new_room(Seeded(context, TestClient(create_app(context), base_url=LOCAL), {"a": image}))
    reading = room.reading(device_scale_factor=density)
    reading.start()
    page = reading.page
    page.evaluate("document.getElementById('readout').hidden = true")
    found = seen(reading, density)
    if wheel:
        page.mouse.move(found[0] + 1, found[3] - 1)
        page.mouse.wheel(0, wheel)
        found = seen(reading, density)
    zoom = (found[2] - found[0]) / (box[2] - box[0])
    page.get_by_role("radio", name="Draw").click()
    reading.drag(found[:2], found[2:])
    assert reading.save().status == 201
    (drawn,) = room.latest("a")["drawn"]
    # The edges are seen to half a sent pixel and to one pixel of the screen.
    sent = max(size[0] / 2048, size[1] / 2048, 1)
    assert drawn["box"] == pytest.approx(box, abs=sent / 2 + 1.01 / zoom)
    # Drawn again it lies around the rectangle: the way back to the screen is right too.
    page.evaluate("document.getElementById('readout').hidden = true")
    outline = page.locator("#drawings .mark .line").bounding_box()
    assert outline
    x, y, width, height = (outline[name] for name in ("x", "y", "width", "height"))
    assert (x, y, x + width, y + height) == pytest.approx(found, abs=2)


def seen(reading: Any, density: float) -> tuple[float, float, float, float]:
    picture, (left, top) = reading.picture()
    rows, columns = np.nonzero(picture > 127)
    return (
        left + columns.min() / density,
        top + rows.min() / density,
        left + (columns.max() + 1) / density,
        top + (rows.max() + 1) / density,
    )


def test_accept_reject_undo_save_and_find_it_again(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    page.get_by_role("button", name=f"accept {CONFIDENT}").click()
    page.click(f"[data-key='{RIB}/1'] .touch", force=True)
    reading.press("r")
    page.get_by_label("Nothing missed").check()
    assert "1 region, nothing else." in page.inner_text("#consequence")
    reading.press("u", "u", "u", "Shift+U", "Shift+U", "Shift+U")
    assert reading.save().status == 201
    expect(page.locator("#rows .row.read")).to_have_count(1)
    assert room.latest("high")["complete"] is True
    page.reload()
    reading.settled()
    for word, name in (("accept", CONFIDENT), ("reject", DOUBTFUL)):
        button = page.get_by_role("button", name=f"{word} {name}")
        assert button.get_attribute("aria-pressed") == "true"
    assert page.get_by_label("Nothing missed").is_checked()
    assert "Saved 1 time" in page.inner_text("#history")
    other = room.reading()
    other.start("B")
    assert "Not read by you yet." in other.page.inner_text("#history")
    assert "1 reader looked" in other.page.inner_text("#about")


def test_everything_by_keyboard(room: Room) -> None:
    reading = room.reading()
    reading.page.goto(f"{reading.address}/triage/")
    reading.page.wait_for_selector("#who[open]")
    reading.page.keyboard.type("K")
    reading.press("Enter")
    reading.settled()
    # The second mark is rejected, the first accepted, a clavicle is drawn around a known place.
    reading.press("n", "n", "r", "p", "a", "g", "d")
    assert "Enter: first corner" in reading.readout()
    reading.press("ArrowRight", "ArrowDown", "Enter")
    at = re.search(r"x (\d+)  y (\d+)", reading.readout())
    assert at
    corner = float(at[1]), float(at[2])
    reading.press(*["Shift+ArrowLeft"] * 2, *["Shift+ArrowUp"] * 2, "Alt+ArrowUp", "Enter")
    reading.press("c", "Shift+S")
    reading.until("document.querySelectorAll('#rows .row.read').length === 1")
    review = room.latest("high", reader="K")
    decisions = {one["key"]: one["decision"] for one in review["marks"]}
    assert decisions == {f"{RIB}/0": "accepted", f"{RIB}/1": "rejected"}
    (drawn,) = review["drawn"]
    assert drawn["finding"] == CLAVICLE
    assert drawn["box"][2:] == pytest.approx(corner, abs=1)
    zoom = min(700 / 400, 693 / 300)
    width, height = drawn["box"][2] - drawn["box"][0], drawn["box"][3] - drawn["box"][1]
    assert (width, height) == pytest.approx((80 / zoom, 81 / zoom), rel=0.03)
    # Shift+S went on to the next image; k goes back, j again forth.
    reading.settled()
    assert reading.page.get_attribute("#row-1", "aria-selected") == "true"
    reading.press("k")
    reading.settled()
    assert reading.page.get_attribute("#row-0", "aria-selected") == "true"
    reading.press("?")
    assert reading.page.is_visible("#help")
    reading.press("Escape")
    assert not reading.page.is_visible("#help")


def test_focus_is_seen_and_goes_through_the_marks(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    page.focus("#zoom-in")
    names = []
    for _ in range(2):
        reading.press("Tab")
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert names == [CONFIDENT, DOUBTFUL]
    assert page.locator("#drawings .mark.doubtful").get_attribute("class") == (
        "mark finding-0 doubtful selected"
    )
    page.focus("#save-next")
    reading.press("Shift+Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_a_drawn_box_is_reshaped_moved_renamed_and_removed(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    reading.press("d", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter", "c")
    said = "1 region, nothing else. 2 undecided marks will count as rejected."
    assert page.inner_text("#consequence") == said
    box = page.locator("#drawings .mark.selected .line").bounding_box()
    assert box
    corner = box["x"] + box["width"], box["y"] + box["height"]
    reading.drag(corner, (corner[0] + 50, corner[1] + 30))
    grown = page.locator("#drawings .mark.selected .line").bounding_box()
    assert grown
    assert (grown["x"], grown["y"]) == pytest.approx((box["x"], box["y"]), abs=0.1)
    assert (grown["width"], grown["height"]) == pytest.approx(
        (box["width"] + 50, box["height"] + 30), abs=1.5
    )
    reading.press("Alt+ArrowLeft", "g")
    moved = page.locator("#drawings .mark.selected .line").bounding_box()
    assert moved
    assert moved["x"] == pytest.approx(grown["x"] - 1, abs=0.1)
    reading.save()
    (drawn,) = room.latest("high")["drawn"]
    assert drawn["finding"] == CLAVICLE
    reading.press("Delete")
    reading.save()
    assert room.latest("high")["drawn"] == []


def test_what_was_not_processed_says_why_and_cannot_be_reviewed(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page
    assert "is not scored: lateral" in page.locator(".row").nth(5).inner_text()
    reading.open(room.seeded.ids["refused"])
    assert "is not scored: lateral" in page.inner_text("#notice")
    assert page.is_disabled("#save")
    assert reading.grey(0.5, 0.5)[0] > 0  # the film is there to be looked at
    reading.open(room.seeded.ids["waiting"])
    assert "waiting" in page.inner_text("#notice").lower()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (768, 1024), (600, 900)])
def test_it_is_always_said_that_this_is_no_medical_device(
    room: Room, width: int, height: int
) -> None:
    reading = room.reading(width, height)
    reading.start()
    page = reading.page
    line = page.get_by_text("Research only: not a medical device")
    expect(line).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    stage = page.locator("#stage").bounding_box()
    assert stage
    assert stage["width"] * stage["height"] > 0.3 * width * height
    expect(page.locator("#save")).to_be_attached()
    if width <= 1000:
        expect(page.locator("#rows")).not_to_be_in_viewport()
        page.click("#toggle-list")
        expect(page.locator("#rows")).to_be_in_viewport()
        expect(line).to_be_in_viewport(ratio=1)
        reading.open(room.seeded.ids["middle"])
        expect(page.locator("#rows")).not_to_be_in_viewport()


def test_queues_and_filters(room: Room) -> None:
    reading = room.reading()
    reading.start()
    page = reading.page

    def names() -> list[str]:
        by_id = {id_: name for name, id_ in room.seeded.ids.items()}
        found = page.query_selector_all("#rows [data-id]")
        return [by_id[one.get_attribute("data-id") or ""] for one in found]

    def choose(name: str, value: str) -> None:
        with page.expect_response(lambda one: "/api/worklist" in one.url) as answer:
            page.select_option(f"[name={name}]", value)
        answer.value.finished()
        reading.frame()

    choose("order", "uncertainty")
    assert names()[:2] == ["middle", "clavicle"]
    choose("finding", CLAVICLE)
    choose("certainty", "confident")
    assert names() == ["clavicle"]
    choose("certainty", "doubtful")
    assert page.is_visible("#empty")
    page.reload()  # the filters are still there
    page.wait_for_selector("#empty")
    assert page.input_value("[name=certainty]") == "doubtful"


def test_the_next_image_is_there_before_it_is_wanted_and_pages_follow(
    new_context: NewContext, new_room: Callable[[Seeded], Room], tmp_path: Path
) -> None:
    context = new_context()
    seeded = Seeded(context, TestClient(create_app(context), base_url=LOCAL))
    for number in range(52):
        file = write_film(tmp_path / f"{number:02}.dcm", np.full((40, 40), number + 1))
        found = {RIB: finding(0.99 - number / 100), CLAVICLE: finding(0.01)}
        seeded.ids[str(number)] = add_image(context, file, found)
    reading = new_room(seeded).reading()
    asked: list[str] = []
    reading.page.on("requestfinished", lambda one: asked.append(one.url))
    reading.start()
    following = f"/api/images/{seeded.ids['1']}/pixels"
    while not any(one.endswith(following) for one in asked):
        reading.page.wait_for_timeout(20)
    reading.press("j")
    reading.settled()
    assert sum(one.endswith(following) for one in asked) == 1
    assert reading.page.inner_text("#page-said") == "1 to 50 of 52"
    reading.open(seeded.ids["49"])
    reading.press("j")
    reading.opened(seeded.ids["50"])
    assert reading.page.inner_text("#page-said") == "51 to 52 of 52"
    assert "51 of 52" in reading.page.inner_text("#position")
    reading.settled()
    reading.press("k")
    reading.opened(seeded.ids["49"])


def test_a_lost_answer_is_asked_for_again_and_the_review_kept_once(room: Room) -> None:
    reading = room.reading()
    reading.expected.append("net::ERR")
    reading.start()
    page = reading.page
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().text())  # it was saved, but nobody hears of it
        route.abort()

    page.route("**/reviews", lose_the_first)
    reading.press("n", "a", "s")
    reading.until("document.getElementById('status').textContent.includes('trying again')")
    reading.until("document.getElementById('status').textContent === 'saved'")
    image = room.seeded.get(f"/api/images/{room.seeded.ids['high']}")
    assert len(image["history"]) == 1
    assert "#save.dirty" not in page.content()


def test_two_windows_of_one_reader_do_not_overwrite_in_silence(room: Room) -> None:
    first, second = room.reading(), room.reading()
    second.expected.append("409")
    first.start()
    second.start()
    first.press("n", "a")
    assert first.save().status == 201
    second.press("n", "r", "s")
    second.page.wait_for_selector("#conflict[open]")
    second.page.get_by_role("button", name="Save mine as well").click()
    second.until("document.getElementById('status').textContent === 'saved'")
    image = room.seeded.get(f"/api/images/{room.seeded.ids['high']}")
    decisions = [one["marks"][0]["decision"] for one in image["history"]]
    assert decisions == ["accepted", "rejected"]


def test_what_is_not_saved_stays_while_looking_elsewhere(room: Room) -> None:
    reading = room.reading()
    reading.start()
    reading.press("n", "a", "j")
    reading.opened(room.seeded.ids["clavicle"])
    reading.press("k")
    reading.opened(room.seeded.ids["high"])
    button = reading.page.get_by_role("button", name=f"accept {CONFIDENT}")
    expect(button).to_have_attribute("aria-pressed", "true")


def test_the_heat_map_lies_over_the_film(room: Room) -> None:
    reading = room.reading()
    reading.start()
    red, green, blue = reading.grey(0.5, 0.5)
    assert red == green == blue
    with reading.page.expect_response(lambda one: "/heat/" in one.url):
        reading.press("h")
    reading.until(
        "(() => { const c = document.getElementById('film'); const d = c.getContext('2d')"
        ".getImageData(c.width / 2, c.height / 2, 1, 1).data; return d[0] > d[2] + 10; })()"
    )
    assert reading.page.input_value("#heat-finding") == RIB


def test_a_token_is_asked_for(
    new_context: NewContext, new_room: Callable[[Seeded], Room], tmp_path: Path
) -> None:
    token = "a-token-of-the-test"
    context = new_context(ServiceSettings(), Secrets(token=token))
    reading = new_room(seed(context, tmp_path / "films")).reading()
    reading.expected.append("401")
    page = reading.page
    page.goto(f"{reading.address}/triage/")
    page.wait_for_selector("#who-token")
    page.fill("#who-name", "A")
    page.fill("#who-token", "wrong")
    reading.press("Enter")
    page.wait_for_selector("#who-token")
    page.fill("#who-token", token)
    reading.press("Enter")
    reading.settled()
    assert page.locator("#rows [role=option]").count() == 6
    reading.press("n", "a")
    assert reading.save().status == 201


def test_words_from_outside_are_words(
    new_context: NewContext, new_room: Callable[[Seeded], Room], tmp_path: Path
) -> None:
    context = new_context()
    bad = "<img src=x onerror=alert(1)><b>bold</b>"
    file = write_film(tmp_path / "a.dcm", AccessionNumber="<b>A</b>")
    other = write_film(tmp_path / "b.dcm")
    ids = {
        "a": add_image(context, file, {RIB: finding(0.9, mark(1, 1, 20, 20, 0.9))}),
        "b": add_image(context, other, None, reason=bad),
    }
    room = new_room(Seeded(context, TestClient(create_app(context), base_url=LOCAL), ids))
    reading = room.reading()
    reading.start("<b>A</b>")
    assert "<b>A</b>" in reading.page.inner_text("#about")
    reading.open(ids["b"])
    assert bad in reading.page.inner_text("#notice")
    assert reading.page.locator("img, #notice b b, dd b").count() == 0


def test_text_is_readable_and_everything_has_a_name(room: Room) -> None:
    reading = room.reading()
    reading.start()
    reading.press("n", "a")
    assert reading.page.evaluate(NAMELESS) == []
    assert reading.page.evaluate(FAINT) == []


NAMELESS = """
() => [...document.querySelectorAll("button, select, input, [role=button], [role=option], dialog")]
  .filter(one => !(one.ariaLabel || one.getAttribute("aria-labelledby") || one.textContent.trim()
    || (one.labels && one.labels.length)))
  .map(one => one.outerHTML)
"""
FAINT = """
() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
      .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(0, 0, 0)";
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *:not(script):not(option)")) {
    const own = [...one.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || one.closest("svg, noscript, dialog:not([open]), [disabled]")) continue;
    if (!one.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faint.push(`${one.textContent.trim()}: ${contrast.toFixed(2)}`);
  }
  return faint;
}
"""
