import hashlib
import socket
import ssl
import struct
import tempfile
import time
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID
from pynetdicom import _config
from sqlalchemy import select
from tests.archive.conftest import dicom
from tests.deployment.service.clients import (
    associate_request,
    association,
    closes_within,
    in_thread,
    store,
    wait_until,
)
from tests.deployment.service.conftest import NewContext, NewNode, quick_settings

from ribsight.deployment.service import node as node_module
from ribsight.deployment.service import tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.intake import Accepted, Way, accept
from ribsight.deployment.service.settings import DicomSettings, TlsSettings
from ribsight.errors import RibsightError

OUT_OF_RESOURCES = 0xA700


def accepted(context: Context) -> list[str]:
    with context.store.reading() as connection:
        return list(connection.execute(select(tables.images.c.id)).scalars())


def test_what_is_acknowledged_is_on_the_disk_under_its_hash(
    new_context: NewContext, new_node: NewNode
) -> None:
    context = new_context()
    node = new_node(context)
    with association(node.port) as opened:
        assert opened.send_c_echo().Status == 0
    assert store(node.port, [dicom(1), dicom(2)]) == [0, 0]
    ids = accepted(context)
    assert len(ids) == 2
    for one in ids:
        content = context.folder.image(one).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one
    assert list(context.folder.incoming.iterdir()) == []


def test_only_what_arrives_is_written_to_the_data_folder(
    new_context: NewContext, new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = new_context()
    elsewhere = tempfile.gettempdir()
    arrived: list[Path] = []

    def accept_and_tell(context: Context, path: Path, way: Way, sender: str) -> Accepted:
        arrived.append(path)
        return accept(context, path, way, sender)

    monkeypatch.setattr(node_module, "accept", accept_and_tell)
    node = new_node(context)
    assert store(node.port, [dicom(1)]) == [0]
    assert [path.parent for path in arrived] == [context.folder.incoming]
    # Others in this process have a life of their own: multiprocessing keeps its sockets there.
    assert tempfile.gettempdir() == elsewhere


def test_the_same_image_again_is_the_same_image(new_context: NewContext, new_node: NewNode) -> None:
    context = new_context()
    node = new_node(context)
    assert store(node.port, [dicom(1), dicom(1)]) == [0, 0]
    assert len(accepted(context)) == 1
    with context.store.reading() as connection:
        assert len(connection.execute(select(tables.jobs)).all()) == 1


@pytest.mark.parametrize(
    ("called", "calling"), [("OTHER", "TESTSCU"), ("RIBSIGHT", "STRANGER"), ("RIBSIGHT", "testscu")]
)
def test_titles_that_are_not_known_are_rejected(
    new_context: NewContext, new_node: NewNode, called: str, calling: str
) -> None:
    node = new_node(new_context(quick_settings(dicom=DicomSettings(port=0, calling=("TESTSCU",)))))
    with association(node.port, called=called, calling=calling) as opened:
        assert opened.is_rejected
    with association(node.port) as opened:
        assert opened.is_established


def test_more_associations_than_allowed_are_rejected(
    new_context: NewContext, new_node: NewNode
) -> None:
    node = new_node(new_context(quick_settings(dicom=DicomSettings(port=0, associations=1))))
    with association(node.port) as first:
        assert first.is_established
        with association(node.port) as second:
            assert second.is_rejected
        assert first.send_c_echo().Status == 0


def test_a_large_object_ends_its_association_and_leaves_nothing(
    new_context: NewContext, new_node: NewNode
) -> None:
    context = new_context(quick_settings(dicom=DicomSettings(port=0, object_megabytes=0.2)))
    node = new_node(context)
    assert store(node.port, [dicom(1), dicom(2, side=1000)]) == [0, None]
    assert store(node.port, [dicom(3)]) == [0]
    assert len(accepted(context)) == 2
    wait_until(lambda: not list(context.folder.incoming.iterdir()))


def test_a_full_disk_is_out_of_resources_and_keeps_what_was_accepted(
    new_context: NewContext, new_node: NewNode
) -> None:
    context = new_context()
    node = new_node(context)
    assert store(node.port, [dicom(1)]) == [0]
    context.settings.store.__dict__["reserve_megabytes"] = 1e12
    assert store(node.port, [dicom(2)]) == [OUT_OF_RESOURCES]
    (one,) = accepted(context)
    assert context.folder.image(one).exists()


@pytest.mark.parametrize("uid", ["../../../../tmp/escaped", "1.2.3/../../x", "not a uid"])
def test_an_instance_uid_is_never_a_path(
    new_context: NewContext,
    new_node: NewNode,
    uid: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = new_context()
    node = new_node(context)
    # Else this client, too, would refuse to send it.
    monkeypatch.setattr(_config, "ENFORCE_UID_CONFORMANCE", False)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with association(node.port) as opened:
        dataset = dcmread(DicomBytesIO(dicom(1)))
        with warnings.catch_warnings(action="ignore"):
            dataset.SOPInstanceUID = UID(uid)
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
            assert opened.send_c_store(dataset).get("Status") != 0
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {one for one in after - before if "service.db" not in one.name} == set()


def patient_dicom(seconds: float = 0.5) -> DicomSettings:
    return DicomSettings(port=0, idle_seconds=seconds, object_seconds=2 * seconds, associations=2)


@pytest.mark.parametrize(
    "first", [b"", b"\x01", b"\x01\0\0\0\x01\0" + bytes(10), associate_request()[:-5]]
)
def test_half_a_request_is_not_waited_for(
    new_context: NewContext, new_node: NewNode, first: bytes
) -> None:
    node = new_node(new_context(quick_settings(dicom=patient_dicom())))
    with socket.create_connection(("127.0.0.1", node.port)) as slow:
        slow.sendall(first)
        assert closes_within(slow, 10)
    assert store(node.port, [dicom(1)]) == [0]


def test_a_pdu_that_claims_gigabytes_is_not_waited_for(
    new_context: NewContext, new_node: NewNode
) -> None:
    node = new_node(new_context(quick_settings(dicom=DicomSettings(port=0))))
    with socket.create_connection(("127.0.0.1", node.port)) as huge:
        huge.sendall(struct.pack(">BxI", 1, 0xFFFFFFFF))
        assert closes_within(huge, 10)


def test_a_trickle_is_given_up(new_context: NewContext, new_node: NewNode) -> None:
    context = new_context(quick_settings(dicom=patient_dicom()))
    node = new_node(context)
    with socket.create_connection(("127.0.0.1", node.port)) as slow:
        slow.sendall(associate_request())
        assert slow.recv(1) == b"\x02"
        # One PDV of a data set that never ends, a byte at a time.
        slow.sendall(struct.pack(">BxI", 4, 5000))
        started = time.monotonic()
        trickling = in_thread(lambda: _trickle(slow))
        assert closes_within(slow, 10)
        assert time.monotonic() - started < 8
        trickling.join(5)
    wait_until(lambda: not list(context.folder.incoming.iterdir()))


def _trickle(connection: socket.socket) -> None:
    try:
        while True:
            connection.sendall(b"\0")
            time.sleep(0.1)
    except OSError:
        return


def test_bytes_that_are_no_dicom_do_not_end_the_node(
    new_context: NewContext, new_node: NewNode
) -> None:
    node = new_node(new_context(quick_settings(dicom=patient_dicom(2))))
    for content in (
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(1000),
        b"\xff" * 1000,
        b"\x04\0\0\0\0\x05abcde",
    ):
        with socket.create_connection(("127.0.0.1", node.port)) as other:
            other.sendall(content)
            assert closes_within(other, 10)
    # The last of them may still fill the two places for a moment; a caller is then rejected.
    wait_until(lambda: store(node.port, [dicom(1)]) == [0], 10)


def test_a_taken_port_is_one_sentence(new_context: NewContext, new_node: NewNode) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = quick_settings(dicom=DicomSettings(port=taken.getsockname()[1]))
        with pytest.raises(RibsightError, match="cannot listen for DICOM"):
            new_node(new_context(settings))


@pytest.mark.parametrize("asks_clients", [False, True])
def test_tls_and_certificates_of_clients(
    new_context: NewContext, new_node: NewNode, certificates: Path, *, asks_clients: bool
) -> None:
    certificate, key = str(certificates / "cert.pem"), str(certificates / "key.pem")
    tls = TlsSettings(certificate=certificate, key=key, clients=certificate if asks_clients else "")
    node = new_node(new_context(quick_settings(dicom=DicomSettings(port=0, tls=tls))))
    with socket.create_connection(("127.0.0.1", node.port)):  # no handshake holds up others
        client = ssl.create_default_context(cafile=certificate)
        if asks_clients:
            assert store(node.port, [dicom(1)], tls_args=(client, "127.0.0.1")) == [None]
            client.load_cert_chain(certificate, key)
        assert store(node.port, [dicom(1)], tls_args=(client, "127.0.0.1")) == [0]
    assert store(node.port, [dicom(1)]) == [None]


def test_a_certificate_that_is_none_is_one_sentence(
    new_context: NewContext, new_node: NewNode, tmp_path: Path
) -> None:
    (tmp_path / "c.pem").write_text("nothing")
    tls = TlsSettings(certificate=str(tmp_path / "c.pem"), key=str(tmp_path / "k.pem"))
    with pytest.raises(RibsightError, match="cannot use the certificate"):
        new_node(new_context(quick_settings(dicom=DicomSettings(port=0, tls=tls))))
