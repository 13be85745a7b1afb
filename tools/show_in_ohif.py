"""Show results of simulated films in OHIF, from a real archive, and take screenshots.

    python tools/show_in_ohif.py SCREENSHOTS [--ohif DIST] [--work FOLDER]

Simulates patients, takes the expert's regions of one film for a detector's marks, writes the DICOM
objects of that film, of one with nothing found and of one that was not processed, stores all in
Orthanc, serves OHIF in front of it, drives it in headless chromium, and fails unless the boxes are
on the film and the other reports are text. Nothing is reached but the loopback of a network
namespace.

Needs Debian's orthanc, orthanc-dicomweb, chromium and iproute2, the package playwright, and OHIF's
built files: DIST, or, without it, what `npm pack` gets for `@ohif/app`.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pydicom
import requests
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
OHIF = "@ohif/app@3.13.2"
PORT = 18043
CONFIGURATION = """window.config = {
  routerBasename: "/", showStudyList: true, extensions: [], modes: [],
  showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false,
  disableConfirmationPrompts: true, investigationalUseDialog: {option: "never"},
  maxNumberOfWebWorkers: 1, defaultDataSourceName: "archive",
  dataSources: [{
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb", sourceName: "archive",
    configuration: {
      friendlyName: "archive", name: "archive", wadoUriRoot: "/dicom-web", qidoRoot: "/dicom-web",
      wadoRoot: "/dicom-web", qidoSupportsIncludeField: false, imageRendering: "wadors",
      thumbnailRendering: "wadors", enableStudyLazyLoad: true, supportsFuzzyMatching: false,
      supportsWildcard: true, omitQuotationForMultipartRequest: true
    }}]};
"""
CHROMIUM = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
STUDIES = ("found", "nothing", "not_processed")


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("screenshots", type=Path)
    options.add_argument("--ohif", type=Path, help="folder of OHIF's built files")
    options.add_argument("--work", type=Path, help="folder for films and objects, kept")
    options.add_argument("--size", type=int, default=1024, help="pixels of the films' sides")
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    given.screenshots.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if given.inside:
            show(work, given.ohif, given.screenshots)
            return
        ohif = given.ohif or fetched(work)
        make_studies(work, given.size)
        paths = [str(REPOSITORY / "src"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "NO_PROXY": "*", "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, __file__, str(given.screenshots), "--ohif", str(ohif)]
        inside = ["unshare", "-n", *command, "--work", str(work), "--inside"]
        sys.exit(subprocess.run(inside, env=environment, check=False).returncode)


def fetched(work: Path) -> Path:
    """Return OHIF's built files as npm, as it is set up here, gets them."""
    dist = work / "package" / "dist"
    if not dist.is_dir():
        done = subprocess.run(
            ["npm", "pack", OHIF], cwd=work, check=True, capture_output=True, text=True
        )
        with tarfile.open(work / done.stdout.split()[-1]) as packed:
            packed.extractall(work, filter="data")
    return dist


def make_studies(work: Path, size: int) -> None:
    """Write three films and the objects about them to `work/found` and so on."""
    from ribsight.deployment.results import NotProcessed
    from ribsight.evaluation.predictions import FindingPrediction
    from ribsight.regions import read_annotations

    registry = work / "registry"
    if not (registry / "truth").is_dir():
        subprocess.run(
            [sys.executable, "-m", "ribsight.cli.main", "simulate", str(registry), "--patients",
             "6", "--prevalence", "1", "--laterals", "0", "--seed", "5", "--size", str(size)],
            check=True,
        )  # fmt: skip
    drawn = read_annotations(registry / "truth" / "annotations.coco.json").by_image()
    most = max(drawn, key=lambda name: len(drawn[name]))
    first, second, *_ = (one for one in sorted(drawn) if one != most and one.endswith("_1.dcm"))
    images = registry / "images"
    low = FindingPrediction(0.08, (), 0.02)
    write_study(work / "found", images / most, {"rib_fracture": found(drawn[most])})
    write_study(work / "nothing", images / first, {"rib_fracture": low, "clavicle_fracture": low})
    write_study(work / "not_processed", images / second, NotProcessed("is a film of the hip"))


def found(regions: Any) -> Any:
    """Return a finding whose marks are regions, every other one doubtful."""
    from ribsight.evaluation.predictions import FindingPrediction, Mark
    from ribsight.findings import Certainty

    marks = []
    for number, one in enumerate(regions):
        x0, y0, x1, y1 = one.box
        certainty = Certainty.DOUBTFUL if number % 2 else Certainty.CONFIDENT
        score = (0.4 if number % 2 else 0.92) - 0.01 * number
        box = (x0 - 8, y0 - 8, x1 + 8, y1 + 8)
        marks.append(Mark((x0 + x1) / 2, (y0 + y1) / 2, box, score, score - 0.1, certainty))
    return FindingPrediction(0.92, tuple(marks), 0.82, Certainty.CONFIDENT)


def write_study(folder: Path, path: Path, said: Any) -> None:
    """Write a film and all objects about it but the heat map."""
    from ribsight.deployment.results import (
        ModelIdentity,
        ResultObject,
        ResultOptions,
        dicom_results,
    )
    from ribsight.evaluation.predictions import ImagePrediction
    from ribsight.radiographs import read_radiograph

    radiograph = read_radiograph(path)
    height, width = radiograph.pixels.shape
    if isinstance(said, dict):
        said = ImagePrediction(path.stem, path.name, width, height, said)
    options = ResultOptions(frozenset(ResultObject) - {ResultObject.HEATMAP})
    header = pydicom.dcmread(path, stop_before_pixels=True)
    model = ModelIdentity("simulated marks", "0" * 64, "0")
    folder.mkdir(exist_ok=True)
    (folder / "film.dcm").write_bytes(path.read_bytes())
    for made in dicom_results(header, said, model, options, radiograph=radiograph):
        made.save_as(folder / f"{made.Modality}.dcm", enforce_file_format=True)
        if made.Modality == "OT":
            Image.fromarray(made.pixel_array).save(folder / "capture.png")


def show(work: Path, ohif: Path, screenshots: Path) -> None:
    """Store the studies and look at them, where the loopback is all there is."""
    from playwright.sync_api import sync_playwright
    from tests.archive.orthanc import URL, running

    server = work / "server"
    server.mkdir(exist_ok=True)
    outside: list[str] = []
    said: dict[str, Any] = {}
    boxes: dict[str, int] = {}
    with running(server) as session, serving(ohif, session, URL), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        for name in STUDIES:
            for path in sorted((work / name).glob("*.dcm")):
                session.post(f"{URL}/instances", data=path.read_bytes()).raise_for_status()
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.on("request", functools.partial(note_outside, outside))
            film = pydicom.dcmread(work / name / "film.dcm", stop_before_pixels=True)
            boxes[name] = boxes_of(pydicom.dcmread(work / name / "SR.dcm"))
            study, picture = str(film.StudyInstanceUID), screenshots / f"ohif_{name}.png"
            said[name] = look(page, study, boxes[name], picture)
            page.close()
            (screenshots / f"capture_{name}.png").write_bytes(
                (work / name / "capture.png").read_bytes()
            )
        browser.close()
    print(json.dumps({"boxes": boxes, **said, "requests elsewhere": outside}, indent=1))
    if said["found"]["outlines"] != boxes["found"] or outside:
        sys.exit("the boxes of the report are not on the film")
    if "nothing found" not in said["nothing"]["text"]:
        sys.exit("the report on nothing found is not shown")
    if "Not processed" not in said["not_processed"]["text"]:
        sys.exit("the report on an image that was not processed is not shown")


def note_outside(outside: list[str], request: Any) -> None:
    """Remember a request to anything but this machine's own server."""
    own = (f"http://127.0.0.1:{PORT}/", f"blob:http://127.0.0.1:{PORT}/", "data:")
    if not request.url.startswith(own):
        outside.append(request.url)


def boxes_of(report: Any) -> int:
    """Return how many outlines a report holds."""
    children = report.get("ContentSequence", ())
    return sum((one.ValueType == "SCOORD") + boxes_of(one) for one in children)


def look(page: Any, study: str, boxes: int, screenshot: Path) -> dict[str, Any]:
    """Open a study, show its report, take a picture, and return what is drawn and said."""
    page.goto(f"http://127.0.0.1:{PORT}/viewer?StudyInstanceUIDs={study}")
    page.wait_for_selector("canvas", timeout=180_000)
    page.wait_for_timeout(6000)
    skip = page.get_by_text("Skip all")
    if skip.count():
        skip.first.click()
    page.get_by_text("ribsight: findings").first.dblclick()
    outlines = page.locator("svg.svg-layer polyline, svg.svg-layer path")
    for _ in range(60):
        page.wait_for_timeout(1000)
        if outlines.count() >= boxes and (boxes or page.get_by_text("Evaluations").count()):
            break
    page.wait_for_timeout(2000)
    page.screenshot(path=screenshot)
    labels = page.locator("svg.svg-layer text").all_inner_texts()
    text = page.locator('[data-cy="viewport-grid"]').inner_text()
    return {"outlines": outlines.count(), "labels": labels, "text": text}


@contextmanager
def serving(ohif: Path, session: requests.Session, archive: str) -> Iterator[None]:
    """Serve OHIF's files, and the archive below /dicom-web, from one origin."""
    handler = functools.partial(Handler, session, archive, directory=str(ohif))
    server = ThreadingHTTPServer(("127.0.0.1", PORT), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


class Handler(SimpleHTTPRequestHandler):
    """Files, and what the archive answers; its headers let the viewer share memory."""

    def __init__(self, session: requests.Session, archive: str, *args: Any, **options: Any):
        self.session, self.archive = session, archive
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer from the archive, with the configuration, or with a file."""
        if self.path.startswith("/dicom-web"):
            headers = {"Accept": self.headers.get("Accept", "*/*")}
            found = self.session.get(self.archive + self.path, headers=headers, timeout=60)
            self.answer(found.status_code, found.headers.get("Content-Type", ""), found.content)
        elif self.path.split("?")[0] == "/app-config.js":
            self.answer(200, "text/javascript", CONFIGURATION.encode())
        else:
            if not Path(self.translate_path(self.path)).is_file():
                self.path = "/index.html"
            super().do_GET()

    def answer(self, status: int, kind: str, content: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        """Add what a browser asks for before pages share memory with workers."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Be silent."""


if __name__ == "__main__":
    main()
