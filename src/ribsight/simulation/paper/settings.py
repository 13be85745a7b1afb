"""How often reports and codes go wrong, each rate with where its default comes from."""

from typing import Annotated

from pydantic import Field

from ribsight.settings import Settings

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


class RecordSettings(Settings):
    """Rates of what makes medical records differ from the truth on film.

    Counts are of Open-i (Indiana University): all 3,955 English chest reports, or 1,975 of them, of
    which 33 are coded with a rib or clavicle fracture and 52 have an indication that names trauma.
    "Chosen" means that no source was found and the value is ours. The rates of codes were chosen
    together so that, with an acute fracture in one patient of ten, acute fracture codes have the
    published positive predictive value of 66 to 74 % (Pharmacoepidemiology and Drug Safety 2023,
    doi 10.1002/pds.5662) and, for single fractures, the sensitivity of ICD-10 injury codes, 62 %
    (PLOS ONE 2024, e0298411).

    Attributes:
        report_misses_rib: a visible rib fracture is not reported. Chosen. Radiologists reported
            32 % of the rib fractures of an external study (PMC10996416), occult ones among them,
            which the simulator knows apart.
        report_misses_clavicle: a visible clavicle fracture is not reported. Chosen; 54 % were
            reported in the same study.
        report_suspects_invisible: a fracture no film shows is suspected nonetheless (tenderness,
            haematoma, a known CT). Chosen.
        report_suspects_absent: a patient without a reported fracture gets a hedged one. Uncertain
            mentions are in 17 of 3,955 reports; raised fivefold for a trauma registry.
        report_hedges: a reported fracture is only possible. 17 of 77 mentions.
        report_wrong_side: Chosen; the side read from the text differed from the coding in 3 of 62.
        report_age_unsaid: "age-indeterminate" (2 of 33) or no word on age (5 of 33).
        report_numbers_unsaid: "multiple left rib fractures". 17 of 20 mentions of several ribs, old
            ones nearly all; chosen lower, because trauma reports count.
        report_impression_omits_old: an old fracture stands in the findings alone. 20 of 22.
        report_impression_omits_acute: the same for one that is not old. 3 of 9.
        report_negates: a report without an acute fracture says so, or calls the bones intact. 34
            of the 52.
        report_indication_names_fracture: "rule out rib fracture", "known rib fractures". 29 of the
            52, 29 of 1,975; chosen between.
        report_hardware_fracture: broken wire, screw or catheter, if there is one. 2 of 48 reports
            with sternal wires.
        report_warns: "nondisplaced fractures may be occult; consider a rib series". 5 of the 52.
        report_abbreviates: fx, rt, lt instead of words, in the whole report. Chosen; Open-i hardly
            does (2 of 1,975).
        report_misspells: one word of the report is misspelt. Chosen.
        report_blanks_words: a word was blanked to XXXX by de-identification, each by this rate.
            Chosen; 1,697 of 1,975 reports have at least one blank.
        report_blanks_dates: the same for dates and ages. Chosen.
        report_empty: nothing was dictated. 28 of 3,955.
        code_missing: fractures of one bone and side are not coded. Chosen, see above.
        code_invisible: all that no film shows is coded, because a CT found it. Chosen.
        code_late: the coded encounter is days or weeks after the films. Chosen.
        code_wrong_side: Chosen.
        code_unspecified_side: S22.39, S22.49, the unspecified sides of S42.0. Chosen.
        code_unspecified_part: S42.00-, 810.00, or 807.00 without a count. Chosen.
        code_rule_out: a patient without any fracture gets the code of the one that was ruled out.
            Chosen, see above.
        code_old_as_acute: an old fracture is coded as if it were new. Chosen.
        code_old_as_history: Z87.81 or V15.51, or a sequela, for an old one. Chosen.
        code_healing_as_acute: a fracture that heals is coded as initial encounter. Chosen.
        code_open: an acute clavicle fracture is coded as open. Chosen; they are rare.
        code_elsewhere: a fracture of another bone is coded beside. Chosen.
        code_undotted: all codes of the patient are written without the dot. Chosen.
        code_lower_case: all codes of the patient are written in lower case. Chosen.
        code_others: mean number of codes that have nothing to do with fractures. Chosen.

    """

    report_misses_rib: Rate = 0.2
    report_misses_clavicle: Rate = 0.08
    report_suspects_invisible: Rate = 0.05
    report_suspects_absent: Rate = 0.02
    report_hedges: Rate = 0.2
    report_wrong_side: Rate = 0.03
    report_age_unsaid: Rate = 0.2
    report_numbers_unsaid: Rate = 0.5
    report_impression_omits_old: Rate = 0.9
    report_impression_omits_acute: Rate = 0.3
    report_negates: Rate = 0.65
    report_indication_names_fracture: Rate = 0.25
    report_hardware_fracture: Rate = 0.04
    report_warns: Rate = 0.1
    report_abbreviates: Rate = 0.08
    report_misspells: Rate = 0.05
    report_blanks_words: Rate = 0.003
    report_blanks_dates: Rate = 0.5
    report_empty: Rate = 0.007
    code_missing: Rate = 0.3
    code_invisible: Rate = 0.6
    code_late: Rate = 0.15
    code_wrong_side: Rate = 0.03
    code_unspecified_side: Rate = 0.12
    code_unspecified_part: Rate = 0.3
    code_rule_out: Rate = 0.035
    code_old_as_acute: Rate = 0.08
    code_old_as_history: Rate = 0.2
    code_healing_as_acute: Rate = 0.2
    code_open: Rate = 0.01
    code_elsewhere: Rate = 0.05
    code_undotted: Rate = 0.35
    code_lower_case: Rate = 0.03
    code_others: Annotated[float, Field(ge=0.0, le=20.0)] = 2.0

    def without_errors(self) -> "RecordSettings":
        """Return these settings with every rate 0 that parts records from the truth on film.

        Wording stays: hardware, warnings, abbreviations, spellings of codes, other codes.
        """
        return self.model_copy(update=dict.fromkeys(ERRORS, 0.0))


ERRORS = (
    "report_misses_rib",
    "report_misses_clavicle",
    "report_suspects_invisible",
    "report_suspects_absent",
    "report_hedges",
    "report_wrong_side",
    "report_age_unsaid",
    "report_misspells",
    "report_blanks_words",
    "report_empty",
    "code_missing",
    "code_invisible",
    "code_late",
    "code_wrong_side",
    "code_unspecified_side",
    "code_unspecified_part",
    "code_rule_out",
    "code_old_as_acute",
    "code_healing_as_acute",
    "code_open",
)
"""Rates of the settings that are errors; the others are ways of writing."""
