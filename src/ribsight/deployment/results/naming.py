"""Names that the objects about an image carry: the same input gives the same ones."""

from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.results.options import ResultObject, ResultOptions
from ribsight.radiographs.attributes import text
from ribsight.regions.formats.dicom_report import LONGEST, MANUFACTURER, named_uid

_ORDER = tuple(ResultObject)
_DESCRIPTIONS = {
    ResultObject.SR: "ribsight: findings",
    ResultObject.SC: "ribsight: boxes drawn",
    ResultObject.GSPS: "ribsight: boxes",
    ResultObject.HEATMAP: "ribsight: heat map",
}
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Naming:
    """UIDs, numbers and equipment of the results of one image by one model.

    A UID is a hash of the image's, the model's, the kind of object and the options, so that a
    second run writes the same objects and an archive replaces them. One series for each kind holds
    the results of a study's images.
    """

    image_uid: str
    study_uid: str
    identity: ModelIdentity
    options: ResultOptions
    place: int

    @classmethod
    def of(cls, source: Dataset, about: Dataset, by: ModelIdentity, how: ResultOptions) -> "Naming":
        """Name the results of an image; `about` is its `subject`."""
        series, instance = (_whole(source, one) for one in ("SeriesNumber", "InstanceNumber"))
        place = min(max(1000 * series + instance, 1), _LARGEST)
        return cls(str(about.SOPInstanceUID), str(about.StudyInstanceUID), by, how, place)

    def uid(self, *what: object) -> str:
        """Return the UID of something in the results of the image."""
        return self._uid(self.image_uid, *what)

    @property
    def device_uid(self) -> str:
        """The model's, as an observer."""
        return named_uid(f"ribsight model {self.identity.sha256}")

    def _uid(self, *seed: object) -> str:
        model = ("ribsight result", self.identity.sha256, self.options.key)
        return named_uid(" ".join(map(str, (*model, *seed))))

    def constructor(self, kind: ResultObject) -> dict[str, Any]:
        """Return what the constructors of highdicom want to know of an object."""
        return {
            "series_instance_uid": self._uid(self.study_uid, "series", kind),
            "series_number": self.options.series_number + _ORDER.index(kind),
            "sop_instance_uid": self.uid("object", kind),
            "instance_number": self.place,
            "series_description": _DESCRIPTIONS[kind],
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": long_string(self.identity.name),
            "software_versions": (f"ribsight {long_string(self.identity.version)[:50]}",
                                  f"weights {self.identity.sha256[:12]}"),
            "device_serial_number": self.identity.sha256[:LONGEST] or "unknown",
        }  # fmt: skip


def long_string(name: str) -> str:
    """Return a name as a DICOM long string, which every character set holds."""
    plain = name.encode("ascii", "replace").decode().replace("\\", "/")
    return plain.strip()[:LONGEST].strip() or "unnamed"


def _whole(source: Dataset, keyword: str) -> int:
    value = text(source, keyword) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else 0
