"""Files -> predictions."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ribsight.detector.detect import Detector
from ribsight.detector.maps import NetworkImage, StoredImage, batches
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Predictions
from ribsight.radiographs.eligibility import Policy, eligibility
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.image_header import ImageHeader
from ribsight.radiographs.preprocess import preprocess
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError
from ribsight.radiographs.read import image_files, image_id
from ribsight.radiographs.view_classifier import judged_by_pixels

_BATCH = 4


def predict_files(
    detector: Detector,
    paths: Sequence[Path],
    policy: Policy | None = None,
    *,
    classify_views: bool = False,
    progress: bool = True,
) -> Predictions:
    """Run a detector on image files and on all images in folders.

    An image's id is its file name without ending, or its path where names repeat. An image that
    is not eligible is not scored but listed with the reason.

    Args:
        detector: a loaded detector.
        paths: files and folders.
        policy: which kinds of image are scored.
        classify_views: look at the pixels of images whose header leaves open what they show.
        progress: show a progress bar.

    Raises:
        RibsightError: a path does not exist, a folder holds no image, or no image could be read.

    """
    files = _files(paths)
    ids = _ids(files)
    images: list[ImagePrediction] = []
    failed: list[FailedImage] = []
    bar = tqdm(total=len(files), desc="detecting", unit="image", disable=not progress)
    # What comes to a detector at work is not to be trusted: a child process decodes it.
    with bar, GuardedReader() as reader:
        results = reader.map(files)
        for part in batches(len(files), _BATCH):
            readable: list[tuple[int, Radiograph]] = []
            for index, result in zip(part, results, strict=False):
                if isinstance(result, UnreadableImageError):
                    failed.append(FailedImage(str(files[index]), str(result)))
                    continue
                refusal = _refusal(result, policy or Policy(), classify_views=classify_views)
                if refusal:
                    failed.append(FailedImage(str(files[index]), f"{files[index]} {refusal}"))
                    continue
                readable.append((index, result))
            images += _predict(detector, readable, files, ids)
            bar.update(len(part))
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


def _refusal(radiograph: Radiograph, policy: Policy, *, classify_views: bool) -> str | None:
    said = (radiograph.eligibility or eligibility(ImageHeader())).under(policy)
    if classify_views:
        said = judged_by_pixels(said, radiograph.pixels, policy)
    return None if said.eligible else f"is not scored: {said.kind} ({said.reason})"


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
