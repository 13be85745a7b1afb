"""Names of bones in reports: "the lateral left 4th through 7th ribs", "the mid right clavicle"."""

from collections.abc import Callable, Iterable

import numpy as np

from ribsight.findings import Side
from ribsight.simulation.paper.chance import draw
from ribsight.simulation.paper.mentions import Mention
from ribsight.simulation.truth import RIB_FRACTURE

# fmt: off
_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth",
          "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")
# fmt: on
_RANGE = 3
_ONE_RIB = (
    ("the {side} {number} rib", 4),
    ("the {place} {side} {number} rib", 2),
    ("the {side} {place} {number} rib", 2),
    ("the {place} aspect of the {side} {number} rib", 1),
)
_MANY_RIBS = (
    ("the {side} {number} ribs", 4),
    ("the {place} {side} {number} ribs", 2),
    ("the {place} aspects of the {side} {number} ribs", 1),
)
_CLAVICLE = {
    "medial": (
        ("the medial third of the {side} clavicle", 2),
        ("the medial {side} clavicle", 2),
        ("the sternal end of the {side} clavicle", 1),
    ),
    "middle": (
        ("the middle third of the {side} clavicle", 2),
        ("the mid {side} clavicle", 2),
        ("the midshaft of the {side} clavicle", 2),
        ("the {side} clavicle", 1),
    ),
    "lateral": (
        ("the distal {side} clavicle", 3),
        ("the lateral third of the {side} clavicle", 2),
        ("the distal third of the {side} clavicle", 1),
    ),
}


def side_word(side: Side) -> str:
    """Return "left", "right" or "bilateral"."""
    return "bilateral" if side is Side.BOTH else side.value


def bone_names(mention: Mention, random: np.random.Generator) -> tuple[str, str]:
    """Return the long and the short name: "the distal left clavicle", "left clavicle".

    Ribs of both sides have no numbers: "bilateral ribs", "bilateral rib".
    """
    side = side_word(mention.side)
    if mention.finding != RIB_FRACTURE:
        table = _CLAVICLE.get(mention.place or "", (("the {side} clavicle", 1),))
        return draw(random, table).format(side=side), f"{side} clavicle"
    if mention.side is Side.BOTH:
        return f"{side} ribs", f"{side} rib"
    name = draw(random, ((_ordinal, 6), (_word, 1)))
    number = number_list(mention.ribs, name, draw(random, ((" through ", 3), ("-", 2))))
    table = _ONE_RIB if len(mention.ribs) == 1 else _MANY_RIBS
    long = draw(random, table[:1] if mention.place is None else table)
    return long.format(side=side, number=number, place=mention.place), f"{side} {number} rib"


def number_list(ribs: Iterable[int], name: Callable[[int], str], through: str) -> str:
    """Return "2nd and 4th through 7th": runs of three and more become ranges.

    Args:
        ribs: rising numbers.
        name: of one number.
        through: between the ends of a range.

    """
    runs: list[list[int]] = []
    for rib in ribs:
        if runs and rib == runs[-1][-1] + 1:
            runs[-1].append(rib)
        else:
            runs.append([rib])
    parts: list[str] = []
    for run in runs:
        if len(run) >= _RANGE:
            parts.append(f"{name(run[0])}{through}{name(run[-1])}")
        else:
            parts.extend(name(rib) for rib in run)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _ordinal(rib: int) -> str:
    return f"{rib}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(rib, 'th') }"


def _word(rib: int) -> str:
    return _WORDS[rib - 1]
