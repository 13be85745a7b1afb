"""Each rule has a sentence that it decides and a near-miss that it must not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.records import Lexicon, Mention, is_tomography, label_report, read_lexicon

EN, ES = read_lexicon("en"), read_lexicon("es")


def labelled(mentions: tuple[Mention, ...], site: str) -> str:
    """Return the states of a site: `present`, `likely`, `uncertain`, ...; blank if none."""
    states = ["likely" if one.is_likely else str(one.state) for one in mentions if one.site == site]
    return " ".join(dict.fromkeys(states))


def states(text: str, site: str = "rib", lexicon: Lexicon = EN) -> str:
    return labelled(label_report(text, lexicon), site)


def only(text: str, lexicon: Lexicon = EN) -> Mention:
    (mention,) = label_report(text, lexicon)
    return mention


@pytest.mark.parametrize(
    ("text", "state"),
    [
        # negation before, and where its scope ends
        ("No displaced rib fracture.", "negated"),
        ("No pneumothorax, effusion or rib fracture.", "negated"),
        ("No pneumothorax, old left rib fractures.", "present"),
        ("No pneumothorax is seen, right rib fracture.", "present"),
        ("No pneumothorax but a right rib fracture.", "present"),
        ("No pneumothorax despite a 6th rib fracture.", "present"),
        ("There is no pneumothorax and multiple left rib fractures.", "present"),
        ("No acute, displaced rib fracture.", "negated"),
        # negation behind
        ("Rib fractures are not seen.", "negated"),
        ("Old rib fractures are seen, pneumothorax is not seen.", "present"),
        ("Rib fractures: none.", "negated"),
        ("Rib fracture without pneumothorax.", "present"),
        # a form's or template's answer
        ("Rib fracture: No", "negated"),
        ("Rib fracture: No. Pneumothorax: Yes.", "negated"),
        ("Rib fracture (no), pneumothorax (yes)", "negated"),
        ("Fracture of rib or clavicle: none", "negated"),
        ("Pneumothorax: No. Rib fracture: Yes.", "present"),
        ("Pneumothorax: no, rib fracture: yes", "present"),
        ("Left rib fracture, pneumothorax: no", "present"),
        ("Rib fracture - no pneumothorax", "present"),
        # a sign beside a denied fracture
        ("No rib fracture but a cortical step of the left 6th rib.", "negated uncertain"),
        ("Old deformity of the left 5th rib, no acute rib fracture.", "uncertain negated"),
        ("Deformity of the left 5th rib, an old rib fracture.", "present"),
        # what looks like negation
        ("No change in the right rib fracture.", "present"),
        ("Nodules not seen on the prior exam, healed rib fracture.", "present"),
        ("Right rib fracture without displacement.", "present"),
        ("No pneumothorax related to the rib fracture.", "present"),
        ("No new rib fracture.", "negated"),
        # doubt
        ("Possible rib fracture.", "uncertain"),
        ("Cannot exclude a rib fracture.", "uncertain"),
        ("A rib fracture cannot be excluded.", "uncertain"),
        ("Rib fractures have been excluded.", "negated"),
        ("Rib fracture versus vascular shadow.", "uncertain"),
        ("Nodule or old rib fracture.", "uncertain"),
        ("Acute or subacute rib fracture.", "present"),
        ("Rib fracture is unlikely.", "uncertain"),
        ("Probable rib fracture.", "likely"),
        ("Rib fractures, age indeterminate.", "present"),
        ("The rib fractures are likely old.", "present"),
        ("Rib fracture, of uncertain acuity.", "present"),
        ("Fracture of the 3rd and possibly the 4th rib.", "present"),
        ("XXXX represents an old rib fracture.", "likely"),
        # mere talk
        ("If there is concern for rib fracture, rib views are advised.", "hypothetical"),
        ("Evaluate for rib fracture.", "hypothetical"),
        ("Rib fractures may be missed on this view.", "hypothetical"),
        ("Rib fractures may be old.", "present"),
        # signs and deformities
        ("Deformity of the right 6th rib.", "uncertain"),
        ("Deformity of the right 6th rib from an old fracture.", "present"),
        ("No deformity of the ribs.", ""),
        ("Deformity of the thoracic spine.", ""),
        ("Broken ribs.", "present"),
        ("Broken of the 4XXXX XXXX.", ""),
        ("Cortical step-off of the 5th rib.", "uncertain"),
        # words
        ("Right 5th rib fx.", "present"),
        ("Right 5th rib fratcure.", "present"),
        ("Right 5th rib fragment.", ""),
        ("Flail chest on the left.", "present"),
        ("Rib views. No fracture.", ""),
        ("Blunted costophrenic angle, fracture of T5.", ""),
        ("Cervical ribs, humeral fracture.", ""),
    ],
)  # fmt: skip
def test_state(text: str, state: str) -> None:
    assert states(text) == state


@pytest.mark.parametrize(
    ("text", "sites"),
    [
        ("Fracture of the catheter near the clavicle and first rib.", set()),
        ("Catheter fracture at the overlap of the clavicle and first rib.", set()),
        ("The screw of the clavicular fixation is fractured.", set()),
        ("Plate and screw fixation of a clavicle fracture.", {"clavicle"}),
        ("Fractured sternotomy wires.", set()),
        ("Fracture of the topmost sternotomy XXXX.", set()),
        ("Left clavicle fracture with wires.", {"clavicle"}),
        ("Fracture of the right clavicle and of the left 3rd rib.", {"clavicle", "rib"}),
        ("Right 2nd rib fracture, adjacent to the clavicle.", {"rib"}),
        ("Left humeral fracture overlying the ribs.", {"other"}),
        ("Fractures of T5 and L2.", {"other"}),
        ("Compression fracture of T12 and right 9th rib fracture.", {"other", "rib"}),
        ("Stable fractures of several XXXX XXXX.", {"unspecified"}),
        ("Ribs: no displaced fracture.", {"rib"}),
        ("Ribs: intact lungs. Old fracture.", {"rib"}),
        ("Irregularity of the 6th rib. Likely old fracture.", {"rib"}),
        ("Fracture in the left chest wall.", {"rib"}),
    ],
)
def test_site(text: str, sites: set[str]) -> None:
    assert {one.site for one in label_report(text, EN)} == sites


@pytest.mark.parametrize(
    ("text", "acuity"),
    [
        ("Acute rib fracture.", "acute"),
        ("Healing rib fracture.", "healing"),
        ("Rib fracture with callus.", "healing"),
        ("Old healed rib fracture.", "old"),
        ("Rib fractures, not acute.", "old"),
        ("Chronic rib fractures without acute abnormality.", "old"),
        ("Acute infiltrate and rib fracture.", "unknown"),
        ("Prior rib fracture.", "old"),
        ("Compared with the prior, rib fracture.", "unknown"),
        ("Unchanged rib fracture.", "unknown"),
        ("Rib fractures, some of which appear old.", "old"),
        ("Rib fractures not seen on the prior study.", "acute"),
        ("Acute appearing fracture of age indeterminate ribs.", "unknown"),
    ],
)
def test_age(text: str, acuity: str) -> None:
    assert {str(one.acuity) for one in label_report(text, EN) if one.site == "rib"} == {acuity}


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Left rib fracture.", "left"),
        ("Fracture of the R 5th rib.", "right"),
        ("Bilateral rib fractures, right greater than left.", "both"),
        ("Fractures of the right and left 5th ribs.", "both"),
        ("Right pneumothorax with left 5th rib fracture.", "left"),
        ("Rib fractures are present on the right.", "right"),
        ("Patient R was seen; rib fracture.", "unknown"),
    ],
)
def test_side(text: str, side: str) -> None:
    assert only(text).side == side


@pytest.mark.parametrize(
    ("text", "ribs", "count"),
    [
        ("Fractures of the left 4th, 5th, and 6th ribs.", (4, 5, 6), 3),
        ("Fractures of the 4th through 7th ribs.", (4, 5, 6, 7), 4),
        ("Fractures of ribs 4-7.", (4, 5, 6, 7), 4),
        ("Left rib 7 fracture.", (7,), 1),
        ("Fracture of the posterior 10 rib.", (10,), 1),
        ("Fracture of the fifth and sixth ribs.", (5, 6), 2),
        ("4 rib fractures.", (), 4),
        ("Three left rib fractures.", (), 3),
        ("Rib fracture displaced by 8 mm.", (), None),
        ("Fracture in the middle third of the rib.", (), None),
        ("Fracture of the third rib.", (3,), 1),
        ("Fracture of the 13th rib.", (), None),
    ],
)
def test_numbers(text: str, ribs: tuple[int, ...], count: int | None) -> None:
    assert (only(text).ribs, only(text).count) == (ribs, count)


def test_displacement_and_comparison() -> None:
    assert only("Mildly displaced rib fracture.").displacement == "displaced"
    assert only("Nondisplaced rib fracture.").displacement == "nondisplaced"
    assert only("Rib fracture.").displacement == "unknown"
    assert only("Unchanged right 6th rib fracture.").is_seen_before
    assert not only("Right 6th rib fracture.").is_seen_before
    assert only("Multiple rib fractures.").is_multiple
    assert not only("The left clavicle is fractured.").is_multiple


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("INDICATION: rib fracture.\nFINDINGS: Clear lungs.", ""),
        ("History: fall, rib fracture", ""),
        ("CLINICAL HISTORY: rib fracture. FINDINGS: Rib fracture.", "present"),
        ("Findings: Old rib fracture. No history: available.", "present"),
        ("HISTORY\nrib fracture\n\nIMPRESSION\nPossible rib fracture", "uncertain"),
        ("COMPARISON: CT, rib fracture. IMPRESSION: No rib fracture.", "negated"),
        # headings inside a line
        ("Indication: rib fracture? Findings: Left rib fracture.", "present"),
        ("Indication: rib fracture Findings: No rib fracture.", "negated"),
        ("XR chest. Indication: rib fracture. Findings: Clear lungs.", ""),
        ("Findings: No rib fracture. Comparison: old rib fracture. Impression: Normal.", "negated"),
        ("Indication: pain. Clinical Impression: rib fracture", ""),
        ("Indication: a prior report: rib fracture", ""),
        ("Rib fracture on the left. Recommendation: views. Old rib fracture.", "present"),
    ],
)
def test_sections_that_do_not_count(text: str, state: str) -> None:
    assert states(text) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Motivo: sospecha de fractura costal. Informe: Fractura de 5ª costilla.", "present"),
        ("Motivo: fractura costal Hallazgos: sin fracturas costales.", "negated"),
        ("Hallazgos: tórax normal. Impresión diagnóstica: fractura costal.", "present"),
    ],
)
def test_spanish_headings_inside_a_line(text: str, state: str) -> None:
    assert states(text, lexicon=ES) == state


def test_sentences_end_where_they_end() -> None:
    assert states("No effusion.The right rib is fractured.") == "present"
    assert states("No comment by Dr. Lee. Rib fracture approx. 2.5 cm long.") == "present"
    assert states("No pneumothorax\nRight rib fracture") == "present"
    wrapped = (
        "No focal consolidation, large pleural effusion, pneumothorax, or\ndisplaced rib fracture."
    )
    assert states(wrapped) == "negated"
    assert states("No pneumothorax; right rib fracture") == "present"


def test_bones_called_intact_are_a_denial_of_their_own_kind() -> None:
    (bones,) = label_report("Bony thorax is intact.", EN)
    assert (bones.kind, bones.state, bones.site) == ("bones", "negated", "unspecified")
    assert label_report("Bony thorax is not normal.", EN) == ()
    assert label_report("Acute osseous abnormality.", EN) == ()
    assert only("No acute osseous abnormality.").kind == "bones"


def test_evidence_spans_the_words_used_and_names_the_phrase() -> None:
    text = "FINDINGS: Clear lungs. There is no acute left rib fracture today."
    evidence = only(text).evidence
    assert text[evidence.start : evidence.end] == "no acute left rib fracture"
    assert text[evidence.sentence_start : evidence.sentence_end].startswith("There is")
    assert (evidence.section, evidence.rule) == ("findings", "negation before: no")


def test_the_kind_of_image_is_read_from_the_heading() -> None:
    assert is_tomography("EXAM: CT chest with contrast\nFINDINGS: Rib fracture.", EN)
    assert is_tomography("CT CHEST: rib fracture", EN)
    assert not is_tomography("EXAM: Chest PA\nCOMPARISON: CT chest\nFINDINGS: Clear.", EN)
    assert not is_tomography("Rib fracture, see the CT of today.", EN)


@pytest.mark.parametrize(
    ("text", "site", "state"),
    [
        ("No se observan fracturas costales.", "rib", "negated"),
        ("No hay neumotórax, fractura costal ni derrame.", "rib", "negated"),
        ("No hay derrame y se observa fractura costal.", "rib", "present"),
        ("Fractura costal no desplazada.", "rib", "present"),
        ("Sin cambios en la fractura costal conocida.", "rib", "present"),
        ("No se puede descartar fractura costal.", "rib", "uncertain"),
        ("Se descarta fractura costal.", "rib", "negated"),
        ("Para descartar fractura costal.", "rib", "hypothetical"),
        ("Probable fractura costal.", "rib", "likely"),
        ("Dudosa fractura costal.", "rib", "uncertain"),
        ("Callo de fractura en 4º arco costal.", "rib", "present"),
        ("Callo de fractura.", "rib", "present"),
        ("Fractura de clavícula.", "clavicle", "present"),
        ("Luxación acromioclavicular y fractura de húmero.", "clavicle", ""),
        ("Pinzamiento costofrénico. Fractura vertebral.", "rib", ""),
        ("Fractura de cable de marcapasos en la costilla.", "rib", ""),
        ("Motivo de consulta: fractura costal", "rib", ""),
        # stems without accents and stop-words, as PadChest has them
        ("no apreci traz fractur costal .", "rib", "negated"),
        ("call fractur 5o 6o arcos costal izquierd .", "rib", "present"),
        ("fractur costal derech sin neumotorax .", "rib", "present"),
        ("dolor cost . fractur aplast l1 .", "rib", ""),
        ("fractur 3o dudos 4o arcos costal .", "rib", "present"),
    ],
)
def test_spanish_state(text: str, site: str, state: str) -> None:
    assert states(text, site, ES) == state


@pytest.mark.parametrize(
    ("text", "acuity", "side", "ribs"),
    [
        ("Fractura aguda del 6º arco costal derecho.", "acute", "right", (6,)),
        ("Callos de fractura en 4º y 5º arcos costales izdos.", "healing", "left", (4, 5)),
        ("Fracturas antiguas de 3ª a 5ª costillas izquierdas.", "old", "left", (3, 4, 5)),
        ("call fractur quint sext arcos costal derech", "healing", "right", (5, 6)),
        ("fractur costal bilateral", "unknown", "both", ()),
        ("Fractura consolidada de la séptima costilla dcha.", "old", "right", (7,)),
    ],
)
def test_spanish_details(text: str, acuity: str, side: str, ribs: tuple[int, ...]) -> None:
    mention = only(text, ES)
    assert (mention.acuity, mention.side, mention.ribs) == (acuity, side, ribs)


def test_accents_in_either_form_and_case_do_not_matter() -> None:
    composed, decomposed = "Fractura de CLAVÍCULA", "Fractura de clavi\u0301cula"
    assert states(composed, "clavicle", ES) == states(decomposed, "clavicle", ES) == "present"


WORDS = sorted(
    {
        word.strip("*")
        for lexicon in (EN, ES)
        for lists in (lexicon.settings.findings, lexicon.settings.state, lexicon.settings.age)
        for value in lists.model_dump().values()
        if isinstance(value, list)
        for word in value
    }
    | {"rib", "ribs", "clavicle", "left", "5th", "4-7", ",", ".", "and", "or", ":", "\n", "XXXX"}
)
texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
)


@settings(max_examples=300)
@given(texts, st.sampled_from([EN, ES]))
def test_any_text_gives_a_result_within_it(text: str, lexicon: Lexicon) -> None:
    found = label_report(text, lexicon)
    assert label_report(text, lexicon) == found
    assert label_report(text, Lexicon(lexicon.settings)) == found
    for one in found:
        evidence = one.evidence
        assert 0 <= evidence.sentence_start <= evidence.start < evidence.end
        assert evidence.end <= evidence.sentence_end <= len(text)
        assert all(1 <= rib <= 12 for rib in one.ribs)
        assert list(one.ribs) == sorted(set(one.ribs))
    is_tomography(text, lexicon)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([
    "No rib fracture.", "Old left clavicle fracture.", "Possible right 5th rib fracture.",
    "Clear lungs.", "Evaluate for fracture of the ribs.",
]), max_size=5))  # fmt: skip
def test_whole_sentences_do_not_touch_each_other(parts: list[str]) -> None:
    alone = [labelled(label_report(one, EN), site) for one in parts for site in ("rib", "clavicle")]
    together = label_report("\n\n".join(parts), EN)
    expected = {state for state in alone if state}
    found = {
        "likely" if one.is_likely else str(one.state)
        for one in together
        if one.site in ("rib", "clavicle")
    }
    assert found == expected


def test_no_report_text_stands_in_a_mention() -> None:
    text = "FINDINGS: Mr Quasimodo has an old left rib fracture near his Zebulon plate."
    assert not re.search("quasimodo|zebulon", repr(label_report(text, EN)), re.IGNORECASE)
