"""Files -> predictions."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ribsight.detector.detect import Detector
from ribsight.detector.maps import NetworkImage, StoredImage, batches
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Predictions
from ribsight.radiographs.preprocess import preprocess
from ribsight.radiographs.radiograph import Radiograph, View
from ribsight.radiographs.read import image_files, image_id, read_radiograph

_BATCH = 4


def predict_files(
    detector: Detector, paths: Sequence[Path], *, progress: bool = True
) -> Predictions:
    """Run a detector on image files and on all images in folders.

    An image's id is its file name without ending, or its path where names repeat. An image that
    its file calls a lateral view is not scored but listed with that reason.

    Args:
        detector: a loaded detector.
        paths: files and folders.
        progress: show a progress bar.

    Raises:
        RibsightError: a path does not exist, a folder holds no image, or no image could be read.

    """
    files = _files(paths)
    ids = _ids(files)
    images: list[ImagePrediction] = []
    failed: list[FailedImage] = []
    bar = tqdm(total=len(files), desc="detecting", unit="image", disable=not progress)
    for part in batches(len(files), _BATCH):
        readable: list[tuple[int, Radiograph]] = []
        for index in part:
            try:
                radiograph = read_radiograph(files[index])
            except RibsightError as error:
                failed.append(FailedImage(str(files[index]), str(error)))
                continue
            if radiograph.view is View.LATERAL:
                failed.append(FailedImage(str(files[index]), f"{files[index]} is a lateral view"))
                continue
            readable.append((index, radiograph))
        images += _predict(detector, readable, files, ids)
        bar.update(len(part))
    bar.close()
    if not images:
        raise RibsightError(f"no image could be read: {failed[0].reason}")
    description = detector.description
    return Predictions(
        model=description.name,
        model_sha256=description.weights_sha256,
        findings=tuple(detector.findings),
        images=tuple(images),
        failed=tuple(failed),
    )


def _predict(
    detector: Detector, readable: list[tuple[int, Radiograph]], files: list[Path], ids: list[str]
) -> list[ImagePrediction]:
    network_images: list[NetworkImage] = []
    stored: list[StoredImage] = []
    for _, radiograph in readable:
        pixels, affine = preprocess(radiograph, detector.preprocessing)
        height, width = radiograph.pixels.shape
        network_images.append(pixels)
        stored.append(StoredImage(affine, width, height))
    if not network_images:
        return []
    findings = detector.predict(network_images, stored)
    return [
        ImagePrediction(
            id=ids[index],
            file=str(files[index]),
            width=origin.width,
            height=origin.height,
            findings=found,
            warnings=radiograph.warnings,
        )
        for (index, radiograph), origin, found in zip(readable, stored, findings, strict=True)
    ]


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = image_files(path)
            if not inside:
                raise RibsightError(
                    f"the folder {path} holds no PNG or JPEG image and no DICOM file"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise RibsightError(f"there is no file or folder {path}")
    return list(dict.fromkeys(files))


def _ids(files: list[Path]) -> list[str]:
    count = Counter(map(image_id, files))
    return [image_id(path) if count[image_id(path)] == 1 else str(path) for path in files]
