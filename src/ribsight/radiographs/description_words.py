"""Words for parts of the body and views as hospitals write them, in seven languages of Europe."""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from ribsight.radiographs.radiograph import View
from ribsight.radiographs.view import view_of_words


class Part(StrEnum):
    """What a description names, as far as it matters to rib and clavicle fractures."""

    CHEST = "the chest"
    RIBS = "ribs"
    CLAVICLE = "a clavicle"
    ABDOMEN = "the abdomen"
    OTHER = "another body part"


# English, German, French, Spanish, Portuguese, Italian and Dutch, in small letters without accents.
# Phrases are looked for first and taken out, because their words alone mean something else:
# a thoracic spine is no chest.
_PHRASES: dict[Part, str] = {
    Part.OTHER: """
        thoracic spine | thoracic vertebra | dorsal spine | thoraco lumb | t spine | c spine
        | l spine | spine thora | columna tora | columna dorsal | colonna tora | colonna dorsal
        | coluna tora | coluna dorsal | rachis thora | rachis dorsal | thora wirbel | thora werv
        | sterno clavi | sternoclavi | acromio clavi | acromioclavi | a c joint | ac gelenk
        | col dorsal | col lumbar | col cervical | col total | main droite | main gauche
        | main face | la main | les mains
        """,
    Part.RIBS: """
        gril costal | grill costal | grade costal | parrilla costal | cage thora | gabbia tora
        | caixa tora | caja tora | rib cage | knochern thora | knochern hemi | benige thora
        | hemi thora | hemi tora | emi tora
        """,
    Part.CLAVICLE: "collar bone",
}
# Beginnings of words; one with a full stop is a whole word.
_WORDS: dict[Part, str] = {
    Part.CHEST: """
        chest thora tora pecho cxr lung pulm poumon polmon longen brustkorb borstkas
        """,
    Part.RIBS: """
        rib. ribs. ribcage rippe costal costilla costela coste. costa. costae. costais. cotes.
        ribben. hemithora hemitora emitora parrilla
        """,
    Part.CLAVICLE: "clavi klavi collarbone schlusselbein schluesselbein sleutelbeen",
    Part.ABDOMEN: """
        abd. abdom abomen kub. babygram bauch buik. ventre renal kidney urin urogra vesic bladder
        """,
    Part.OTHER: """
        hand. hands. wrist finger thumb arm. arms. forearm elbow shoulder humer scapula carpal
        metacarp navicular scaphoid hip. hips. pelvi femur femor thigh knee patella leg. legs.
        lowleg tibia fibula ankle foot. feet. toe. toes. heel calcan tarsal metatars spine cspine
        tspine lspine sspine lumba lumbo cervi sacr coccyx skull head. sinus. sinuses. face.
        facial nasal nose. orbit jaw. mandib maxill teeth dental zygoma neck. extrem breast mammo
        sternum sternal laryn laring airway adenoid esternon joint skelet scoliosis acromi
        hande. handgelenk daumen unterarm oberarm ellenbogen ellbogen schulter hufte huefte becken
        knie. kniegelenk bein. unterschenkel oberschenkel sprunggelenk fuss. fusse. zehe ferse
        wirbel bws. hws. lws. kreuzbein schadel schaedel kopf. kiefer nase. hals.
        mains. poignet pouce doigt bras. coude epaule omoplate hanche bassin cuisse genou jambe
        cheville pied. pieds. orteil talon rachis crane. machoire cou.
        mano. manos. muneca pulgar dedo. dedos. brazo antebrazo codo. hombro escapula cadera muslo
        rodilla pierna tobillo pie. pies. columna craneo cuello raquis
        mao. maos. punho braco antebraco cotovelo ombro anca. quadril bacia. coxa. joelho perna
        tornozelo pes. coluna cranio pescoco
        polso pollice dito. braccio avambraccio gomito spalla bacino ginocchio gamba caviglia piede
        piedi rachide colonna collo.
        pols. duim vinger onderarm bovenarm elleboog schouder heup bekken onderbeen bovenbeen enkel
        voet. voeten teen. tenen. hiel. schedel
        """,
}

# What `view_of_words` does not know: words of free text.
_VIEWS: dict[View, str] = {
    View.FRONTAL: """
        face frente front frontaal dv vd dorsoventral ventrodorsal posteroanteriore anteroposteriore
        decubitus achterwaarts voorachterwaarts
        """,
    View.OBLIQUE: "obliqua obliquo obliqui oblicuas oblik schraeg schrag schuin",
    View.LATERAL: """
        seitl seitliche laterales laterali laterolateral laterolaterale profilo zijdelings dwarse
        """,
}

# Nobody turns a patient in bed sideways, unless the same text says so.
_AT_THE_BED = frozenset({"portable", "portatil", "bedside", "camilla", "bettaufnahme", "mobile"})


def _pattern(stems: Iterable[str]) -> re.Pattern[str]:
    """Match any of these beginnings of words; in a phrase every word is a beginning."""
    found = (stem.strip().replace(".", r"\b").replace(" ", r"\w* ") for stem in stems)
    return re.compile(rf"\b(?:{'|'.join(found)})")


_PHRASE_PATTERNS = {part: _pattern(said.split("|")) for part, said in _PHRASES.items()}
_WORD_PATTERNS = {part: _pattern(said.split()) for part, said in _WORDS.items()}


def plain(said: str) -> str:
    """Return words in small letters without accents, one space between them.

    `NA_chestLAT_auto` becomes `na chest lat auto`, `Schlüsselbein li.` `schlusselbein li`.
    """
    said = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", said)
    decomposed = unicodedata.normalize("NFKD", said).casefold()
    letters = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(re.findall(r"[^\W_]+", letters))


def parts_named(said: str) -> frozenset[Part]:
    """Return the parts of the body that a text names, none if it names no known one."""
    rest = plain(said)
    named = set()
    for part, phrases in _PHRASE_PATTERNS.items():
        rest, count = phrases.subn(" ", rest)
        if count:
            named.add(part)
    return frozenset(named | {part for part, words in _WORD_PATTERNS.items() if words.search(rest)})


def view_named(said: str) -> View | None:
    """Return the view that a text names, FRONTAL for any of its kinds; None for none or several.

    An oblique view is oblique whatever else is said of it, `oblique AP`; someone lying on the side
    is seen from the front, `left lateral decubitus`.
    """
    rest = re.sub(r"\b([ap]) ([ap])\b", r"\1\2", plain(said))
    rest = re.sub(r"\b(ap|pa) l\b", r"\1 lateral", rest)
    if view_of_words(rest) is View.FRONTAL:
        return View.FRONTAL
    meant = {_coarse(view_of_words(word)) for word in rest.split()}
    meant |= {view for view, known in _VIEWS.items() if {*known.split()} & {*rest.split()}}
    meant.discard(None)
    if View.OBLIQUE in meant:
        return View.OBLIQUE
    if not meant and _AT_THE_BED & {*rest.split()}:
        return View.FRONTAL
    return meant.pop() if len(meant) == 1 else None


def _coarse(view: View | None) -> View | None:
    return View.FRONTAL if view in (View.PA, View.AP) else view
