"""The radiologist's report, written from the truth by a small grammar."""

import re
from datetime import timedelta

import numpy as np

from ribsight.findings import Acuity, Side
from ribsight.simulation.paper import phrases
from ribsight.simulation.paper.bones import bone_names, side_word
from ribsight.simulation.paper.chance import chance, draw, pick
from ribsight.simulation.paper.mentions import Mention, plan_mentions
from ribsight.simulation.paper.phrases import Phrases
from ribsight.simulation.paper.settings import RecordSettings
from ribsight.simulation.truth import CLAVICLE_FRACTURE, PatientTruth

BLANK = "XXXX"
_MANY_FRACTURES = 2
_OLD = (Acuity.OLD,)


def write_report(
    truth: PatientTruth, random: np.random.Generator, settings: RecordSettings | None = None
) -> str:
    """Return the report of a study: EXAM, INDICATION, COMPARISON, FINDINGS, IMPRESSION.

    What the reader sees is what the films show: occult fractures are left out unless the rates
    say otherwise, and "no acute fracture" is written where none was seen.
    """
    settings = settings or RecordSettings()
    if chance(random, settings.report_empty):
        return ""
    mentions = plan_mentions(truth, random, settings)
    exam = _exam(truth)
    indication = _indication(truth, random, settings)
    comparison = _comparison(truth, random, settings)
    findings = " ".join(_findings(truth, mentions, random, settings))
    impression = _impression(mentions, random, settings)
    heading = draw(random, (("INDICATION", 3), ("HISTORY", 1), ("CLINICAL HISTORY", 1)))
    texts = [indication, comparison, findings, impression]
    texts = [_slips(text, random, settings) for text in texts]
    if chance(random, settings.report_abbreviates):
        texts = [_abbreviated(text) for text in texts]
    if chance(random, settings.report_misspells):
        texts = _misspelt(texts, random)
    return (
        f"EXAM: {exam}\n{heading}: {texts[0]}\nCOMPARISON: {texts[1]}\n"
        f"FINDINGS: {texts[2]}\nIMPRESSION:\n{texts[3]}\n"
    )


def sentences(mention: Mention, random: np.random.Generator, settings: RecordSettings) -> str:
    """Return what the findings say of one mention."""
    long, short = bone_names(mention, random)
    many = len(mention.ribs) >= _MANY_FRACTURES
    table: Phrases
    if mention.fixed:
        table = phrases.FIXED
    elif not mention.certain:
        table = phrases.HEDGED_OLD if mention.acuity in _OLD else phrases.HEDGED
    elif mention.flail:
        table = phrases.FLAIL
    elif mention.side is Side.BOTH or (many and chance(random, settings.report_numbers_unsaid)):
        table = phrases.UNNUMBERED[mention.acuity]
    else:
        table = (phrases.MANY if many else phrases.ONE)[mention.acuity]
    displaced: Phrases = (("", 1),)
    if mention.displacement is not None:
        displaced = phrases.DISPLACEMENTS[mention.displacement]
    text = draw(random, table).format(
        bone=long, short=short, side=side_word(mention.side), d=draw(random, displaced)
    )
    return text[0].upper() + text[1:]


def _exam(truth: PatientTruth) -> str:
    views = [phrases.EXAMS[film.view] for film in truth.films]
    if len(views) == 1:
        return f"Chest, {views[0]}."
    return f"Chest, {len(views)} views: {', '.join(views[:-1])} and {views[-1]}."


def _indication(truth: PatientTruth, random: np.random.Generator, settings: RecordSettings) -> str:
    broken = any(one.acuity is not Acuity.OLD for one in truth.fractures)
    if chance(random, settings.report_indication_names_fracture):
        table = phrases.FRACTURE_INDICATIONS
    elif chance(random, 0.85 if broken else 0.5):
        table = phrases.TRAUMA
    else:
        table = phrases.INDICATIONS
    blank = chance(random, settings.report_blanks_dates)
    age = BLANK if blank else str(truth.person.age)
    ago = BLANK if blank else str(random.integers(2, 9))
    return draw(random, table).format(age=f"{age}-year-old", ago=ago, sex=truth.person.sex)


def _comparison(truth: PatientTruth, random: np.random.Generator, settings: RecordSettings) -> str:
    if chance(random, 0.55):
        return draw(random, phrases.NO_COMPARISON)
    date = truth.study_date - timedelta(days=int(random.integers(1, 1500)))
    written = f"{date.month}/{date.day}/{date.year}"
    blank = chance(random, settings.report_blanks_dates)
    return draw(random, phrases.COMPARISON).format(date=BLANK if blank else written)


def _findings(
    truth: PatientTruth,
    mentions: tuple[Mention, ...],
    random: np.random.Generator,
    settings: RecordSettings,
) -> list[str]:
    chest = [draw(random, phrases.HEART), draw(random, phrases.LUNGS)]
    chest.append(_pleura(mentions, random))
    if random.random() < 0.5:
        random.shuffle(chest)
    bones = [sentences(one, random, settings) for one in mentions]
    bones += _negations(mentions, random, settings)
    if chance(random, 0.25):
        bones.append(draw(random, phrases.SPINE))
    if chance(random, settings.report_warns):
        bones.append(draw(random, phrases.WARNINGS))
    devices = _devices(truth, mentions, random, settings)
    blocks = [devices, chest, bones] if chance(random, 0.4) else [chest, bones, devices]
    return [text for block in blocks for text in block if text]


def _pleura(mentions: tuple[Mention, ...], random: np.random.Generator) -> str:
    acute = [one for one in mentions if one.certain and one.acuity is Acuity.ACUTE and one.ribs]
    ribs = sum(len(one.ribs) for one in acute)
    # Air or fluid beside one new fracture in ten, half of those with five and more.
    if ribs and chance(random, min(0.5, 0.1 * ribs)):
        return draw(random, phrases.PLEURA).format(side=side_word(acute[0].side))
    if chance(random, 0.03):
        side = pick(random, (Side.LEFT, Side.RIGHT))
        return draw(random, phrases.PLEURA).format(side=side.value)
    return draw(random, phrases.NO_PLEURA)


def _negations(
    mentions: tuple[Mention, ...], random: np.random.Generator, settings: RecordSettings
) -> list[str]:
    if not chance(random, settings.report_negates):
        return []
    if not mentions:
        return [draw(random, phrases.BONES_CLEAR)]
    if all(one.acuity is Acuity.OLD or one.fixed for one in mentions):
        return [draw(random, phrases.NO_NEW)]
    if chance(random, 0.4) and all(one.certain for one in mentions):
        clavicle = any(one.finding == CLAVICLE_FRACTURE for one in mentions)
        ribs = any(one.ribs for one in mentions)
        if clavicle and not ribs:
            return [draw(random, (("No rib fracture is identified.", 1), ("Ribs are intact.", 1)))]
        if ribs and not clavicle and chance(random, 0.5):
            return ["The clavicles are intact."]
        return [draw(random, phrases.NO_OTHER)]
    return []


def _devices(
    truth: PatientTruth,
    mentions: tuple[Mention, ...],
    random: np.random.Generator,
    settings: RecordSettings,
) -> list[str]:
    fixed = {one.finding for one in mentions if one.fixed}
    texts = []
    for confounder in truth.confounders:
        broken = chance(random, settings.report_hardware_fracture)
        if confounder in phrases.BROKEN_DEVICES and broken:
            texts.append(draw(random, phrases.BROKEN_DEVICES[confounder]))
        elif confounder in phrases.DEVICES and not (fixed and confounder.value.endswith("plate")):
            texts.append(draw(random, phrases.DEVICES[confounder]))
    return texts


def _impression(
    mentions: tuple[Mention, ...], random: np.random.Generator, settings: RecordSettings
) -> str:
    lines = []
    for mention in mentions:
        old = mention.acuity is Acuity.OLD or mention.fixed
        omitted = (
            settings.report_impression_omits_old
            if old
            else (settings.report_impression_omits_acute)
        )
        if not chance(random, omitted):
            lines.append(_short_form(mention, random))
    fresh = any(one.acuity is not Acuity.OLD and not one.fixed for one in mentions)
    if not (fresh and lines) or chance(random, 0.4):
        lines.append(draw(random, phrases.NO_ACUTE))
    if not mentions and chance(random, 0.25):
        lines.append(draw(random, phrases.NO_NEW))
    numbered = len(lines) > 1 or chance(random, 0.5)
    return "\n".join(f"{n}. {line}" if numbered else line for n, line in enumerate(lines, 1))


def _short_form(mention: Mention, random: np.random.Generator) -> str:
    _, short = bone_names(mention, random)
    many = len(mention.ribs) >= _MANY_FRACTURES
    if many and chance(random, 0.4):
        short = f"multiple {side_word(mention.side)} rib"
    if mention.fixed:
        return f"Prior fixation of {short} fracture{'s' if many else ''}."
    age = {
        Acuity.ACUTE: draw(random, (("", 1), ("acute ", 2))),
        Acuity.HEALING: draw(random, (("healing ", 2), ("subacute ", 1))),
        Acuity.OLD: draw(random, (("old ", 2), ("healed ", 2), ("remote ", 1))),
        Acuity.UNKNOWN: "",
    }[mention.acuity]
    if not mention.certain:
        age = draw(random, (("possible ", 2), ("questionable ", 1), ("suspected ", 1))) + (
            age if mention.acuity is Acuity.OLD else ""
        )
    text = f"{age}{short} fracture{'s' if many else ''}"
    if mention.flail:
        text += " with flail segment"
    if not mention.certain and mention.acuity is not Acuity.OLD and chance(random, 0.5):
        text += ", correlate for point tenderness"
    return text[0].upper() + text[1:] + "."


def _slips(text: str, random: np.random.Generator, settings: RecordSettings) -> str:
    words = re.split(r"( |\n)", text)
    gone = random.random(len(words)) < settings.report_blanks_words
    return "".join(
        BLANK if lost and word.isalpha() else word for word, lost in zip(words, gone, strict=True)
    )


def _abbreviated(text: str) -> str:
    return re.sub(r"\w+", lambda word: phrases.ABBREVIATIONS.get(word[0], word[0]), text)


def _misspelt(texts: list[str], random: np.random.Generator) -> list[str]:
    known = [word for text in texts for word in re.findall(r"\w+", text)]
    known = sorted(set(known) & set(phrases.MISSPELLINGS))
    if not known:
        return texts
    word = pick(random, known)
    wrong = phrases.MISSPELLINGS[word]
    return [re.sub(rf"\b{word}\b", wrong, text) for text in texts]
