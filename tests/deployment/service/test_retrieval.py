from email.parser import BytesParser
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from pydicom import dcmread
from tests.archive.conftest import dicom, uid
from tests.deployment.service.conftest import NewContext, quick_settings
from tests.deployment.service.test_worker import take_in, work_off

from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.context import Context
from ribsight.radiographs.guarded import GuardedReader

STUDY = uid("study", 0)


@pytest.fixture(scope="module")
def reader():  # type: ignore[no-untyped-def]
    with GuardedReader() as one:
        yield one


@pytest.fixture
def worked(new_context: NewContext, reader: GuardedReader) -> tuple[Context, TestClient, list[str]]:
    """Two images of one study that were worked on, a third that was not, and one of another."""
    context = new_context(quick_settings())
    done = take_in(context, dicom(0, side=64), dicom(1, side=64, ViewPosition="LATERAL"))
    done += take_in(context, dicom(2, side=64))
    work_off(context, reader)
    waiting = take_in(context, dicom(5, side=64))
    client = TestClient(create_app(context), base_url="http://127.0.0.1")
    return context, client, done + waiting


def test_an_image_has_its_state_result_and_objects(
    worked: tuple[Context, TestClient, list[str]],
) -> None:
    context, client, (scored, lateral, _, waiting) = worked
    said = client.get(f"/results/{scored}").json()
    assert (said["state"], said["result"]["kind"]) == ("COMPLETED", "findings")
    assert said["result"]["model_sha256"] == context.detector.identity.sha256
    assert set(said["result"]["prediction"]["findings"]) == set(context.detector.findings)
    assert len(said["result"]["objects"]) == 2
    refused = client.get(f"/results/{lateral}").json()["result"]
    assert (refused["kind"], refused["prediction"]) == ("not processed", None)
    assert "lateral" in refused["reason"]
    assert client.get(f"/results/{waiting}").json()["result"] is None
    assert client.get("/results/nothing").status_code == 404


def test_a_study_and_an_instance_are_found_by_their_uids(
    worked: tuple[Context, TestClient, list[str]],
) -> None:
    _, client, (scored, lateral, _, waiting) = worked
    of_study = client.get("/results", params={"study": STUDY}).json()["images"]
    assert [one["image"] for one in of_study] == [scored, lateral]
    # What was not read yet is known by its own UID only.
    of_image = client.get("/results", params={"instance": uid("image", 5)}).json()["images"]
    assert [one["image"] for one in of_image] == [waiting]
    assert client.get("/results", params={"study": "1.2.3"}).json() == {"images": []}
    assert client.get("/results").status_code == 400


def test_objects_are_retrieved_one_by_one_and_by_study(
    worked: tuple[Context, TestClient, list[str]],
) -> None:
    _, client, (scored, *_) = worked
    one = client.get(f"/results/{scored}").json()["result"]["objects"][0]
    path = f"/dicom-web/studies/{STUDY}/series/{one['series_uid']}/instances/{one['instance_uid']}"
    answer = client.get(path)
    assert answer.headers["content-type"] == "application/dicom"
    assert dcmread(BytesIO(answer.content)).SOPInstanceUID == one["instance_uid"]
    # Of another study, it is not there.
    assert client.get(path.replace(STUDY, uid("study", 1))).status_code == 404
    whole = client.get(f"/dicom-web/studies/{STUDY}")
    head = f"Content-Type: {whole.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + whole.content).get_payload()
    assert len(parts) == 4
    assert client.get("/dicom-web/studies/1.2.3").status_code == 404
