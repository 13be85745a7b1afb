"""The allow-list: every attribute that a de-identified file may hold, and why it may.

What is not listed here goes, at every depth: private attributes, overlays, curves, free text,
everything that a later edition of DICOM or a vendor may think of. `docs/deidentification.md` shows
this table.
"""

from dataclasses import dataclass, field

from ribsight.deidentification import vocabulary as known
from ribsight.deidentification.values import (
    Rule,
    age,
    new_day,
    new_hour,
    new_moment,
    new_name,
    new_uid,
    nothing,
    one_of,
    orientation,
    sex,
    terms,
    within,
)
from ribsight.deidentification.views import view_position


@dataclass(frozen=True)
class Kept:
    """One attribute that may stay.

    Attributes:
        keyword: of the attribute.
        rule: what it becomes.
        what: that in words.
        why: what it is needed for.
        present: stands there without a value if nothing may stay: `always`, if it `was` there,
            or `never`.
        instead: what stands there if it was there and its value may not stay.
    """

    keyword: str
    rule: Rule = field(repr=False)
    what: str
    why: str
    present: str = "never"
    instead: str | None = None


_MANY = 1e7
_IDENTITY = "joins a patient's files and tables"
_PICTURE = "decides how the pixels are read"
_SHOWN = "decides how the picture is shown"
_EXPOSURE = "says how the film was taken"
_DEVICE = "says what kind of device took the film"
_SEEN = "says what is seen from where"
_TIME = "intervals between a patient's studies"
_SIZE = "gives lengths"

KEPT: tuple[Kept, ...] = (
    Kept("ImageType", terms(known.IMAGE_TYPE, 3), "known words", _PICTURE, instead="DERIVED"),
    Kept("SOPInstanceUID", new_uid, "keyed", _IDENTITY),
    Kept("StudyDate", new_day, "moved back", _TIME, "always"),
    Kept("SeriesDate", new_day, "moved back", _TIME),
    Kept("AcquisitionDate", new_day, "moved back", _TIME),
    Kept("ContentDate", new_day, "moved back", _TIME, "was"),
    Kept("AcquisitionDateTime", new_moment, "moved back, cut to the hour", _TIME),
    Kept("StudyTime", new_hour, "cut to the hour", "order within a day", "always"),
    Kept("SeriesTime", new_hour, "cut to the hour", "order within a day"),
    Kept("AcquisitionTime", new_hour, "cut to the hour", "order within a day"),
    Kept("ContentTime", new_hour, "cut to the hour", "order within a day", "was"),
    Kept("AccessionNumber", new_name("accession"), "keyed", _IDENTITY, "always"),
    Kept("Modality", terms(known.MODALITY), "known words", _DEVICE, instead="OT"),
    Kept(
        "PresentationIntentType",
        terms(frozenset({"FOR PRESENTATION", "FOR PROCESSING"})),
        "known words",
        _SHOWN,
    ),
    Kept("ConversionType", terms(known.CONVERSIONS), "known words", _DEVICE, instead="WSD"),
    Kept("Manufacturer", one_of(known.manufacturer), "a known maker", _DEVICE, "always"),
    Kept("ReferringPhysicianName", nothing, "empty", "has to be there", "always"),
    Kept("PatientBirthDate", nothing, "empty", "has to be there", "always"),
    Kept("PatientSex", sex, "M, F, O", "results by sex", "always"),
    Kept("PatientAge", age, "at most 90 years", "results by age"),
    Kept("BodyPartExamined", one_of(known.body_part), "a known part", _SEEN, "was"),
    Kept("KVP", within(0, 500), "number", _EXPOSURE, "was"),
    Kept("DistanceSourceToDetector", within(0, 10000), "number", _EXPOSURE),
    Kept("DistanceSourceToPatient", within(0, 10000), "number", _EXPOSURE),
    Kept("ExposureTime", within(0, 100000), "number", _EXPOSURE),
    Kept("XRayTubeCurrent", within(0, 100000), "number", _EXPOSURE),
    Kept("Exposure", within(0, 10000), "number", _EXPOSURE),
    Kept("ExposureInuAs", within(0, _MANY), "number", _EXPOSURE),
    Kept("ExposureIndex", within(0, 100000), "number", _EXPOSURE),
    Kept("DeviationIndex", within(-100, 100), "number", _EXPOSURE),
    Kept("Sensitivity", within(0, 100000), "number", _EXPOSURE),
    Kept("RelativeXRayExposure", within(0, 100000), "number", _EXPOSURE),
    Kept("Grid", terms(known.GRIDS, 4), "known words", _EXPOSURE),
    Kept("FilterMaterial", terms(known.FILTERS, 3), "known words", _EXPOSURE),
    Kept("ImagerPixelSpacing", within(0, 10, 2), "numbers", _SIZE),
    Kept("PixelSpacing", within(0, 10, 2), "numbers", _SIZE),
    Kept("NominalScannedPixelSpacing", within(0, 10, 2), "numbers", _SIZE),
    Kept(
        "PixelSpacingCalibrationType",
        terms(frozenset({"GEOMETRY", "FIDUCIAL"})),
        "known words",
        _SIZE,
    ),
    Kept("EstimatedRadiographicMagnificationFactor", within(0, 100), "number", _SIZE),
    Kept("PixelAspectRatio", within(1, 100, 2), "numbers", _SIZE),
    Kept("DetectorType", terms(known.DETECTORS), "known words", _DEVICE, "was"),
    Kept("DetectorConfiguration", terms(frozenset({"AREA", "SLOT"})), "known words", _DEVICE),
    Kept("PositionerType", terms(known.POSITIONERS), "known words", _DEVICE, "was"),
    Kept("FieldOfViewHorizontalFlip", terms(known.YES_NO), "known words", _SEEN),
    Kept("FieldOfViewRotation", within(0, 270), "number", _SEEN),
    Kept("FieldOfViewOrigin", within(-_MANY, _MANY, 2), "numbers", _SEEN),
    *(
        Kept(f"{kind}{name}", rule, what, _SHOWN)
        for kind in ("Collimator", "Shutter")
        for name, rule, what in (
            ("Shape", terms(frozenset({"RECTANGULAR"})), "known words"),
            *(
                (edge, within(-99999, 99999), "number")
                for edge in (
                    "LeftVerticalEdge",
                    "RightVerticalEdge",
                    "UpperHorizontalEdge",
                    "LowerHorizontalEdge",
                )
            ),
        )
    ),
    Kept("ViewPosition", view_position, "known words", _SEEN, "was"),
    Kept("StudyInstanceUID", new_uid, "keyed", _IDENTITY),
    Kept("SeriesInstanceUID", new_uid, "keyed", _IDENTITY),
    Kept("StudyID", new_name("study"), "keyed", _IDENTITY, "always"),
    Kept("SeriesNumber", within(0, 9999), "number", "order within a study", "always"),
    Kept("InstanceNumber", within(0, 9999), "number", "order within a study", "always"),
    Kept("PatientOrientation", orientation, "directions", _SEEN, "was"),
    Kept("Laterality", terms(known.SIDE), "known words", _SEEN, "was"),
    Kept("ImageLaterality", terms(known.SIDE), "known words", _SEEN, instead="U"),
    Kept("SamplesPerPixel", within(1, 3), "number", _PICTURE),
    Kept("PhotometricInterpretation", terms(known.PHOTOMETRIC), "known words", _PICTURE),
    Kept("PlanarConfiguration", within(0, 1), "number", _PICTURE),
    Kept("Rows", within(1, 65535), "number", _PICTURE),
    Kept("Columns", within(1, 65535), "number", _PICTURE),
    Kept("BitsAllocated", within(8, 16), "number", _PICTURE),
    Kept("BitsStored", within(1, 16), "number", _PICTURE),
    Kept("HighBit", within(0, 15), "number", _PICTURE),
    Kept("PixelRepresentation", within(0, 1), "number", _PICTURE),
    Kept("PixelPaddingValue", within(-32768, 65535), "number", _SHOWN),
    Kept("PixelPaddingRangeLimit", within(-32768, 65535), "number", _SHOWN),
    Kept("QualityControlImage", terms(known.YES_NO), "known words", _PICTURE),
    Kept("BurnedInAnnotation", terms(known.YES_NO), "known words", "what the device claims"),
    Kept(
        "PixelIntensityRelationship",
        terms(frozenset({"LIN", "LOG", "DISP"})),
        "known words",
        _SHOWN,
    ),
    Kept("PixelIntensityRelationshipSign", within(-1, 1), "number", _SHOWN),
    Kept("WindowCenter", within(-_MANY, _MANY, 16), "numbers", _SHOWN),
    Kept("WindowWidth", within(-_MANY, _MANY, 16), "numbers", _SHOWN),
    Kept(
        "VOILUTFunction",
        terms(frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"})),
        "known words",
        _SHOWN,
    ),
    Kept("RescaleIntercept", within(-_MANY, _MANY), "number", _SHOWN),
    Kept("RescaleSlope", within(-_MANY, _MANY), "number", _SHOWN),
    Kept(
        "RescaleType", terms(known.RESCALE_TYPES), "known words", _SHOWN, instead=known.UNSPECIFIED
    ),
    Kept(
        "PresentationLUTShape",
        terms(frozenset({"IDENTITY", "INVERSE", "LIN OD"})),
        "known words",
        _SHOWN,
    ),
    Kept("LossyImageCompression", terms(frozenset({"00", "01"})), "known words", _PICTURE),
    Kept("LossyImageCompressionRatio", within(0, 10000, 4), "numbers", _PICTURE),
    Kept("LossyImageCompressionMethod", terms(known.LOSSY_METHODS, 4), "known words", _PICTURE),
)
"""Attributes with plain values. Sequences are in `sequences.py`."""
