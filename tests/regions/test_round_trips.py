"""Annotations -> format A -> annotations -> format B -> annotations: what B can hold stays."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ribsight.regions import (
    AnnotatedImage,
    Annotations,
    ImageLabel,
    KnownImages,
    Polygon,
    Region,
    known_images,
    read_annotations,
    write_annotations,
)
from ribsight.regions.formats import FORMATS, Format, Holds
from ribsight.regions.geometry import signed_area
from ribsight.regions.region import box_polygon

SIZES = {"a.dcm": (64, 48), "b.dcm": (100, 33), "c.dcm": (40, 40)}
CATEGORIES = ("rib_fracture", "Nodule/Mass", "Épanchement, pleural")


@pytest.fixture(scope="module")
def known(dicom_folder: Path) -> KnownImages:
    return known_images(dicom_folder)


def quarters(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers that come back exactly after rounding away what percents and shares change."""
    return st.integers(int(low * 4), int(high * 4)).map(lambda one: one / 4)


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> tuple[float, float, float, float]:
    x0, y0 = draw(quarters(0, width - 2)), draw(quarters(0, height - 2))
    return x0, y0, draw(quarters(x0 + 1, width)), draw(quarters(y0 + 1, height))


@st.composite
def outlines(draw: st.DrawFn, width: int, height: int) -> tuple[Polygon, ...]:
    """Triangles, each of three corners of a box, either way round."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        corners = np.delete(box_polygon(*draw(boxes(width, height))), draw(st.integers(0, 3)), 0)
        found.append(corners if draw(st.booleans()) else corners[::-1])
    return tuple(found)


@st.composite
def annotations(draw: st.DrawFn) -> Annotations:
    images, regions = {}, []
    for name, (width, height) in SIZES.items():
        readers = draw(st.lists(st.sampled_from(["R8", "7", "jo@x.org"]), max_size=2, unique=True))
        labels = tuple(ImageLabel("poor quality", who) for who in readers if draw(st.booleans()))
        images[name] = AnnotatedImage(name, width, height, tuple(readers), labels)
        for number in range(draw(st.integers(0, 3))):
            is_box = draw(st.booleans())
            drawn = (box_polygon(*draw(boxes(width, height))),) if is_box else None
            said = st.dictionaries(
                st.sampled_from(["acuity", "rib"]), st.sampled_from(["old", "5", "ä b"])
            )
            regions.append(
                Region(
                    name,
                    draw(st.sampled_from(CATEGORIES)),
                    drawn or draw(outlines(width, height)),
                    is_box=is_box,
                    reader=draw(st.sampled_from(readers or [""])),
                    source=f"made, {name} {number}",
                    score=draw(st.none() | quarters(0, 1)),
                    attributes=draw(said),
                )
            )
    return Annotations("made", images, tuple(regions), CATEGORIES)


def through(given_: Annotations, target: Format, known: KnownImages) -> Annotations:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        write_annotations(given_, target.name, path, images=known, lossy=True)
        return read_annotations(path, images=known)


def held(content: Annotations, holds: frozenset[Holds]) -> tuple[Any, ...]:
    """What must come back from a format that holds this; numbers to a thousandth of a pixel."""
    regions = Counter(
        (
            one.radiograph,
            one.finding if Holds.CATEGORIES in holds else "",
            tuple(np.round(one.box_to_write, 3)),
            *(
                (one.is_box, round(sum(abs(signed_area(p)) for p in one.polygons), 6))
                if Holds.OUTLINES in holds
                else ()
            ),
            one.reader if Holds.READERS in holds else "",
            one.score if Holds.SCORES in holds else None,
            tuple(sorted(one.attributes.items())) if Holds.ATTRIBUTES in holds else (),
        )
        for one in content.regions
    )
    drawn = {one.radiograph for one in content.regions}
    images = {
        (
            name,
            frozenset(image.readers) if Holds.READERS_OF_IMAGES in holds else None,
            frozenset(image.labels) if Holds.LABELS in holds else None,
        )
        for name, image in content.images.items()
        if Holds.NEGATIVES in holds or name in drawn
    }
    return regions, images


def fitting(content: Annotations, target: Format) -> Annotations:
    """RSNA holds one kind of finding: give it no more."""
    if Holds.CATEGORIES in target.holds:
        return content
    one = content.categories[0]
    return replace(
        content,
        categories=(one,),
        regions=tuple(replace(region, finding=one) for region in content.regions),
    )


@pytest.mark.parametrize("target", FORMATS, ids=lambda one: one.name)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(content=annotations())
def test_a_format_brings_back_what_it_holds(
    target: Format, content: Annotations, known: KnownImages
) -> None:
    given_ = fitting(content, target)
    assert held(through(given_, target, known), target.holds) == held(given_, target.holds)


def some_of_all() -> Annotations:
    """A box and an outline of two readers, one who saw nothing, and an image without a region."""
    triangle = np.array([[8.0, 8.0], [20.0, 8.0], [20.0, 30.25]])
    further = np.array([[30.0, 8.0], [40.0, 8.0], [30.0, 12.0]])
    said = {"acuity": "old", "rib": "5"}
    first, second, third = CATEGORIES
    regions = (
        Region("a.dcm", first, (box_polygon(1, 2, 9, 12.5),), is_box=True, reader="R8", score=0.25),
        Region("a.dcm", second, (triangle, further), reader="7", attributes=said),
        Region("b.dcm", third, (triangle,)),
    )
    labels = (ImageLabel("poor quality", "7"),)
    images = (
        AnnotatedImage("a.dcm", 64, 48, ("R8", "7", "R9"), labels),
        AnnotatedImage("b.dcm", 100, 33),
        AnnotatedImage("c.dcm", 40, 40, ("R8",)),
    )
    return Annotations("made", {one.name: one for one in images}, regions, CATEGORIES)


@pytest.mark.parametrize("second", FORMATS, ids=lambda one: one.name)
@pytest.mark.parametrize("first", FORMATS, ids=lambda one: one.name)
def test_from_any_format_to_any_other(first: Format, second: Format, known: KnownImages) -> None:
    once = through(fitting(some_of_all(), first), first, known)
    given_ = fitting(once, second)
    both = first.holds & second.holds
    assert held(through(given_, second, known), both) == held(given_, both)
