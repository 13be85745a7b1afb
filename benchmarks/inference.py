"""What an exported model is worth from a DICOM file to JSON and to a structured report.

    python benchmarks/inference.py [--network lite0 resnet50] [--rounds 5] [--films 4]
        [--syntax jpeg-ls explicit] [--rows 2500 --columns 2048] [--work FOLDER]

Every variant runs in a process of its own, on the same two cores, and they take turns image by
image, so that whatever else the machine does falls on all of them. The first variant is the
network as PyTorch runs it by itself (`network(images)` under `no_grad`); everything before and
after it is the same code for all. Medians over rounds and films; ratios are to that variant. Films
are made here; the networks have ImageNet weights where they are installed, and a head that marks
few places, as a trained one does.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

CORES = 2
SYNTAXES = ("explicit", "jpeg-ls", "jpeg-lossless", "jpeg-2000")
NETWORKS = {"lite0": ("tf_efficientnet_lite0", 512, 64), "resnet50": ("resnet50", 1024, 256)}
VARIANTS = {
    "PyTorch eager": "model",
    "ribsight, torch": "model",
    "TorchScript": "torchscript-fp32",
    "ONNX Runtime": "onnx-fp32",
    "ONNX Runtime int8": "onnx-int8",
    "OpenVINO": "openvino-fp32",
    "OpenVINO int8": "openvino-int8",
}
PARTS = ("decode", "preprocess", "network", "postprocess", "json", "sr")


def main() -> None:
    arguments = parse()
    if arguments.serve:
        serve(arguments.serve, Path(arguments.work))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(arguments.work or temporary)
        for syntax in arguments.syntax:
            write_films(work / f"films-{syntax}", syntax, arguments)
        for network in arguments.network:
            make_models(work / network, network, work / f"films-{arguments.syntax[0]}")
            for syntax in arguments.syntax:
                run(network, syntax, work, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--syntax", nargs="+", choices=SYNTAXES, default=["jpeg-ls"])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--work", help="Keep films and models here.")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_films(folder: Path, syntax: str, arguments: argparse.Namespace) -> None:
    from films import encoded, film
    from pydicom import uid

    known = {
        "explicit": uid.ExplicitVRLittleEndian,
        "jpeg-ls": uid.JPEGLSLossless,
        "jpeg-lossless": uid.JPEGLosslessSV1,
        "jpeg-2000": uid.JPEG2000Lossless,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.films):
        path = folder / f"film{number}.dcm"
        if path.exists():
            continue
        pixels = film(arguments.rows, arguments.columns, 12, seed=number)
        header = {"BitsStored": 12, "SOPInstanceUID": f"2.25.{1000 + number}", "PatientSex": "O"}
        encoded(pixels, known[syntax], header).save_as(path, enforce_file_format=True)


def make_models(folder: Path, name: str, films: Path) -> None:
    """Write the model and its exports; int8 takes its ranges from the films themselves."""
    import numpy as np
    import torch

    from ribsight.deployment.export import onnx_graph, openvino_graph, torchscript_graph
    from ribsight.deployment.export.writing import write_model
    from ribsight.detector.maps import to_unit_interval
    from ribsight.detector.model_file import load_model
    from ribsight.radiographs import preprocess, read_radiograph

    if (folder / "openvino-int8" / "model.json").exists():
        return
    _, size, _ = NETWORKS[name]
    torch.manual_seed(0)
    network, description = new_network(name)
    images = []
    for path in sorted(films.glob("*.dcm")):
        pixels, _ = preprocess(read_radiograph(path), description.images.preprocessing)
        images.append(to_unit_interval(pixels)[None, None])
    mark_few(network, torch.from_numpy(np.concatenate(images)))
    save(network, description, folder / "model")
    for form, maker in (
        ("torchscript", torchscript_graph),
        ("onnx", onnx_graph),
        ("openvino", openvino_graph),
    ):
        network, description = load_model(folder / "model")
        graph = maker.make(network, size)
        for precision in ("fp32",) if form == "torchscript" else ("fp32", "int8"):
            chosen = graph if precision == "fp32" else graph.quantised(images)
            out = folder / f"{form}-{precision}"
            write_model(chosen, description, folder / "model", out, form, precision)


def new_network(name: str) -> tuple[Any, Any]:
    from ribsight import __version__
    from ribsight.detector.model_file import SCHEMA, ModelDescription
    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
    from ribsight.errors import RibsightError

    backbone, size, channels = NETWORKS[name]
    findings = ["rib_fracture", "clavicle_fracture"]
    for weights in ("imagenet", "none"):
        settings = NetworkSettings(backbone=backbone, weights=weights, pyramid_channels=channels)
        try:
            network = DetectorNetwork(settings, len(findings)).eval()
            break
        except RibsightError:
            continue
    images = ImageSettings(size=size)
    description = ModelDescription.model_validate(
        {
            "schema": SCHEMA, "name": name, "findings": findings, "images": images,
            "preprocessing": images.preprocessing.key, "intensity_mean": float(network.mean),
            "intensity_std": float(network.std), "network": settings, "marks": MarkSettings(),
            "recipe": {}, "training": {"method": "none"}, "cohort_sha256": "",
            "ribsight": __version__,
        }
    )  # fmt: skip
    return network, description


def mark_few(network: Any, images: Any) -> None:
    """Move the head so that half a percent of the cells are above one half, and most near 0."""
    import torch

    with torch.no_grad():
        logits = network(images)
        for k in range(logits.shape[1]):
            middle, high = torch.quantile(
                logits[:, k].flatten()[:10_000_000:7], torch.tensor([0.5, 0.995])
            )
            scale = 8 / float(high - middle)
            network.head.weight[k] *= scale
            network.head.bias[k] = (network.head.bias[k] - high) * scale


def save(network: Any, description: Any, folder: Path) -> None:
    from ribsight.detector.model_file import save_model

    save_model(network, description, folder)


def serve(variant: str, work: Path) -> None:
    """Answer on standard output what a line on standard input asks: one image, or many."""
    at_work = load(variant, work / VARIANTS[variant])
    for line in sys.stdin:
        question = json.loads(line)
        films = [Path(one) for one in question["films"]]
        answer = many(at_work, films) if question["many"] else one(at_work, films[0])
        print(json.dumps(answer), flush=True)


def load(variant: str, folder: Path) -> Any:
    import torch

    from ribsight.deployment.at_work import DetectorAtWork
    from ribsight.deployment.members import Members
    from ribsight.detector.detect import Detector
    from ribsight.detector.memory import keep_freed_memory
    from ribsight.detector.model_file import load_model

    if variant == "PyTorch eager":
        torch.set_num_threads(CORES)
        network, description = load_model(folder)

        def maps_of(batch: Any) -> Any:
            with torch.no_grad():
                return torch.sigmoid(network(torch.from_numpy(batch))).numpy()

        return DetectorAtWork([Detector(maps_of, description)], Members((folder,), None, False))
    keep_freed_memory()
    return DetectorAtWork.load(folder, threads=CORES)


READER: Any = None


def one(at_work: Any, path: Path) -> dict[str, float]:
    """Return the seconds of each part, and how many marks there were."""
    global READER
    from pydicom import dcmread

    from ribsight.deployment.at_work import prediction_of
    from ribsight.deployment.results import ResultObject, ResultOptions, dicom_results
    from ribsight.evaluation.predictions import Predictions
    from ribsight.evaluation.predictions_file import write_predictions
    from ribsight.radiographs.guarded import GuardedReader

    READER = READER or GuardedReader()
    took: dict[str, float] = {}

    def timed(part: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        took[part] = time.perf_counter() - start
        return result

    def write_json() -> None:
        identity = at_work.identity
        about = Predictions(identity.name, identity.sha256, at_work.findings, (prediction,))
        with tempfile.TemporaryDirectory() as folder:
            write_predictions(about, Path(folder, "predictions.json"))

    def write_sr() -> None:
        header = dcmread(path, stop_before_pixels=True)
        options = ResultOptions(objects=frozenset({ResultObject.SR}))
        with tempfile.TemporaryDirectory() as folder:
            for made in dicom_results(
                header, prediction, at_work.identity, options, radiograph=radiograph
            ):
                made.save_as(Path(folder, "sr.dcm"), enforce_file_format=True)

    radiograph = timed("decode", lambda: READER.read(path))
    prepared = timed("preprocess", lambda: at_work.prepare(radiograph))
    maps = timed("network", lambda: at_work.maps([prepared]))
    findings = timed("postprocess", lambda: at_work.read_maps(maps[0], prepared))
    prediction = prediction_of(prepared, findings, name="film", file="film.dcm", sha256="0" * 64)
    timed("json", write_json)
    timed("sr", write_sr)
    return {**took, "marks": sum(len(one.marks) for one in findings.values())}


def many(at_work: Any, films: list[Path]) -> float:
    """Return images a second of the pipeline of `ribsight predict`: two children decode."""
    from ribsight.deployment.inputs import GivenImage
    from ribsight.deployment.predict import Working, predict_each

    given = [GivenImage(str(n), str(path), path) for n, path in enumerate(films)]
    start = time.perf_counter()
    done = list(predict_each(at_work, given, Working(processes=CORES)))
    assert all(hasattr(outcome, "findings") for outcome in done), done
    return len(done) / (time.perf_counter() - start)


def run(network: str, syntax: str, work: Path, arguments: argparse.Namespace) -> None:
    films = sorted(map(str, (work / f"films-{syntax}").glob("*.dcm")))[: arguments.films]
    took: dict[str, list[dict[str, float]]] = {one: [] for one in arguments.variants}
    rates: dict[str, list[float]] = {one: [] for one in arguments.variants}
    servers = {one: server(one, work / network) for one in arguments.variants}
    try:
        for ask in servers.values():
            for film in films[:2]:
                ask(many=False, films=[film])
        for turn in range(arguments.rounds):
            for film in films:
                for name in turned(arguments.variants, turn):
                    took[name].append(servers[name](many=False, films=[film]))
            for name in turned(arguments.variants, turn):
                rates[name].append(servers[name](many=True, films=2 * films))
    finally:
        for ask in servers.values():
            ask(many=False, films=[])
    report(network, syntax, took, rates, arguments)


def turned(names: list[str], turn: int) -> Iterator[str]:
    """Yield the names from another one on each turn: who comes first finds a colder cache."""
    for index in range(len(names)):
        yield names[(index + turn) % len(names)]


def server(variant: str, work: Path) -> Callable[..., Any]:
    """Start a variant; what is returned asks it, and ends it when there are no films."""
    command = [sys.executable, __file__, "--serve", variant, "--work", str(work)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    questions, answers = process.stdin, process.stdout

    def ask(**question: Any) -> Any:
        if not question["films"]:
            questions.close()
            process.wait()
            return None
        questions.write(json.dumps(question) + "\n")
        questions.flush()
        line = answers.readline()
        if not line:
            raise SystemExit(f"{variant} ended: run {' '.join(command)} to see why")
        return json.loads(line)

    return ask


def report(
    network: str,
    syntax: str,
    took: dict[str, list[dict[str, float]]],
    rates: dict[str, list[float]],
    arguments: argparse.Namespace,
) -> None:
    backbone, size, _ = NETWORKS[network]
    middle = {
        name: {part: statistics.median(one[part] for one in all_) for part in (*PARTS, "marks")}
        for name, all_ in took.items()
    }
    first = next(iter(middle))
    count = len(next(iter(took.values())))
    print(
        f"\n{backbone} at {size}, films of {arguments.columns} x {arguments.rows} in {syntax}, "
        f"{middle[first]['marks']:.0f} marks an image, {count} images a variant, {CORES} cores\n"
    )
    print(
        "| | network, times faster | to JSON, ms | times faster | images a second, times | "
        "decode | preprocess | network | postprocess | write | to SR, ms |"
    )
    print("| --- |" + " ---: |" * 10)
    for name, one in middle.items():
        total = sum(one[part] for part in PARTS[:-1])
        base = sum(middle[first][part] for part in PARTS[:-1])
        shares = [f"{100 * one[part] / total:.0f} %" for part in PARTS[:-1]]
        rate = statistics.median(rates[name]) / statistics.median(rates[first])
        print(
            f"| {name} | {middle[first]['network'] / one['network']:.1f} | {1000 * total:.0f} | "
            f"{base / total:.2f} | {rate:.2f} | {' | '.join(shares)} | "
            f"{1000 * (total - one['json'] + one['sr']):.0f} |"
        )


if __name__ == "__main__":
    main()
