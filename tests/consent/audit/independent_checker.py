"""A checker of evidence written from docs/formats.md alone, as a stranger would write one.

It shares no code with the program: hashlib, json, base64 and an Ed25519 implementation. It
raises :class:`Wrong` at the first thing that does not fit, and returns the facts it could show.
Run it by hand: ``python independent_checker.py evidence.json VKEY``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Wrong(Exception):
    """Something does not fit."""


def need(condition: bool, what: str) -> None:
    if not condition:
        raise Wrong(what)


# -- "Canonical JSON, commitments and keys" -------------------------------------------------


def canonical(value: Any) -> bytes:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        inner = b",".join(canonical(name) + b":" + canonical(value[name]) for name in names)
        return b"{" + inner + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(canonical(item) for item in value) + b"]"
    need(value is None or isinstance(value, str | bool | int), "a number that is not whole")
    return json.dumps(value, ensure_ascii=False).encode()


def commitment(data: bytes, salt: str) -> str:
    raw = bytes.fromhex(salt)
    need(len(raw) >= 16, "a salt is too short")
    return hashlib.sha256(bytes([len(raw)]) + raw + data).hexdigest()


def key_of_did(did: str) -> bytes:
    need(did.startswith("did:key:z"), "not a did:key")
    number = 0
    for char in did.removeprefix("did:key:z"):
        number = number * 58 + BASE58.index(char)
    raw = number.to_bytes(34, "big")
    need(raw[:2] == b"\xed\x01", "not an Ed25519 key")
    return raw[2:]


def signed_by(public: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature as exc:
        raise Wrong("a signature does not fit") from exc


# -- "Documents that the registry signs" ----------------------------------------------------


def check_signed(document: dict[str, Any]) -> str:
    body = {name: value for name, value in document.items() if name != "signature"}
    message = document["format"].encode() + b"\n" + canonical(body)
    did = document["signature"]["did"]
    signed_by(key_of_did(did), bytes.fromhex(document["signature"]["value"]), message)
    return str(did)


# -- "The log" ------------------------------------------------------------------------------


def open_checkpoint(note: str, vkey: str) -> tuple[int, bytes]:
    name, _, encoded = vkey.split("+", 2)
    typed = base64.b64decode(encoded)
    need(typed[:1] == b"\x01", "not the key of a log")
    key_id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
    body, _, signatures = note.rpartition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        dash, who, value = line.split(" ")
        raw = base64.b64decode(value)
        if (dash, who, raw[:4]) == ("—", name, key_id):
            signed_by(typed[1:], raw[4:], body.encode())
            origin, size, root = body.splitlines()[:3]
            need(origin == name, "another log's checkpoint")
            return int(size), base64.b64decode(root)
    raise Wrong("the checkpoint is not signed by the log")


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """RFC 9162, 2.1.3.2."""
    need(index < size, "no such place")
    node = hashlib.sha256(b"\0" + leaf).digest()
    fn, sn = index, size - 1
    for step in path:
        need(sn != 0, "the proof is too long")
        if fn % 2 or fn == sn:
            node = hashlib.sha256(b"\1" + step + node).digest()
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn // 2, sn // 2
        else:
            node = hashlib.sha256(b"\1" + node + step).digest()
        fn, sn = fn // 2, sn // 2
    need(sn == 0 and node == root, "the proof does not lead to the root")


def prove(entry: dict[str, str], checkpoint: str, size: int, root: bytes) -> dict[str, Any]:
    """Return what an entry says, with its place as ``index``."""
    head, _, note = entry["proof"].partition("\n\n")
    need(note == checkpoint, "a proof stands on another checkpoint")
    lines = head.split("\n")
    need(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("index "), "not a proof")
    index = int(lines[1].removeprefix("index "))
    path = [base64.b64decode(line) for line in lines[2:]]
    check_inclusion(entry["leaf"].encode(), index, size, path, root)
    said = json.loads(entry["leaf"])
    need(canonical(said) == entry["leaf"].encode(), "an entry is not canonical JSON")
    need(said["version"] == 1, "an entry of another version")
    return {**said, "index": index}


# -- "Grants" and "Statements" --------------------------------------------------------------


def open_token(token: str, typ: str) -> tuple[dict[str, Any], str, str]:
    """Return payload, signer and digest of a compact JWS."""
    head, body, signature = token.split(".")

    def decoded(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    header = json.loads(decoded(head))
    need(header["alg"] in ("EdDSA", "Ed25519") and header["typ"] == typ, "not such a token")
    did = header["kid"].partition("#")[0]
    signed_by(key_of_did(did), decoded(signature), f"{head}.{body}".encode())
    payload = json.loads(decoded(body))
    need(payload["iss"] == did, "signed by somebody else")
    return payload, did, hashlib.sha256(token.encode()).hexdigest()


ENDS = {"revocation": "revoked", "erasure": "revoked", "superseded": "superseded",
        "mandate-end": "mandate-ended", "compromise": "key-not-valid"}  # fmt: skip
WORST = ["key-not-valid", "revoked", "mandate-ended"]


def event_of(said: dict[str, Any], refs: dict[str, Any]) -> str:
    kind, subject = said["kind"], said.get("subject")
    if kind == "statement" and not said["pending"]:
        if subject == refs["grant"]:
            return str(said["type"])
        if subject == refs["mandate"] and said["type"] == "revocation":
            return "mandate-end"
        if subject == refs["key"] and said["type"] == "compromise":
            need(said["since"] <= refs["time"], "a key that was stolen later")
            return "compromise"
    if kind == "grant" and said["supersedes"] == refs["grant"]:
        return "superseded"
    if kind == "status-list":
        return str([event for ref, event in said["changes"] if ref == refs["grant"]][-1])
    if kind == "erasure" and subject in refs["parties"]:
        return "erasure"
    raise Wrong("an entry of the history is not about the grant")


def status_at(first: str, events: list[tuple[int, str]], index: int) -> str:
    status = first
    for place, event in events:
        if place >= index:
            break
        if event == "suspension":
            status = "suspended" if status == "active" else status
        elif event == "reinstatement":
            status = "active" if status == "suspended" else status
        else:
            after = ENDS[event]
            status = next((worst for worst in WORST if worst in (status, after)), after)
    return status


# -- "The evidence bundle" ------------------------------------------------------------------


def check(bundle: dict[str, Any], vkey: str) -> dict[str, Any]:
    """Check a bundle with the log's key; return outputs and grants that it proves."""
    need(bundle["format"] == "vivavoce-evidence/1", "another format")
    did = check_signed(bundle)
    need(bundle["log"]["vkey"] == vkey, "another log")
    note = bundle["log"]["checkpoint"]
    size, root = open_checkpoint(note, vkey)

    def at(entry: dict[str, str]) -> dict[str, Any]:
        return prove(entry, note, size, root)

    first = at(bundle["registry"])
    public = key_of_did(did)
    need(first["index"] == 0 and first["kind"] == "registry", "not the first entry")
    need(first["public_key"] == public.hex(), "another registry's log")
    tag = hashlib.sha256(public).hexdigest()[:4]
    full = bundle["form"] == "full"
    grants = {grant["id"]: check_grant(grant, at, full) for grant in bundle["grants"]}
    outputs = {}
    for output in bundle["outputs"]:
        found = check_output(output, at, tag, grants, full)
        need(found["id"] not in outputs, "an output is there twice")
        outputs[found["id"]] = found
    return {"registry": did, "size": size, "outputs": outputs, "grants": grants}


def check_grant(grant: dict[str, Any], at: Any, full: bool) -> dict[str, Any]:
    entry, voice = at(grant["entry"]), at(grant["voice"])
    keys = [at(key) for key in grant["keys"]]
    mandate = None if grant["mandate"] is None else at(grant["mandate"])
    salts = grant["salts"]
    need(entry["kind"] == "grant" and voice["kind"] == "voice", "not a grant and its voice")
    need(entry["subject"] == commitment(grant["id"].encode(), salts["id"]), "another id")
    opened = commitment(grant["digest"].encode(), salts["document"])
    need(entry["document"] == opened, "another document")
    need(entry["voice"] == voice["subject"], "another voice")
    wanted = entry["by"]
    for key in keys[:-1]:
        need(key["type"] == "compromise" and key["new_key"] == wanted, "the keys do not follow")
        wanted = key["subject"]
    last = keys[-1]
    if last["kind"] == "party-key":
        need(last["subject"] == wanted, "another key")
        signer = last["party"]
    else:
        need(last["type"] == "rotation" and last["new_key"] == wanted, "another key")
        signer = last["subject"]
    if mandate is None:
        need(signer == voice["owner"], "not signed by the owner")
    else:
        need(mandate["principal"] == voice["owner"], "another principal")
        need(mandate["representative"] == signer, "another representative")
    terms = None
    if full:
        payload, issuer, digest = open_token(grant["token"], "vc+jwt")
        terms = payload["credentialSubject"]
        need(digest == grant["digest"] and payload["jti"] == grant["id"], "another token")
        need(entry["by"] == commitment(issuer.encode(), salts["key"]), "another signer")
        opened = commitment(terms["voice"].encode(), salts["voice"])
        need(entry["voice"] == opened, "another voice")
        opened = commitment(terms["licensee"].encode(), salts["licensee"])
        need(grant["licensee"] == opened, "another licensee")
        terms = {**terms, "from": payload["nbf"], "until": payload["exp"]}
    refs = {
        "grant": entry["subject"],
        "key": entry["by"],
        "parties": (voice["owner"], grant["licensee"]),
        "mandate": None if mandate is None else mandate["subject"],
        "time": entry["time"],
    }
    events = []
    for change in grant["history"]:
        said = at(change["entry"])
        need(said["index"] > max([entry["index"], *(place for place, _ in events)]), "disorder")
        events.append((said["index"], event_of(said, refs)))
        if full and said["kind"] == "statement":
            payload, _, digest = open_token(change["token"], "vivavoce-statement+jwt")
            need(said["document"] == commitment(digest.encode(), change["salt"]), "another text")
            need(payload["kind"] == said["type"], "another kind of statement")
    need(status_at(entry["status"], events, 1 << 62) == grant["status"], "another status")
    return {
        "digest": grant["digest"], "index": entry["index"], "first": entry["status"],
        "events": events, "terms": terms, "status": grant["status"],
    }  # fmt: skip


def check_output(
    output: dict[str, Any], at: Any, tag: str, grants: dict[str, Any], full: bool
) -> dict[str, Any]:
    receipt = at(output["receipt"])
    outcome = None if output["outcome"] is None else at(output["outcome"])
    need(receipt["kind"] == "receipt", "not a receipt")
    need(receipt["output_id"].startswith(tag), "another registry's output")
    if outcome is not None:
        need(outcome["kind"] in ("sealed", "abandoned"), "not an outcome")
        need(outcome["output_id"] == receipt["output_id"], "another output's outcome")
        need(outcome["index"] > receipt["index"], "an outcome before its receipt")
    last = outcome or receipt
    persons = [voice for voice in receipt["voices"] if voice["basis"] == "grant"]
    need(len(persons) == len(output["openings"]), "more or fewer voices than openings")
    by_grant = {
        commitment(
            canonical({"id": opening["grant_id"], "digest": opening["grant_digest"]}),
            opening["grant_salt"],
        ): opening
        for opening in output["openings"]
    }
    for voice in persons:
        need(voice["grant"] in by_grant, "another grant")
        opening = by_grant[voice["grant"]]
        grant = grants[opening["grant_id"]]
        need(grant["digest"] == opening["grant_digest"], "another document")
        need(grant["index"] < receipt["index"], "made before the grant")
        status = status_at(grant["first"], grant["events"], last["index"])
        need(status == opening["status"], "another status when it was made")
        need(last["kind"] != "sealed" or status == "active", "sealed under a grant that had ended")
        if full:
            need(
                voice["voice"] == commitment(opening["voice"].encode(), opening["voice_salt"]),
                "another voice",
            )
            need(grant["terms"]["voice"] == opening["voice"], "a grant for another voice")
            need(receipt["purpose"] in grant["terms"]["purposes"], "another purpose")
    return {
        "id": receipt["output_id"],
        "duration_ms": receipt["duration_ms"],
        "state": "issued" if outcome is None else outcome["kind"],
        "sha256": "" if outcome is None else outcome.get("sha256", ""),
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:  # noqa: PTH123
        print(json.dumps(check(json.load(stream), sys.argv[2]), indent=1, default=str))
