"""A piece of a confounder, and what its builders may look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.confounders.landmarks import Skin, skin_of
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.truth import Fracture, View


@dataclass(frozen=True, eq=False)
class Part:
    """A closed surface filled with one material.

    Attributes:
        material: a name from projection/attenuation.json.
        mesh: in patient coordinates.
        density: of the material against the solid one; negative takes away what is there.
        in_air: lies in air or outside the skin. A part elsewhere takes the place of soft tissue,
            which `projection.film.combined` subtracts.

    """

    material: str
    mesh: Mesh
    density: float = 1.0
    in_air: bool = False


@dataclass(frozen=True, eq=False)
class Setting:
    """Who is on the film and how.

    Attributes:
        chest: the patient's.
        fractures: those the patient has; the fixed ones carry plates.
        view: of the film.

    """

    chest: Chest
    fractures: tuple[Fracture, ...]
    view: View

    @cached_property
    def skin(self) -> Skin:
        """The body's surface, for what lies on it."""
        return skin_of(self.chest)


def surrounded_by_air(parts: Sequence[Part]) -> list[Part]:
    """Return the parts as lying in air."""
    return [replace(one, in_air=True) for one in parts]
