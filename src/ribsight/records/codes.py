"""Diagnosis codes and what they say of ribs and clavicles: four coding systems, any spelling."""

import csv
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

from ribsight.errors import RibsightError, nearest
from ribsight.findings import Acuity, Side


class CodingSystem(StrEnum):
    """The same string means different things in these, so the system is always named."""

    ICD_10_CM = "icd-10-cm"
    ICD_9_CM = "icd-9-cm"
    ICD_10_WHO = "icd-10-who"
    ICD_10_GM = "icd-10-gm"


class CodeCertainty(StrEnum):
    """How far a code settles whether there was a fracture of the bone."""

    DEFINITE = "definite"
    """It names a fracture of that bone."""
    WEAK = "weak"
    """It names a fracture, or a history of one, of bones among which that bone may be."""
    EXCLUDED = "excluded"
    """It says that the fracture was ruled out (ICD-10-GM, suffix A)."""
    NOT = "not"
    """It looks like a fracture of these bones, and is none."""
    OTHER = "other"
    """A code of the system, about something else."""
    UNKNOWN = "unknown"
    """No code of the system, or none that exists."""


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What one code says.

    Attributes:
        code: spelled as its system does (`S22.41XA`).
        system: whose code it is.
        certainty: how far it settles whether there was a fracture.
        sites: bones it is about (`rib`, `clavicle`); empty if none.
        acuity: from the phase of the encounter.
        side: the patient's side.
        fewest, most: number of broken bones; None if it does not say.
        is_open: None if it does not say.
        part: `sternal`, `shaft`, `lateral` (clavicle), `first` (rib) or empty.
        displacement: `displaced`, `nondisplaced` or empty.
        cause: `trauma`, `birth`, `pathological`, `stress`, `resuscitation` or empty.
        phase: of the encounter, as the table has it (`initial`, `history`, ...).
        title: the system's name of it; of an unknown code, what is wrong with it.
        source: where its row of the table comes from.
    """

    code: str
    system: CodingSystem
    certainty: CodeCertainty
    sites: tuple[str, ...] = ()
    acuity: Acuity = Acuity.UNKNOWN
    side: Side = Side.UNKNOWN
    fewest: int | None = None
    most: int | None = None
    is_open: bool | None = None
    part: str = ""
    displacement: str = ""
    cause: str = ""
    phase: str = ""
    title: str = ""
    source: str = ""


_ACUITY = {
    "initial": Acuity.ACUTE,
    "current": Acuity.ACUTE,
    "subsequent": Acuity.HEALING,
    "sequela": Acuity.OLD,
    "history": Acuity.OLD,
    "aftercare": Acuity.OLD,
    "unspecified": Acuity.UNKNOWN,
}
_ICD_10 = re.compile(r"[A-Z]\d[0-9A-Z](?:[0-9A-Z]{1,4})?")
_SHAPES = {
    CodingSystem.ICD_10_CM: _ICD_10,
    CodingSystem.ICD_9_CM: re.compile(r"(?:\d{3}|V\d\d)\d{0,2}|E\d{3}\d?"),
    CodingSystem.ICD_10_WHO: re.compile(r"[A-Z]\d\d\d{0,2}"),
    CodingSystem.ICD_10_GM: re.compile(r"[A-Z]\d\d\d{0,2}"),
}
# Codes below these exist only as the tables have them, so others there are mistakes.
_OWN_FAMILIES = {
    CodingSystem.ICD_10_CM: ("S223", "S224", "S225", "S229", "S420", "M96A"),
    CodingSystem.ICD_9_CM: ("807", "810", "819"),
    CodingSystem.ICD_10_WHO: ("S223", "S224", "S225", "S229", "S420"),
    CodingSystem.ICD_10_GM: ("S223", "S224", "S225", "S229", "S420"),
}
# German outpatient codes end in how sure the diagnosis is, then the side.
_GERMAN_SUFFIX = re.compile(r"([A-Z]\d\d\d{0,2})([AGVZ])?([RLB])?")
_GERMAN_SIDES = {"R": Side.RIGHT, "L": Side.LEFT, "B": Side.BOTH}
_SPELLING = re.compile(r"[\s.\-_†*!+#]")


def read_code(code: str, system: CodingSystem) -> CodeMeaning:
    """Return what a code says, however it is spelled (`S2241XA`, `s22.41xa`, `80703`).

    ICD-10-GM's suffixes are understood: V suspected, Z state after, A ruled out, G certain; R, L
    and B for the side. A code that its system does not have is returned as UNKNOWN with what is
    wrong with it in `title`; nothing is raised.
    """
    bare = _SPELLING.sub("", code).upper()
    if system is CodingSystem.ICD_10_GM and (parts := _GERMAN_SUFFIX.fullmatch(bare)):
        return _german(*parts.groups())
    return _look_up(bare, system)


def coding_system(name: str) -> CodingSystem:
    """Return the system of a name in any spelling (`ICD-10-CM`, `icd10cm`).

    Raises:
        RibsightError: it is none of the four, or just `ICD-10`, which three of them are.
    """
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    for system in CodingSystem:
        if bare in (system.replace("-", ""), f"{system.replace('-', '')}codes"):
            return system
    if bare in ("icd9", "9", "i9"):
        return CodingSystem.ICD_9_CM
    raise RibsightError(
        f"'{name}' is no coding system{nearest(name.lower(), CodingSystem)}; "
        f"it is one of {', '.join(CodingSystem)}"
    )


@cache
def code_table(system: CodingSystem) -> dict[str, CodeMeaning]:
    """Return every code of the system's table, by its spelling without the dot."""
    text = files(__package__).joinpath(f"code_tables/{system}.csv").read_text(encoding="utf-8")
    return {
        row["code"].replace(".", ""): _meaning(row, system)
        for row in csv.DictReader(text.splitlines())
    }


def _meaning(row: dict[str, str], system: CodingSystem) -> CodeMeaning:
    fewest = int(row["count"].rstrip("+")) if row["count"] else None
    return CodeMeaning(
        code=row["code"],
        system=system,
        certainty=CodeCertainty(row["certainty"]),
        sites=tuple(row["sites"].split()),
        acuity=_ACUITY[row["phase"]],
        side=Side(row["side"] or Side.UNKNOWN),
        fewest=fewest,
        most=None if row["count"].endswith("+") else fewest,
        is_open={"open": True, "closed": False}.get(row["open"]),
        part=row["part"],
        displacement=row["displacement"],
        cause=row["cause"],
        phase=row["phase"],
        title=row["title"],
        source=row["source"],
    )


def _look_up(bare: str, system: CodingSystem) -> CodeMeaning:
    known = code_table(system).get(bare)
    if known is not None:
        return known
    if not _SHAPES[system].fullmatch(bare):
        return CodeMeaning(bare, system, CodeCertainty.UNKNOWN, title=_why_misshapen(bare, system))
    if bare.startswith(_OWN_FAMILIES[system]):
        title = f"{system} has no such code in {bare[:3]}"
        return CodeMeaning(_dotted(bare, system), system, CodeCertainty.UNKNOWN, title=title)
    return CodeMeaning(_dotted(bare, system), system, CodeCertainty.OTHER)


def _why_misshapen(bare: str, system: CodingSystem) -> str:
    if not bare:
        return "blank"
    others = [one for one in CodingSystem if one is not system and bare in code_table(one)]
    hint = f", but of {others[0]}" if others else ""
    return f"not spelled like a code of {system}{hint}"


def _dotted(bare: str, system: CodingSystem) -> str:
    whole = 4 if system is CodingSystem.ICD_9_CM and bare.startswith("E") else 3
    return f"{bare[:whole]}.{bare[whole:]}" if len(bare) > whole else bare


def _german(bare: str, certainty: str | None, side: str | None) -> CodeMeaning:
    known = _look_up(bare, CodingSystem.ICD_10_GM)
    if side:
        known = replace(known, side=_GERMAN_SIDES[side])
    if not known.sites:
        return known
    if certainty == "A":
        return replace(known, certainty=CodeCertainty.EXCLUDED, acuity=Acuity.UNKNOWN)
    if certainty == "V":
        return replace(known, certainty=CodeCertainty.WEAK)
    if certainty == "Z":
        return replace(known, acuity=Acuity.OLD, phase="history")
    return known
