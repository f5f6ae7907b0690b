"""Certificates, signing and reading manifests, and the settings that keep it all honest."""

from __future__ import annotations

import dataclasses
import http.server
import io
import json
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import pytest
from provenance_studio import Studio, png

from consent.clock import FixedClock
from consent.errors import InputError, VerificationError, VivavoceError
from consent.home import Home
from provenance.audio import Tags
from provenance.manifest import build, certificates, read, settings, signer, timestamp, trust
from provenance.seal import SealedOutput

NOW = datetime.now(UTC)
MINIMAL: dict[str, Any] = {
    "claim_generator_info": [{"name": "test", "version": "1"}],
    "title": "t",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "created": True,
            "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": build.SYNTHETIC}]},
        }
    ],
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def own_trust(home: Home) -> tuple[trust.TrustEntry, ...]:
    return trust.trust_list(home, own_logs=())


def signed(
    data: bytes,
    home: Home,
    *,
    mime: str = "audio/wav",
    definition: dict[str, Any] | None = None,
    **more: Any,
) -> io.BytesIO:
    out = io.BytesIO()
    signer.sign(
        io.BytesIO(data),
        out,
        mime=mime,
        definition=definition or MINIMAL,
        identity=more.pop("identity", None) or certificates.signing_identity(home),
        **more,
    )
    return out


def test_keys_and_certificates_are_readable_by_their_owner_alone(home: Home) -> None:
    certificates.signing_identity(home)
    files = [p for p in home.keys.iterdir() if p.name.startswith("c2pa-")]
    assert len(files) == 4
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in files)


def test_the_authority_is_made_once_and_names_nobody(home: Home) -> None:
    first = certificates.signing_identity(home)
    again = certificates.signing_identity(home)
    assert first.chain_pem == again.chain_pem
    import getpass
    import platform

    for certificate in (first.certificate, first.root):
        name = certificate.subject.rfc4514_string()
        assert getpass.getuser() not in name.replace("vivavoce", "")
        assert platform.node() not in name


def test_a_signing_certificate_is_renewed_with_years_to_spare(home: Home) -> None:
    first = certificates.signing_identity(home, clock=FixedClock(NOW))
    later = certificates.signing_identity(home, clock=FixedClock(NOW + timedelta(days=14 * 365)))
    assert later.certificate == first.certificate
    renewed = certificates.signing_identity(home, clock=FixedClock(NOW + timedelta(days=16 * 365)))
    assert renewed.certificate != first.certificate
    assert renewed.certificate.public_key() == first.certificate.public_key()
    assert renewed.root == first.root


def test_a_root_made_again_from_its_key_still_vouches_for_old_files(
    home: Home, plain_files: dict[str, bytes]
) -> None:
    out = signed(plain_files["wav"], home)
    certificates.root_path(home).unlink()
    certificates.signing_identity(home)
    assert read.read_manifest(out, "audio/wav", own_trust(home)).status == read.TRUSTED


def test_a_damaged_certificate_is_named(home: Home) -> None:
    certificates.signing_identity(home)
    certificates.leaf_path(home).write_text("nonsense")
    with pytest.raises(VerificationError, match=r"c2pa-signing\.crt"):
        certificates.signing_identity(home)


def test_the_manifest_says_what_was_made_how_and_on_what_ground(
    sealed: dict[str, SealedOutput], publisher: Studio
) -> None:
    with sealed["m4b"].path.open("rb") as stream:
        reading = read.read_manifest(stream, "audio/mp4", own_trust(publisher.home))
    (action,) = reading.assertions["c2pa.actions.v2"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert action["softwareAgent"]["name"] == "vivavoce"
    assert reading.assertions["c2pa.ai-disclosure"]["modelName"] == "kokoro-82m"
    training = reading.assertions["cawg.training-mining"]["entries"]
    assert len(training) == 4
    assert {v["use"] for v in training.values()} == {"notAllowed"}
    metadata = reading.assertions["cawg.metadata"]
    assert metadata["dc:title"] == "Love Among the Chickens"
    assert metadata["dc:creator"] == ["P. G. Wodehouse"]
    consent = reading.assertions[build.CONSENT]
    assert consent["output"] == sealed["m4b"].output_id
    assert consent["registry"] == publisher.registry.registry_tag
    assert consent["watermark"] == "none"
    (voice,) = consent["voices"]
    assert voice["statement"] == "kokoro:af_heart: stock voice, licence Apache-2.0."
    assert "consented" not in json.dumps(consent)
    leaf = json.loads(consent["receipt"]["leaf"])
    assert leaf["authorization"] == publisher.authorization.digest
    assert consent["authorization"]["sha256"] == publisher.authorization.digest
    assert consent["authorization"]["policies"] == list(publisher.authorization.policy_decision)
    assert build.WATERMARK not in reading.assertions


def test_the_mark_is_stated_when_there_is_one(publisher: Studio) -> None:
    claims = build.Claims(
        output_id="ab" * 6, registry_tag="abab", created_at=NOW, container="wav", duration_s=1.0,
        sample_rate=24000, pcm_sha256="0" * 64, pcm_format="s16le", disclosure="d",
        authorization_sha256="1" * 64, policies=[], purpose="speech",
        voices=[build.VoiceClaim("v", "stock", "MIT")], models=[], leaf="{}", tlog_proof="p",
        log_vkey="k", watermark={"model": "m-1", "output": "ab" * 6},
    )  # fmt: skip
    made, _ = build.definition(Tags("x"), claims)
    by_label = {a["label"]: a["data"] for a in made["assertions"]}
    assert [a["action"] for a in by_label["c2pa.actions.v2"]["actions"]] == [
        "c2pa.created",
        "c2pa.watermarked.unbound",
    ]
    assert by_label[build.WATERMARK]["model"] == "m-1"
    assert by_label[build.CONSENT]["watermark"] == "m-1"
    unmarked, _ = build.definition(Tags("x"), dataclasses.replace(claims, watermark=None))
    assert build.WATERMARK not in {a["label"] for a in unmarked["assertions"]}


def test_the_cover_is_the_manifests_thumbnail(sealed: dict[str, SealedOutput]) -> None:
    with sealed["wav"].path.open("rb") as stream, c2pa.Reader("audio/wav", stream) as reader:
        manifest = json.loads(reader.json())
        active = manifest["manifests"][manifest["active_manifest"]]
        picture = io.BytesIO()
        reader.resource_to_stream(active["thumbnail"]["identifier"], picture)
    assert picture.getvalue() == png()


def test_signed_by_nobody_we_know_is_untrusted_however_well_formed(
    home: Home, stranger: Home, plain_files: dict[str, bytes]
) -> None:
    out = signed(plain_files["wav"], stranger)
    reading = read.read_manifest(out, "audio/wav", own_trust(home))
    assert (reading.status, reading.trusted_by) == (read.UNTRUSTED, None)
    certificates.signing_identity(home)
    assert read.read_manifest(out, "audio/wav", own_trust(home)).status == read.UNTRUSTED


def test_an_anchor_for_time_stamps_does_not_vouch_for_signers(
    home: Home, stranger: Home, plain_files: dict[str, bytes]
) -> None:
    out = signed(plain_files["wav"], stranger)
    certificates.signing_identity(home)
    root = certificates.pem(certificates.signing_identity(stranger).root)
    (own,) = own_trust(home)
    entry = dataclasses.replace(own, timestamp_anchors=(root,))
    # The library calls this trusted; the trust URI is what tells the lists apart.
    reading = read.read_manifest(out, "audio/wav", [entry])
    assert reading.status == read.UNTRUSTED


def test_a_file_outlives_its_unstamped_certificate_only_as_invalid(
    home: Home, plain_files: dict[str, bytes]
) -> None:
    whole = certificates.signing_identity(home)
    root_key = certificates.keys.load(home, certificates.ROOT_KEY, "ec-p256")
    leaf = certificates.issue_leaf(
        root_key, whole.root, whole.key, now=datetime.now(UTC), years=2.0 / 31_557_600
    )
    out = signed(plain_files["wav"], home, identity=dataclasses.replace(whole, certificate=leaf))
    while datetime.now(UTC) <= leaf.not_valid_after_utc + timedelta(seconds=1):
        time.sleep(0.1)
    reading = read.read_manifest(out, "audio/wav", own_trust(home))
    assert (reading.status, reading.reason) == (read.INVALID, "expired")


def test_an_expired_certificate_cannot_sign(home: Home, plain_files: dict[str, bytes]) -> None:
    whole = certificates.signing_identity(home)
    root_key = certificates.keys.load(home, certificates.ROOT_KEY, "ec-p256")
    leaf = certificates.issue_leaf(
        root_key, whole.root, whole.key, now=NOW - timedelta(days=9), years=1 / 365.25
    )
    with pytest.raises(VerificationError, match="not valid at time"):
        signed(plain_files["wav"], home, identity=dataclasses.replace(whole, certificate=leaf))


def test_a_key_that_does_not_fit_its_certificate_is_noticed(
    home: Home, stranger: Home, plain_files: dict[str, bytes]
) -> None:
    wrong = dataclasses.replace(
        certificates.signing_identity(home), key=certificates.signing_identity(stranger).key
    )
    with pytest.raises(VerificationError):
        signed(plain_files["wav"], home, identity=wrong)


def test_a_part_tampered_with_inside_a_whole_is_found(
    home: Home, plain_files: dict[str, bytes]
) -> None:
    chapter = bytearray(signed(plain_files["wav"], home).getvalue())
    chapter[2000] ^= 1  # sound
    (own,) = own_trust(home)
    config = settings.reading_settings([(own.uri, own.anchors[0])])
    config["verify"]["verify_after_sign_hash"] = True
    identity = certificates.signing_identity(home)
    raw = c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(
            b"es256",
            identity.chain_pem.encode(),
            _pkcs8(identity.key),
            None,
        )
    )
    out = io.BytesIO()
    with (
        c2pa.Context.from_dict(config) as context,
        c2pa.Builder(json.dumps(MINIMAL), context=context) as builder,
    ):
        builder.add_ingredient(
            json.dumps({"title": "ch1", "relationship": "componentOf"}), "audio/wav",
            io.BytesIO(chapter),
        )  # fmt: skip
        builder.sign(raw, "audio/mp4", io.BytesIO(plain_files["m4b"]), out)
    reading = read.read_manifest(out, "audio/mp4", own_trust(home))
    assert (reading.status, reading.reason) == (read.INVALID, "ingredient")
    assert "assertion.dataHash.mismatch" in reading.codes


def _pkcs8(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    pem: bytes = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return pem


def test_signing_over_the_source_is_refused(home: Home, plain_files: dict[str, bytes]) -> None:
    stream = io.BytesIO(plain_files["wav"])
    with pytest.raises(ValueError, match="over its source"):
        signer.sign(
            stream, stream, mime="audio/wav", definition=MINIMAL,
            identity=certificates.signing_identity(home),
        )  # fmt: skip
    assert stream.getvalue() == plain_files["wav"]


@pytest.mark.parametrize(
    "typo", [{"verify": {"remote_manifest_fetsch": False}}, {"trust": {"allowed_list": ""}},
             {"verfy": {}}]
)  # fmt: skip
def test_a_misspelt_setting_is_an_error_though_the_library_takes_it(typo: dict[str, Any]) -> None:
    c2pa.Context.from_dict(typo).close()  # accepted without a word
    with pytest.raises(KeyError, match="unknown C2PA setting"):
        settings.checked(typo)


def test_reading_asks_nothing_of_the_network(home: Home, plain_files: dict[str, bytes]) -> None:
    with server(lambda body: (404, "text/plain", b"")) as (url, asked):
        identity = certificates.signing_identity(home)
        raw = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(b"es256", identity.chain_pem.encode(), _pkcs8(identity.key), None)
        )
        out = io.BytesIO()
        with c2pa.Builder(json.dumps(MINIMAL)) as builder:
            builder.set_no_embed()
            builder.set_remote_url(f"{url}/manifest.c2pa")
            builder.sign(raw, "audio/wav", io.BytesIO(plain_files["wav"]), out)
        reading = read.read_manifest(out, "audio/wav", own_trust(home))
        assert (reading.status, reading.reason) == (read.ABSENT, "remote")
        assert asked == []
        # The library's defaults would have asked: the settings are what keeps it quiet.
        with pytest.raises(c2pa.C2paError):
            c2pa.Reader("audio/wav", io.BytesIO(out.getvalue()))
        assert asked


@contextmanager
def server(
    answer: Callable[[bytes], tuple[int, str, bytes]],
) -> Iterator[tuple[str, list[bytes]]]:
    asked: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(body)
            code, kind, data = answer(body)
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None: ...

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http_server.server_port}", asked
    finally:
        http_server.shutdown()
        http_server.server_close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, "text/plain", b"oops"), "500"),
        ((200, "text/html", b"<html>"), "text/html"),
        ((200, "application/timestamp-reply", b"garbage"), "not a valid time stamp"),
    ],
)
def test_a_time_stamp_server_that_fails_is_named_with_its_failure(
    home: Home, plain_files: dict[str, bytes], answer: tuple[int, str, bytes], said: str
) -> None:
    with server(lambda body: answer) as (url, asked):
        with pytest.raises(VivavoceError, match=said) as caught:
            signed(plain_files["wav"], home, timestamp_url=url)
        assert url in caught.value.message
        assert asked


def test_a_time_stamp_server_that_hangs_does_not_hang_us(
    home: Home, plain_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamp.TimestampRelay.__init__, "__kwdefaults__", {"timeout_s": 0.5})
    released = threading.Event()

    def hang(body: bytes) -> tuple[int, str, bytes]:
        released.wait(20)
        return 200, "application/timestamp-reply", b""

    with server(hang) as (url, _):
        start = time.monotonic()
        with pytest.raises(VivavoceError, match=r"no answer|timed out"):
            signed(plain_files["wav"], home, timestamp_url=url)
        assert time.monotonic() - start < 5
        released.set()


def test_a_time_stamp_server_that_is_not_there_is_reported(
    home: Home, plain_files: dict[str, bytes]
) -> None:
    with pytest.raises(VivavoceError, match="cannot be reached"):
        signed(plain_files["wav"], home, timestamp_url="http://127.0.0.1:9/tsa")
    with pytest.raises(InputError, match="not an http"):
        signed(plain_files["wav"], home, timestamp_url="file:///etc/passwd")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_a_time_stamp_is_read_back_and_believed_only_from_a_server_we_trust(
    home: Home, plain_files: dict[str, bytes], tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "tsa")
    with server(authority.reply) as (url, asked):
        out = signed(plain_files["m4b"], home, mime="audio/mp4", timestamp_url=url)
    assert len(asked) == 1
    (own,) = own_trust(home)
    reading = read.read_manifest(out, "audio/mp4", [own])
    assert (reading.status, reading.time_trusted) == (read.TRUSTED, False)
    assert reading.time is not None
    with_server = dataclasses.replace(own, timestamp_anchors=(authority.root,))
    reading = read.read_manifest(out, "audio/mp4", [with_server])
    assert (reading.status, reading.time_trusted) == (read.TRUSTED, True)


class Authority:
    """A time stamp authority made of the openssl command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "conf").write_text(
            "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nO=Test\nCN=Test TSA\n"
            "[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n"
            "subjectKeyIdentifier=hash\n"
            "[leaf]\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\n"
            "authorityKeyIdentifier=keyid\n"
            "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert=leaf.pem\n"
            "certs=root.pem\nsigner_key=leaf.key\nsigner_digest=sha256\ndefault_policy=1.3.6.1.4.1.1\n"
            "digests=sha256,sha384,sha512\n"
        )
        (folder / "serial").write_text("01\n")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "conf"]
        self.run("req", "-x509", *ec, "-keyout", "root.key", "-out", "root.pem", "-days", "30",
                 "-extensions", "ca", "-subj", "/O=Test/CN=Test TSA root")  # fmt: skip
        self.run("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr")
        self.run("x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key",
                 "-set_serial", "5", "-days", "20", "-extfile", "conf", "-extensions", "leaf",
                 "-out", "leaf.pem")  # fmt: skip
        self.root = (folder / "root.pem").read_text()

    def run(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def reply(self, body: bytes) -> tuple[int, str, bytes]:
        (self.folder / "q").write_bytes(body)
        self.run("ts", "-reply", "-queryfile", "q", "-out", "r", "-config", "conf", "-section", "t")
        return 200, "application/timestamp-reply", (self.folder / "r").read_bytes()
