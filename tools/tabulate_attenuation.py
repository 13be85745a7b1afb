"""Write src/ribsight/simulation/projection/attenuation.json: spectra and attenuation tables.

Needs spekpy (spectra, Poludniowski et al., Med Phys 2021) and xraydb (elemental cross sections of
Elam et al. 2002). Compositions by weight: ICRU Report 44 / Woodard & White 1986 (tissues), and the
alloys' usual composition. Run it again only to change a spectrum or a material:

    python tools/tabulate_attenuation.py
"""

import json
from pathlib import Path

import numpy as np
import spekpy
import xraydb
from numpy.typing import NDArray

BINS = 6
TARGET = Path("src/ribsight/simulation/projection/attenuation.json")

# name: (density in g/cm^3, {element: share by weight})
MATERIALS: dict[str, tuple[float, dict[str, float]]] = {
    "soft_tissue": (1.05, {"H": 0.102, "C": 0.143, "N": 0.034, "O": 0.710, "Na": 0.001,
                           "P": 0.002, "S": 0.003, "Cl": 0.001, "K": 0.004}),
    "fat": (0.95, {"H": 0.114, "C": 0.598, "N": 0.007, "O": 0.278, "Na": 0.001, "S": 0.001,
                   "Cl": 0.001}),
    "cortical_bone": (1.92, {"H": 0.034, "C": 0.155, "N": 0.042, "O": 0.435, "Na": 0.001,
                             "Mg": 0.002, "P": 0.103, "S": 0.003, "Ca": 0.225}),
    "spongiosa": (1.18, {"H": 0.085, "C": 0.404, "N": 0.028, "O": 0.367, "Na": 0.001, "Mg": 0.001,
                         "P": 0.034, "S": 0.002, "Cl": 0.002, "K": 0.001, "Ca": 0.074,
                         "Fe": 0.001}),
    "cartilage": (1.10, {"H": 0.096, "C": 0.099, "N": 0.022, "O": 0.744, "Na": 0.005, "P": 0.022,
                         "S": 0.009, "Cl": 0.003}),
    "titanium": (4.43, {"Ti": 0.90, "Al": 0.06, "V": 0.04}),
    "steel": (7.9, {"Fe": 0.66, "Cr": 0.18, "Ni": 0.13, "Mo": 0.03}),
    "plastic": (1.30, {"C": 0.384, "H": 0.048, "Cl": 0.568}),
    "barium_stripe": (1.9, {"C": 0.31, "H": 0.04, "Cl": 0.45, "Ba": 0.118, "S": 0.027,
                            "O": 0.055}),
    "silver": (10.4, {"Ag": 0.925, "Cu": 0.075}),
}  # fmt: skip


def main() -> None:
    """Tabulate every tube voltage a chest film is taken at."""
    table: dict[str, object] = {
        "about": "written by tools/tabulate_attenuation.py; attenuation in 1/mm",
        "materials": list(MATERIALS),
        "spectra": {},
    }
    for kilovolts in (70, 85, 100, 120):
        table["spectra"][str(kilovolts)] = spectrum(kilovolts)  # type: ignore[index]
    TARGET.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def spectrum(kilovolts: int) -> dict[str, object]:
    """Return bin weights (share of the open field's signal) and attenuation (bins, materials)."""
    tube = spekpy.Spek(kvp=kilovolts, th=12, dk=0.5)
    tube.filter("Al", 3.0)
    energies, fluence = tube.get_spectrum()
    # An energy-integrating CsI or BaFBr screen of about 0.07 g/cm^2 of iodine, caesium's neighbour.
    screen = 0.14 * 0.5 * (_mass("I", energies) + _mass("Cs", energies))
    signal = fluence * energies * (1 - np.exp(-screen))
    water = _linear(1.0, {"H": 0.112, "O": 0.888}, energies)
    behind = np.cumsum(signal * np.exp(-water * 150))
    edges = np.searchsorted(behind / behind[-1], np.arange(1, BINS) / BINS)
    weights, attenuation = [], []
    for part in np.split(np.arange(len(energies)), edges):
        weights.append(float(signal[part].sum() / signal.sum()))
        seen = (signal * np.exp(-water * 150))[part]
        rows = [_linear(d, e, energies)[part] for d, e in MATERIALS.values()]
        attenuation.append([round(float(np.average(mu, weights=seen)), 7) for mu in rows])
    return {"weights": [round(w, 7) for w in weights], "attenuation": attenuation}


def _mass(element: str, energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass attenuation, cm^2/g, at energies in keV."""
    return np.asarray(xraydb.mu_elam(element, energies * 1000.0))


def _linear(
    density: float, shares: dict[str, float], energies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear attenuation, 1/mm."""
    total = sum(shares.values())
    mass = sum(w / total * _mass(e, energies) for e, w in shares.items())
    return np.asarray(density * mass / 10)


if __name__ == "__main__":
    main()
