"""Several readers' regions of one finding on one image -> one truth."""

from collections.abc import Sequence
from dataclasses import replace

from ribsight.errors import RibsightError, nearest
from ribsight.evaluation.inputs.rows import RegionRow, StateRow, TruthRows
from ribsight.findings import DiagnosisState
from ribsight.regions.lesions import Rule, median_box, readers_needed, same_lesions

RULES = {"any": Rule.UNION, "majority": Rule.MAJORITY, "all": Rule.ALL}


def combine_readers(rows: TruthRows, rule: str | None) -> TruthRows:
    """Return the rows as one reader's.

    Regions of different readers that overlap are one lesion (`regions.lesions.same_lesions`), with
    the median of their corners as its box. A lesion, or a stated state, counts if `any`, the
    `majority` or `all` of the readers who looked at the image say so; or only what the reader of
    the given name says.

    Args:
        rows: of any number of readers.
        rule: `any`, `majority`, `all` or a reader's name; None if there is only one reader.

    Raises:
        RibsightError: several readers and no rule, or a name that is no reader's.
    """
    looked = _who_looked(rows)
    readers = sorted(set().union(*looked.values())) if looked else []
    if rule is None:
        several = next((image for image, who in looked.items() if len(who) > 1), None)
        if several is not None:
            raise RibsightError(
                f"image {several} was read by {len(looked[several])} readers "
                f"({', '.join(sorted(looked[several]))}): choose --readers {', '.join(RULES)} or "
                "one reader's name"
            )
        return rows
    if rule not in RULES:
        if rule not in readers:
            raise RibsightError(
                f"there is no reader '{rule}'{nearest(rule, readers)}; there are: "
                f"{', '.join(readers) or 'none'}"
            )
        return replace(
            rows,
            images=[one for one in rows.images if rule in looked.get(one.name, {rule})],
            regions=[one for one in rows.regions if one.reader == rule],
            states=[one for one in rows.states if one.reader in {rule, ""}],
        )
    regions: list[RegionRow] = []
    for own in _grouped(rows.regions).values():
        for members in same_lesions([one.box for one in own], [one.reader for one in own]):
            lesion = [own[index] for index in members]
            said = len({one.reader for one in lesion})
            looked_at = max(1, len(looked.get(lesion[0].image, ())))
            if said >= readers_needed(RULES[rule], looked_at):
                regions.append(_consensus(lesion))
    return replace(rows, regions=regions, states=_agreed_states(rows, rule, looked))


def _who_looked(rows: TruthRows) -> dict[str, set[str]]:
    looked: dict[str, set[str]] = {}
    by = [(one.image, one.reader) for one in rows.regions]
    by += [(one.image, one.reader) for one in rows.states]
    for image, reader in by:
        if reader:
            looked.setdefault(image, set()).add(reader)
    return looked


def _grouped(regions: Sequence[RegionRow]) -> dict[tuple[str, str, bool], list[RegionRow]]:
    groups: dict[tuple[str, str, bool], list[RegionRow]] = {}
    for one in regions:
        groups.setdefault((one.image, one.finding, one.ignore), []).append(one)
    return groups


def _consensus(lesion: list[RegionRow]) -> RegionRow:
    if len(lesion) == 1:
        return lesion[0]
    return replace(lesion[0], box=median_box([one.box for one in lesion]), outline=())


def _agreed_states(rows: TruthRows, rule: str, looked: dict[str, set[str]]) -> list[StateRow]:
    """Return one state for each (image, finding) that is stated: positive if enough say so."""
    stated: dict[tuple[str, str], list[StateRow]] = {}
    for one in rows.states:
        stated.setdefault((one.image, one.finding), []).append(one)
    agreed = []
    for (image, _), own in stated.items():
        positive = [one for one in own if one.state == DiagnosisState.POSITIVE]
        needed = readers_needed(RULES[rule], max(1, len(looked.get(image, ()))))
        negative = next((one for one in own if one.state == DiagnosisState.NEGATIVE), own[0])
        chosen = positive[0] if len(positive) >= needed else negative
        if chosen.state == DiagnosisState.POSITIVE and len(positive) < needed:
            chosen = replace(chosen, state=str(DiagnosisState.NEGATIVE))
        agreed.append(replace(chosen, reader=""))
    return agreed
