"""What a further CSV knows of images or patients, joined to a truth."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.rows import ImageRow, TruthRows
from ribsight.evaluation.truth import Truth

_ENDINGS = {
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom", ".dic", ".ima",
    ".nii", ".mha", ".npy",
}  # fmt: skip


def stem_of(name: str) -> str:
    r"""Return a name without its folder and without the ending of a picture.

    Tables are also written on Windows:

    >>> stem_of("films/a.PNG"), stem_of("1.2.840.7"), stem_of(r"D:\films\a.png")
    ('a', '1.2.840.7', 'a')
    """
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in _ENDINGS else path.name


def names_of(ids: Sequence[str]) -> dict[object, str]:
    """Return every id by itself, and by its file name without ending where that is only one's."""
    stems: dict[str, list[str]] = {}
    for id_ in ids:
        stems.setdefault(stem_of(id_), []).append(id_)
    names: dict[object, str] = {stem: one[0] for stem, one in stems.items() if len(one) == 1}
    return names | {id_: id_ for id_ in ids}


def with_images(rows: TruthRows, further: Sequence[ImageRow], where: str) -> TruthRows:
    """Join what a CSV knows; images that only it names are without any finding.

    Args:
        rows: of files of truth.
        further: from `read_image_csv`.
        where: the CSV, for a message.

    Raises:
        RibsightError: it is about patients, and none of the images has one of them.
    """
    find = _finder(further)
    joined: list[ImageRow] = []
    seen: set[str] = set()
    for one in rows.images:
        more = find(one.name, one.patient)
        if more is None:
            joined.append(one)
            continue
        seen.add(more.where)
        joined.append(
            replace(
                one,
                patient=more.patient or one.patient,
                group=more.group or one.group,
                width=more.width or one.width,
                height=more.height or one.height,
                spacing=more.spacing or one.spacing,
                columns={**one.columns, **more.columns},
            )
        )
    if not seen and all(not one.name for one in further):
        raise RibsightError(f"{where} names no patient of the truth: correct the names")
    joined += [one for one in further if one.name and one.where not in seen]
    return replace(rows, images=joined)


def with_columns(truth: Truth, further: Sequence[ImageRow], where: str) -> Truth:
    """Return the truth with the columns of a CSV for strata. Arguments as `with_images`.

    Raises:
        RibsightError: it names no image and no patient of the truth.
    """
    find = _finder(further)
    patients = truth.patients or ("",) * len(truth.images)
    rows = [find(image, own) for image, own in zip(truth.images, patients, strict=True)]
    if not any(rows):
        raise RibsightError(f"{where} names no image and no patient of the truth")
    columns: dict[str, tuple[str | None, ...]] = {
        name: tuple((one.columns.get(name) or None) if one else None for one in rows)
        for name in dict.fromkeys(name for one in rows if one for name in one.columns)
    }
    return replace(truth, image_columns={**truth.image_columns, **columns})


def _finder(further: Sequence[ImageRow]) -> Callable[[str, str], ImageRow | None]:
    """Return (image, patient) -> its row, by the image's name or else by the patient's."""
    names = names_of([one.name for one in further if one.name])
    by_name = {one.name: one for one in further if one.name}
    by_patient = {one.patient: one for one in further if not one.name}

    def find(image: str, patient: str) -> ImageRow | None:
        known = names.get(image) or names.get(stem_of(image))
        return by_name[known] if known is not None else by_patient.get(patient)

    return find
