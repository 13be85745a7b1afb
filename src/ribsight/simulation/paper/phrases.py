"""The words of reports: tables of (phrase, weight), in our own words, as radiologists dictate.

Slots: {bone} "the left 7th rib", {short} "left 7th rib", {d} displacement with a space behind it
or nothing, {side}, {age} "52-year-old", {ago} a number of days. Which table is taken, `reports.py`
decides.
"""

from ribsight.findings import Acuity
from ribsight.simulation.truth import Confounder, Displacement, View

Phrases = tuple[tuple[str, float], ...]

EXAMS = {
    View.PA_ERECT: "PA",
    View.AP_SUPINE: "AP portable supine",
    View.OBLIQUE_LEFT: "left oblique ribs",
    View.OBLIQUE_RIGHT: "right oblique ribs",
    View.LATERAL: "lateral",
}
TRAUMA: Phrases = (
    ("Fall.", 3),
    ("Status post fall from ladder.", 2),
    ("Motor vehicle collision.", 3),
    ("MVC, chest wall pain.", 2),
    ("Blunt trauma, shortness of breath.", 2),
    ("Fell off bicycle, shoulder and chest pain.", 1),
    ("Trauma activation.", 2),
    ("Assault.", 1),
    ("Chest pain after fall down steps.", 2),
    ("Pedestrian struck by car.", 1),
    ("Pain with deep breathing since a fall {ago} days ago.", 1),
)
INDICATIONS: Phrases = (
    ("Cough.", 2),
    ("Chest pain.", 3),
    ("Shortness of breath.", 3),
    ("Fever, evaluate for pneumonia.", 2),
    ("Preoperative evaluation.", 1),
    ("Line placement.", 1),
    ("{age} {sex} with dyspnea.", 2),
    ("{age} {sex} with chest pain.", 2),
)
FRACTURE_INDICATIONS: Phrases = (
    ("Rule out rib fracture.", 3),
    ("Fall, rib pain, evaluate for rib fracture.", 3),
    ("Chest wall pain after fall, r/o fracture.", 2),
    ("Concern for clavicle fracture.", 1),
    ("Shoulder pain after fall, question of clavicle fracture.", 1),
    ("History of rib fractures, follow up.", 1),
    ("Tenderness over the ribs, fracture?", 1),
    ("{age} {sex}, MVC, evaluate for fractures.", 1),
)
NO_COMPARISON: Phrases = (("None.", 5), ("None available.", 2), ("No prior studies.", 1))
COMPARISON: Phrases = (
    ("Chest radiograph dated {date}.", 3),
    ("{date}.", 3),
    ("Two-view chest radiograph of {date}.", 1),
    ("CT chest dated {date}.", 1),
    ("Portable chest of {date}.", 1),
)

HEART: Phrases = (
    ("Heart size is normal.", 4),
    ("The cardiomediastinal silhouette is within normal limits.", 4),
    ("Cardiac and mediastinal contours are normal.", 3),
    ("Heart is mildly enlarged.", 1.5),
    ("The aorta is tortuous and calcified.", 1),
    ("Heart size is within normal limits for technique.", 1),
)
LUNGS: Phrases = (
    ("The lungs are clear.", 5),
    ("No focal consolidation.", 4),
    ("Lungs are clear without focal airspace disease.", 2),
    ("Low lung volumes with bibasilar atelectasis.", 2),
    ("Streaky opacity at the left base, likely atelectasis.", 1),
    ("Hazy opacity in the right mid lung may represent contusion.", 0.5),
    ("Calcified granuloma in the right upper lobe.", 0.7),
    ("Hyperexpanded lungs with flattened diaphragms.", 0.8),
)
NO_PLEURA: Phrases = (
    ("No pneumothorax or pleural effusion.", 5),
    ("There is no pneumothorax.", 3),
    ("No pleural effusion or pneumothorax is seen.", 3),
    ("Costophrenic angles are sharp.", 1),
)
PLEURA: Phrases = (
    ("Small {side} pneumothorax.", 3),
    ("Small {side} pleural effusion.", 3),
    ("Trace {side} apical pneumothorax without mediastinal shift.", 1),
    ("Blunting of the {side} costophrenic angle.", 2),
)
SPINE: Phrases = (
    ("Degenerative changes of the thoracic spine.", 5),
    ("Mild dextroscoliosis.", 1),
    ("Mild anterior wedging of a midthoracic vertebral body, age indeterminate.", 0.7),
    ("Old compression fracture of a lower thoracic vertebra.", 0.5),
    ("Osteopenia.", 1),
)

DISPLACEMENTS: dict[Displacement, Phrases] = {
    Displacement.NON_DISPLACED: (("nondisplaced ", 5), ("non-displaced ", 2), ("", 2)),
    Displacement.BUCKLE: (("buckle ", 4), ("buckle-type ", 1), ("nondisplaced ", 1)),
    Displacement.DISPLACED: (
        ("displaced ", 5),
        ("mildly displaced ", 2),
        ("minimally displaced ", 2),
        ("", 1),
    ),
    Displacement.SEVERELY_DISPLACED: (
        ("severely displaced ", 2),
        ("markedly displaced ", 2),
        ("displaced ", 2),
        ("comminuted and displaced ", 1),
    ),
}

ONE: dict[Acuity, Phrases] = {
    Acuity.ACUTE: (
        ("There is a {d}fracture of {bone}.", 4),
        ("Acute {d}fracture of {bone}.", 4),
        ("A {d}fracture is present at {bone}.", 2),
        ("{d}fracture involving {bone}.", 1),
        ("Cortical step-off along {bone}, in keeping with a {d}fracture.", 1),
        ("{short}, {d}fracture.", 0.5),
        ("There is acute deformity of {bone}, consistent with a {d}fracture.", 1),
    ),
    Acuity.HEALING: (
        ("Healing fracture of {bone}.", 3),
        ("Subacute fracture of {bone} with early callus formation.", 3),
        ("There is callus about a {d}fracture of {bone}.", 2),
        ("Fracture of {bone} with interval callus.", 1),
    ),
    Acuity.OLD: (
        ("Old healed fracture of {bone}.", 4),
        ("Remote {short} fracture.", 3),
        ("Old fracture of {bone} is noted.", 3),
        ("Deformity of {bone}, compatible with an old fracture.", 3),
        ("Chronic fracture of {bone} without acute abnormality.", 1),
        ("Healed {short} fracture, unchanged.", 1),
    ),
    Acuity.UNKNOWN: (
        ("Age-indeterminate fracture of {bone}.", 3),
        ("Fracture of {bone}, of uncertain age.", 2),
        ("There is a fracture of {bone}.", 3),
    ),
}
MANY: dict[Acuity, Phrases] = {
    Acuity.ACUTE: (
        ("There are {d}fractures of {bone}.", 4),
        ("Acute {d}fractures of {bone}.", 4),
        ("Multiple {side} rib fractures, involving {bone}.", 3),
        ("{d}fractures are seen at {bone}.", 1),
        ("Several {side}-sided rib fractures, including {bone}.", 1),
    ),
    Acuity.HEALING: (
        ("Healing fractures of {bone}.", 3),
        ("Subacute fractures of {bone} with callus formation.", 3),
        ("Multiple healing {side} rib fractures, {bone}.", 1),
    ),
    Acuity.OLD: (
        ("Old healed fractures of {bone}.", 4),
        ("Remote fractures of {bone}.", 3),
        ("Deformities of {bone}, compatible with old fractures.", 3),
        ("Healed fractures of {bone} without acute abnormality.", 1),
    ),
    Acuity.UNKNOWN: (
        ("Age-indeterminate fractures of {bone}.", 3),
        ("There are fractures of {bone}.", 3),
        ("Multiple {side} rib fractures, {bone}, of uncertain age.", 1),
    ),
}
UNNUMBERED: dict[Acuity, Phrases] = {
    Acuity.ACUTE: (
        ("Multiple acute {side} rib fractures.", 3),
        ("There are multiple {side}-sided rib fractures, some of them displaced.", 1),
        ("Several acute {side} rib fractures are seen.", 2),
    ),
    Acuity.HEALING: (
        ("Multiple healing {side} rib fractures.", 3),
        ("Several subacute {side} rib fractures with callus.", 2),
    ),
    Acuity.OLD: (
        ("Multiple old healed {side} rib fractures.", 3),
        ("Chronic {side} rib fractures without acute abnormality.", 2),
        ("Remote {side} rib fractures.", 2),
    ),
    Acuity.UNKNOWN: (("Multiple age-indeterminate {side} rib fractures.", 1),),
}
FLAIL: Phrases = (
    ("Segmental fractures of {bone}, in keeping with a flail segment.", 2),
    ("Displaced segmental fractures of {bone}. Findings raise concern for flail chest.", 1),
    ("Multiple segmental {side} rib fractures, {bone}, flail chest.", 1),
)
FIXED: Phrases = (
    ("Plate and screw fixation of {bone}.", 3),
    ("Postsurgical changes of open reduction and internal fixation of {bone}.", 2),
    ("Status post ORIF of {bone}, hardware intact.", 2),
)
HEDGED: Phrases = (
    ("Question of a subtle nondisplaced fracture of {bone}.", 3),
    ("Possible fracture of {bone}.", 3),
    ("A nondisplaced fracture of {bone} cannot be excluded.", 3),
    ("Cortical irregularity of {bone}, which may represent a fracture versus overlap.", 2),
    ("Lucency at {bone}, suspicious for a nondisplaced fracture.", 1),
    ("Probable fracture of {bone}.", 1),
)
HEDGED_OLD: Phrases = (
    ("Deformity of {bone}, possibly from an old fracture.", 3),
    ("Questionable old fracture of {bone}.", 2),
    ("Sclerosis at {bone} may represent a healed fracture or a bone island.", 1),
)

BONES_CLEAR: Phrases = (
    ("No acute osseous abnormality.", 4),
    ("No displaced rib fracture is seen.", 3),
    ("No acute, displaced rib fracture.", 2),
    ("The visualized bones are intact.", 2),
    ("The ribs and clavicles appear intact.", 1),
    ("There is no evidence of fracture.", 2),
    ("No definite acute fracture.", 2),
    ("No fracture or dislocation.", 1),
    ("Negative for acute displaced rib fracture.", 1),
)
NO_NEW: Phrases = (
    ("No acute fracture.", 4),
    ("No acute osseous abnormality.", 3),
    ("No acute displaced rib fracture is identified.", 3),
    ("No new fracture.", 1),
)
NO_OTHER: Phrases = (
    ("No other fracture is identified.", 3),
    ("Remaining bones are intact.", 2),
    ("No additional displaced fracture.", 2),
)
WARNINGS: Phrases = (
    ("Please note that nondisplaced rib fractures may be radiographically occult.", 2),
    ("If there is clinical concern for fracture, consider a dedicated rib series.", 2),
    ("CT is more sensitive should rib fracture remain a concern.", 1),
)
NO_ACUTE: Phrases = (
    ("No acute cardiopulmonary abnormality.", 5),
    ("No acute cardiopulmonary process.", 3),
    ("No acute cardiopulmonary findings.", 2),
    ("No active disease.", 1),
)

DEVICES: dict[Confounder, Phrases] = {
    Confounder.ECG_LEADS: (("Overlying monitoring leads.", 1), ("", 4)),
    Confounder.CENTRAL_LINE: (
        ("Right IJ central venous catheter with tip in the SVC.", 3),
        ("Central venous catheter tip projects over the cavoatrial junction.", 2),
    ),
    Confounder.ENDOTRACHEAL_TUBE: (
        ("Endotracheal tube tip lies above the carina.", 2),
        ("ETT in satisfactory position.", 1),
    ),
    Confounder.GASTRIC_TUBE: (
        ("Enteric tube courses below the diaphragm.", 2),
        ("NG tube tip in the stomach.", 1),
    ),
    Confounder.CHEST_TUBE: (("Chest tube in place.", 2), ("Pleural drain in place.", 1)),
    Confounder.PACEMAKER: (
        ("Dual-lead pacemaker with leads in expected position.", 2),
        ("Cardiac pacer noted.", 1),
    ),
    Confounder.STERNAL_WIRES: (
        ("Median sternotomy wires are intact.", 2),
        ("Prior sternotomy.", 2),
    ),
    Confounder.SURGICAL_CLIPS: (("Surgical clips are noted.", 1), ("", 1)),
    Confounder.CLAVICLE_PLATE: (("Clavicular fixation hardware is in place.", 1),),
    Confounder.RIB_PLATE: (("Rib fixation plates are in place.", 1),),
    Confounder.CALCIFIED_CARTILAGE: (
        ("Costochondral calcifications.", 1),
        ("Calcification of the costal cartilages.", 1),
        ("", 3),
    ),
    Confounder.BONE_ISLAND: (("Small sclerotic focus, likely a bone island.", 1), ("", 1)),
}
BROKEN_DEVICES: dict[Confounder, Phrases] = {
    Confounder.STERNAL_WIRES: (
        ("The most caudal sternal wire is fractured.", 2),
        ("Fracture of the second sternotomy wire, unchanged.", 1),
    ),
    Confounder.CLAVICLE_PLATE: (("One screw of the clavicular fixation is fractured.", 1),),
    Confounder.RIB_PLATE: (("A fractured screw of the rib fixation hardware is noted.", 1),),
    Confounder.CENTRAL_LINE: (("Catheter fracture cannot be excluded.", 1),),
    Confounder.PACEMAKER: (("No pacer lead fracture is seen.", 1),),
}

ABBREVIATIONS = {
    "fractures": "fxs",
    "fracture": "fx",
    "right": "rt",
    "left": "lt",
    "Right": "Rt",
    "Left": "Lt",
    "Fracture": "Fx",
    "without": "w/o",
    "with": "w/",
    "History": "Hx",
}
MISSPELLINGS = {
    "fracture": "fractrue",
    "fractures": "fratures",
    "clavicle": "clavical",
    "displaced": "dispalced",
    "nondisplaced": "nondispalced",
    "pneumothorax": "pnuemothorax",
    "effusion": "effussion",
    "silhouette": "silhoutte",
    "osseous": "osseus",
    "acute": "actue",
    "healed": "heald",
    "normal": "noraml",
}
