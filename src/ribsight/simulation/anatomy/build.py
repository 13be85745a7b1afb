"""How one body differs from the mean: drawn once per person."""

from dataclasses import dataclass

import numpy as np

from ribsight.simulation.truth import Person, Sex

# Mean and standard deviation by sex: height in mm and body mass index (NHANES 2015-2018 adults).
_HEIGHT = {"male": (1755.0, 75.0), "female": (1615.0, 70.0)}
_MASS_INDEX = (28.0, 5.0)


@dataclass(frozen=True)
class Build:
    """The measures that shape a chest.

    Attributes:
        sex: female or male.
        tall, wide, deep: size against the mean male along z, x and y.
        kyphosis: curvature of the thoracic spine against the mean.
        scoliosis: mm the spine swings sideways at most.
        slope: rise or fall of all ribs' anterior ends against the mean, mm; positive hangs lower.
        inspiration: 0 (end of expiration) to 1 (full).
        fat: mm of fat under the skin of the chest wall.
        muscle: mm of muscle outside the ribs.
        breast: volume of the breasts against the mean woman; 0 for men.
        cortex: thickness of cortical bone against the mean; below 0.8 is osteopenia.
        mineral: density of spongy bone against the mean.
        calcified_cartilage: share of costal cartilage that is calcified.
        heart: size of the heart against the mean.
        unfolded_aorta: 0 (young) to 1 (long, elongated arch).
        vessels: calibre of the lungs' vessels against the mean.

    """

    sex: Sex
    tall: float
    wide: float
    deep: float
    kyphosis: float
    scoliosis: float
    slope: float
    inspiration: float
    fat: float
    muscle: float
    breast: float
    cortex: float
    mineral: float
    calcified_cartilage: float
    heart: float
    unfolded_aorta: float
    vessels: float


def draw_person(patient_id: str, random: np.random.Generator) -> Person:
    """Draw who comes to a trauma department: young men and old people, mostly."""
    young = random.random() < 0.45
    age = int(np.clip(random.normal(34, 12) if young else random.normal(68, 13), 18, 97))
    sex: Sex = "male" if random.random() < (0.7 if young else 0.5) else "female"
    mean, deviation = _HEIGHT[sex]
    height = float(random.normal(mean, deviation) - 0.6 * max(age - 40, 0))
    mass_index = float(np.clip(random.normal(*_MASS_INDEX), 17, 45))
    return Person(patient_id, sex, age, height, mass_index * (height / 1000) ** 2)


def draw_build(person: Person, *, supine: bool, random: np.random.Generator) -> Build:
    """Draw the chest of a person; lying down, people breathe in less."""
    male = person.sex == "male"
    mass_index = person.weight / (person.height / 1000) ** 2
    size = person.height / 1755.0
    age = person.age
    heavy = mass_index - 26.0
    elderly = max(age - 55, 0) / 30
    return Build(
        sex=person.sex,
        tall=size * random.normal(1.0, 0.03),
        wide=size**0.6 * (1.0 if male else 0.94) * (1 + 0.004 * heavy) * random.normal(1.0, 0.04),
        deep=size**0.6 * (1.0 if male else 0.93) * (1 + 0.008 * heavy + 0.06 * elderly)
        * random.normal(1.0, 0.05),
        kyphosis=float(np.clip(random.normal(1 + 0.5 * elderly, 0.25), 0.4, 2.2)),
        scoliosis=float(random.normal(0, 4)),
        slope=float(random.normal(6 * elderly, 9)),
        inspiration=float(np.clip(random.normal(0.45 if supine else 0.85, 0.15), 0, 1)),
        fat=float(np.clip(5 + 1.3 * heavy + random.normal(4 if male else 9, 3), 3, 50)),
        muscle=float(np.clip(random.normal(16 if male else 11, 3) - 3 * elderly, 6, 28)),
        breast=0.0 if male
        else float(np.clip(random.lognormal(0, 0.4) * (1 + 0.03 * heavy), 0.2, 3)),
        cortex=float(
            np.clip(random.normal(1.0 - (0.1 if male else 0.22) * elderly, 0.1), 0.55, 1.3)
        ),
        mineral=float(np.clip(random.normal(1.0 - 0.2 * elderly, 0.1), 0.5, 1.3)),
        calcified_cartilage=float(np.clip(random.normal((age - 45) / 60, 0.15), 0, 0.8)),
        heart=float(random.normal(1.0 + 0.1 * elderly, 0.08)),
        unfolded_aorta=float(np.clip(random.normal((age - 35) / 50, 0.15), 0, 1)),
        vessels=float(random.lognormal(0.0, 0.12)),
    )  # fmt: skip
