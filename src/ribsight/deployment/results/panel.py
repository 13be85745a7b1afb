"""The panel beside a film: what was found, how sure it is, who says so, and what it is not for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.results.options import Outcome
from ribsight.deployment.results.picture import colour_of
from ribsight.deployment.results.said import Said, words
from ribsight.evaluation.predictions import FindingPrediction, Mark
from ribsight.findings import Certainty, Side

Colour = tuple[int, int, int]

_WHITE: Colour = (235, 235, 235)
_GREY: Colour = (150, 150, 150)
_WARNING: Colour = (255, 120, 110)
_PAPER: Colour = (16, 16, 20)
_WIDTH_IN_LETTERS = 19
_MOST_MARKS = 20


@dataclass(frozen=True)
class Line:
    """One line of the panel; `share` is its letters' height as a share of the usual."""

    text: str
    colour: Colour = _WHITE
    share: float = 1.0


def lines(said: Said, identity: ModelIdentity, notice: str) -> list[Line]:
    """Return what the panel says."""
    return [
        Line("ribsight", share=1.3),
        Line(notice, _WARNING),
        Line(""),
        *_results(said),
        Line(""),
        *_origin(identity),
    ]


def heat_lines(identity: ModelIdentity, notice: str) -> list[Line]:
    """Return what the panel beside a heat map says."""
    return [
        Line("ribsight", share=1.3),
        Line(notice, _WARNING),
        Line(""),
        Line("Heat map", share=1.15),
        Line("The largest probability of any finding, as the network gives it: not calibrated."),
        Line("dark violet: low", (140, 60, 150), 0.8),
        Line("orange: middle", (240, 120, 40), 0.8),
        Line("light yellow: high", (250, 250, 160), 0.8),
        Line(""),
        *_origin(identity),
    ]


def _origin(identity: ModelIdentity) -> Iterator[Line]:
    yield Line(f"model {identity.name}", _GREY, 0.8)
    yield Line(f"weights {identity.sha256[:12]}, ribsight {identity.version}", _GREY, 0.8)
    yield Line("Drawn by software on a copy. The original is unchanged.", _GREY, 0.8)


def _results(said: Said) -> Iterator[Line]:
    if said.outcome is Outcome.NOT_PROCESSED:
        yield Line("NOT PROCESSED", _WARNING, 1.15)
        yield Line(said.reason or "")
        return
    if said.outcome is Outcome.NOTHING:
        yield Line("Processed, nothing found", share=1.15)
    for name, one in said.findings.items():
        is_there = name in said.detected
        what = f"{words(name)}: {'detected' if is_there else 'not detected'}"
        yield Line(what, colour_of(one.certainty) if is_there else _WHITE)
        yield Line(f"  image: {_figures(one)}", _GREY, 0.8)
    if not said.marks:
        return
    yield Line("")
    for numbered in said.marks[:_MOST_MARKS]:
        mark = numbered.mark
        side = "" if mark.side is Side.UNKNOWN else f"{mark.side} "
        yield Line(f"{numbered.number}  {side}{words(numbered.finding)}", colour_of(mark.certainty))
        yield Line(f"  {_figures(mark)}", _GREY, 0.8)
    if len(said.marks) > _MOST_MARKS:
        yield Line(f"and {len(said.marks) - _MOST_MARKS} more")
    yield Line("")
    levels = {one.mark.certainty for one in said.marks}
    if Certainty.CONFIDENT in levels:
        yield Line("solid box: confident", colour_of(Certainty.CONFIDENT), 0.8)
    if Certainty.DOUBTFUL in levels:
        yield Line("dotted box: doubtful", colour_of(Certainty.DOUBTFUL), 0.8)


def _figures(one: Mark | FindingPrediction) -> str:
    figures = [] if one.certainty is None else [str(one.certainty)]
    figures.append(f"score {one.score:.2f}")
    if one.probability is not None:
        figures.append(f"probability {100 * one.probability:.0f} %")
    return ", ".join(figures)


def beside(film: Image.Image, panel: Sequence[Line], letters: int) -> Image.Image:
    """Return film and panel as one picture; the film keeps its top-left corner.

    Args:
        film: is not scaled.
        panel: its lines, which are broken to fit.
        letters: height of usual letters in pixels.
    """
    margin = letters
    width = _WIDTH_IN_LETTERS * letters
    broken = [part for line in panel for part in _broken(line, letters, width - 2 * margin)]
    heights = [round(1.45 * line.share * letters) for line in broken]
    height = max(film.height, sum(heights) + 2 * margin)
    picture = Image.new("RGB", (film.width + width, height), _PAPER)
    picture.paste(film, (0, 0))
    pen = ImageDraw.Draw(picture)
    y = margin
    for line, step in zip(broken, heights, strict=True):
        pen.text((film.width + margin, y), line.text, line.colour, _font(line, letters))
        y += step
    return picture


def _font(line: Line, letters: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(10, round(line.share * letters)))


def _broken(line: Line, letters: int, width: int) -> Iterator[Line]:
    """Yield a line in parts that fit, broken between words where there are any."""
    font = _font(line, letters)
    indent = line.text[: len(line.text) - len(line.text.lstrip())]
    part = ""
    for word in line.text.split():
        for piece in _pieces(word, font, width):
            longer = f"{part} {piece}" if part else indent + piece
            if part and font.getlength(longer) > width:
                yield Line(part, line.colour, line.share)
                longer = indent + piece
            part = longer
    yield Line(part, line.colour, line.share)


def _pieces(
    word: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> Iterator[str]:
    while font.getlength(word) > 0.9 * width:
        fits = max(1, int(len(word) * 0.85 * width / font.getlength(word)))
        yield word[:fits]
        word = word[fits:]
    yield word
