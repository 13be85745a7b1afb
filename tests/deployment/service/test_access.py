import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.doors import Secrets, read_secrets, refuse_open_doors
from ribsight.deployment.service.settings import (
    DicomSettings,
    HttpSettings,
    ServiceSettings,
    StoreSettings,
    TlsSettings,
    read_service_settings,
)
from ribsight.errors import RibsightError

NewContext = Callable[..., Context]
TOKEN = "a-token-of-the-test"
LOCAL = "http://127.0.0.1:8042"


def client_of(context: Context) -> TestClient:
    return TestClient(create_app(context), base_url=LOCAL)


def basic(user: str, password: str) -> dict[str, str]:
    said = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {said}"}


def test_health_names_the_model_and_the_queue(new_context: NewContext) -> None:
    context = new_context()
    answer = client_of(context).get("/health")
    assert answer.status_code == 200
    assert answer.json()["model_sha256"] == context.detector.identity.sha256
    assert (answer.json()["waiting"], answer.json()["oldest_seconds"]) == (0, 0)


def test_health_says_when_the_disk_is_nearly_full(new_context: NewContext) -> None:
    full = ServiceSettings(store=StoreSettings(reserve_megabytes=1e12))
    answer = client_of(new_context(full)).get("/health")
    assert answer.status_code == 503
    assert "disk is nearly full" in answer.json()["troubles"][0]


def test_metrics_are_prometheus_text(new_context: NewContext) -> None:
    answer = client_of(new_context()).get("/metrics")
    assert answer.status_code == 200
    assert "ribsight_queue_images 0.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        (basic("reader", "wrong-password"), 401),
        (basic("reader", "right-password"), 200),
        ({"Authorization": "Basic ***"}, 401),
    ],
)
def test_secrets_are_asked_for(
    new_context: NewContext, headers: dict[str, str], status: int
) -> None:
    client = client_of(new_context(secrets=Secrets(TOKEN, ("reader", "right-password"))))
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert client.get("/health").status_code == 200


def test_another_host_name_is_refused(new_context: NewContext) -> None:
    context = new_context(ServiceSettings(http=HttpSettings(names=("cad.hospital.example",))))
    client = client_of(context)
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/health", headers={"Host": "localhost:8042"}).status_code == 200
    assert client.get("/health", headers={"Host": "cad.hospital.example"}).status_code == 200


def test_a_page_of_another_server_changes_nothing(new_context: NewContext) -> None:
    client = client_of(new_context())
    answer = client.post("/anything", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    same = client.post("/anything", headers={"Origin": LOCAL})
    assert same.status_code == 404


def test_compressed_and_large_requests_are_refused(new_context: NewContext) -> None:
    client = client_of(new_context())
    answer = client.post("/anything", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    large = client.post("/anything", content=bytes(2_000_000))
    assert large.status_code == 413


def test_answers_tell_browsers_to_be_careful(new_context: NewContext) -> None:
    answer = client_of(new_context()).get("/health")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


ELSEWHERE = HttpSettings(host="0.0.0.0")
CERTIFICATES = TlsSettings(certificate="c", key="k", clients="a")


@pytest.mark.parametrize(
    ("settings", "secrets", "refused"),
    [
        (ServiceSettings(), Secrets(), None),
        (ServiceSettings(http=ELSEWHERE), Secrets(), "http.host"),
        (ServiceSettings(http=ELSEWHERE), Secrets(TOKEN), None),
        (ServiceSettings(http=ELSEWHERE), Secrets(None, ("u", "password")), None),
        (ServiceSettings(http=HttpSettings(host="::1")), Secrets(), None),
        (ServiceSettings(http=HttpSettings(host="example.org")), Secrets(), "http.host"),
        (ServiceSettings(dicom=DicomSettings(host="0.0.0.0")), Secrets(), "dicom.host"),
        (ServiceSettings(dicom=DicomSettings(host="0.0.0.0", calling=("CT",))), Secrets(), None),
        (ServiceSettings(dicom=DicomSettings(host="0.0.0.0", tls=CERTIFICATES)), Secrets(), None),
    ],
)
def test_no_door_is_open_to_the_network(
    settings: ServiceSettings, secrets: Secrets, refused: str | None
) -> None:
    if refused is None:
        refuse_open_doors(settings, secrets)
        return
    with pytest.raises(RibsightError, match=refused):
        refuse_open_doors(settings, secrets)


@pytest.mark.parametrize(
    "variables",
    [
        {"RIBSIGHT_SERVICE_TOKEN": "short"},
        {"RIBSIGHT_SERVICE_USER": "reader"},
        {"RIBSIGHT_SERVICE_USER": "reader", "RIBSIGHT_SERVICE_PASSWORD": "short"},
    ],
)
def test_weak_and_half_secrets_are_refused(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RibsightError, match="RIBSIGHT_SERVICE"):
        read_secrets()


def test_mistakes_in_a_configuration_are_named_with_their_key(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(
        """
        [dicom]
        calling = ["CT", "A-TITLE-THAT-IS-TOO-LONG"]
        portt = 104
        [[destinations]]
        name = "pacs"
        kind = "dicom"
        hosst = "127.0.0.1"
        """
    )
    with pytest.raises(RibsightError) as caught:
        read_service_settings(path)
    for part in ("dicom.calling.1", "did you mean 'port'?", "did you mean 'host'?"):
        assert part in str(caught.value)


def test_lists_of_a_configuration_are_read(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(
        '[dicom]\ncalling = ["CT"]\n[[destinations]]\nname = "pacs"\nkind = "dicom"\nhost = "pacs"'
    )
    settings = read_service_settings(path)
    assert settings.dicom.calling == ("CT",)
    assert settings.destinations[0].host == "pacs"
