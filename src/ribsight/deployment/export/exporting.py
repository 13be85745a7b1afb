"""From a trained model to a checked folder for another runtime, or to nothing at all."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.check import require_sound
from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.deployment.export.graph import Graph
from ribsight.deployment.export.model_card import write_model_card
from ribsight.deployment.export.parity import (
    Shown,
    compare_models,
    files_of,
    shown_cohort,
    shown_files,
)
from ribsight.deployment.export.parity_report import ParityReport
from ribsight.deployment.export.tolerance import DEFAULTS, Tolerance
from ribsight.deployment.export.writing import BESIDE, require_own, write_model
from ribsight.deployment.identity import require_same_findings
from ribsight.detector.detect import Detector
from ribsight.detector.maps import to_unit_interval
from ribsight.detector.model_file import (
    Format,
    ModelDescription,
    Precision,
    find_model,
    load_model,
)
from ribsight.detector.network import DetectorNetwork
from ribsight.distillation.validation import drawn_subset
from ribsight.errors import RibsightError
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.score import Scoring
from ribsight.files import atomic_folder, write_text
from ribsight.findings import Split

_MAKERS: dict[Format, tuple[str, str]] = {
    "onnx": ("onnx_graph", "pip install 'ribsight[onnx]'"),
    "openvino": ("openvino_graph", "pip install 'ribsight[openvino]'"),
    "torchscript": ("torchscript_graph", "pip install torch"),
}


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Attributes:
        format: of the file.
        precision: "int8" quantises.
        tolerance: see `tolerance.Tolerance`; None for the usual one.
        images: compare on at most so many of the validation split, half of them positive as far
            as there are; 0 for all.
        training_images: that give the ranges of int8.
        replicates: bootstrap resamples.
        seed: of resamples and of which images are drawn.
        threads: of both models while they are compared.
        processes: that decode images into the cache.
        progress: show progress bars.
    """

    format: Format
    precision: Precision = "fp32"
    tolerance: float | None = None
    images: int = 0
    training_images: int = 200
    replicates: int = 2000
    seed: int = 0
    threads: int | None = None
    processes: int = 1
    progress: bool = True


@dataclass(frozen=True, eq=False)
class Export:
    """What was written: the comparison, and the names of the thresholds that came along."""

    folder: Path
    report: ParityReport
    carried: tuple[str, ...]
    left_behind: tuple[str, ...]


def export(
    run: Path,
    out: Path,
    options: ExportOptions,
    *,
    cohort: Path | None = None,
    files: Sequence[Path] = (),
    cache: Path | None = None,
    evaluation: Path | None = None,
) -> Export:
    """Write a model folder that `Detector.load` reads, with a parity report and a model card.

    The exported folder is loaded as any user will load it, and compared with the original; where
    they differ by more than the tolerance, nothing is left.

    Args:
        run: a run or a model folder with weights.
        out: the new folder; must not exist, or be empty.
        options: how.
        cohort: whose validation split is compared, and whose training split gives int8's ranges.
        files: images to compare on instead, of which nothing is known.
        cache: of network images; COHORT/cache if None.
        evaluation: `evaluation.json` for the model card; that of the run, if there is one.

    Raises:
        RibsightError: no model, no images, a package that is missing, a folder that is not empty,
            or too large a difference.
    """
    _check_arguments(options, cohort, files, out)
    paths = files_of(files)
    folder = find_model(run)
    network, description = load_model(folder)
    require_own(folder, description.weights_sha256)
    original = Detector.load(folder, threads=options.threads)
    known = None if cohort is None else load_cohort(cohort)
    if known is not None:
        require_sound(known)
        require_same_findings(original.findings, known.findings)
    caches = cache or (cohort / "cache" if cohort is not None else Path())
    graph, calibrated_on = _graph(network, description, known, caches, options)
    with atomic_folder(out) as staging:
        described_ = write_model(
            graph, description, folder, staging, options.format, options.precision
        )
        exported = Detector.load(staging, threads=options.threads)
        report = _compared(
            original, exported, known, paths, caches, options, calibrated_on=calibrated_on
        )
        objection = report.tolerance.objection(report.parity)
        if objection:
            raise RibsightError(f"{run} is not exported as {options.format}: {objection}")
        write_text(staging / "parity.json", json.dumps(report.document(), indent=1) + "\n")
        write_text(staging / "parity.md", report.markdown())
        found = evaluation or _evaluation_of(run)
        write_model_card(staging, described_, report, known, found, required=evaluation is not None)
    carried = tuple(name for name in BESIDE if (out / name).is_file())
    behind = tuple(name for name in BESIDE if name not in carried and (folder / name).is_file())
    return Export(out, report, carried, behind)


def _check_arguments(
    options: ExportOptions, cohort: Path | None, files: Sequence[Path], out: Path
) -> None:
    if options.precision == "int8" and cohort is None:
        raise RibsightError(
            "an int8 model takes its ranges from training images and its loss is measured on "
            "validation images: give --cohort"
        )
    if options.precision == "int8" and files:
        raise RibsightError(
            "what an int8 model loses is measured against the truth of the cohort: "
            "leave out --images"
        )
    if cohort is None and not files:
        raise RibsightError("nothing to compare the exported model on: give --cohort or --images")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RibsightError(f"{out} is not empty: give another --out")


def _graph(
    network: DetectorNetwork,
    description: ModelDescription,
    cohort: Cohort | None,
    cache: Path,
    options: ExportOptions,
) -> tuple[Graph, int]:
    module, install = _MAKERS[options.format]
    try:
        maker = import_module(f"{__package__}.{module}")
        graph: Graph = maker.make(network, description.images.size)
        if options.precision == "fp32":
            return graph, 0
        assert cohort is not None
        images = list(_training_images(cohort, description, cache, options))
        return graph.quantised(images), len(images)
    except ImportError as error:
        raise RibsightError(
            f"exporting as {options.format} needs a package that is missing ({error}): {install}"
        ) from error


def _training_images(
    cohort: Cohort, description: ModelDescription, folder: Path, options: ExportOptions
) -> Iterator[NDArray[np.float32]]:
    part = drawn_subset(cohort.select(Split.TRAIN), options.training_images, options.seed)
    cache = fill_cache(
        part,
        description.images.preprocessing,
        folder,
        processes=options.processes,
        progress=options.progress,
    )
    for index in range(len(cache)):
        yield to_unit_interval(cache.pixels(index))[None, None]


def _compared(
    original: Detector,
    exported: Detector,
    cohort: Cohort | None,
    files: Sequence[Path],
    cache_folder: Path,
    options: ExportOptions,
    *,
    calibrated_on: int,
) -> ParityReport:
    scoring = Scoring(Protocol(), options.replicates, options.seed)
    shown: Iterable[Shown]
    truth: tuple[Cohort, str] | None = None
    if cohort is None or files:
        shown, count = shown_files(files, original.preprocessing), len(files)
        source = f"{count} images given"
    else:
        split = cohort.select(Split.VAL)
        part = drawn_subset(split, options.images, options.seed)
        cache = fill_cache(
            part,
            original.preprocessing,
            cache_folder,
            processes=options.processes,
            progress=options.progress,
        )
        shown, count, truth = shown_cohort(part, cache), len(part.ids), (part, Split.VAL)
        source = f"{count} of the {len(split.ids)} images of the validation split"
    parity = compare_models(
        original, exported, shown, count, truth, scoring, progress=options.progress
    )
    return ParityReport(
        model=exported.description,
        source=source,
        calibrated_on=calibrated_on,
        parity=parity,
        tolerance=Tolerance(
            options.precision,
            DEFAULTS[options.precision] if options.tolerance is None else options.tolerance,
        ),
        protocol=scoring.protocol.describe() if truth is not None else "",
        replicates=options.replicates,
    )


def _evaluation_of(run: Path) -> Path | None:
    path = run / "evaluation.json"
    return path if path.is_file() else None
