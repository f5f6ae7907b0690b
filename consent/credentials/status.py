"""Status lists: one bit for every grant, for anybody who follows a credential's status.

Bitstring Status List v1.0 (www.w3.org/TR/vc-bitstring-status-list): at least 131,072 bits, so
that asking for a list does not tell which grant one asks about; the first is the left-most of
the first byte; compressed with GZIP and written in multibase base64url. The list is itself a
credential, signed as grants are, and may be handed on as a dated file::

    lists = StatusList()
    lists.set(94567, True)
    token = lists.to_credential(did, list_id, now, now + timedelta(days=1)).sign(key)
    open_status_list(token).get(94567)
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from datetime import datetime
from typing import Any

from consent.credentials.grant import CREDENTIALS_V2, LIST_ID_PATTERN, SUSPENSION_SUFFIX, TYP
from consent.credentials.jws import MAX_LIST_TOKEN, Opened, ToSign, open_compact
from consent.credentials.model import matching, moment_text, parse_moment
from consent.errors import InputError, VerificationError

#: The least the standard allows: 16 KiB.
MIN_BITS = 131_072
#: What is still read from elsewhere: 2 MiB unpacked.
MAX_BITS = 1 << 24

_TYPES = ["VerifiableCredential", "BitstringStatusListCredential"]
PURPOSES = ("revocation", "suspension")


class StatusList:
    """Bits by their place; one that is set means "not to be accepted".

    Parameters
    ----------
    length
        Number of bits, at least :data:`MIN_BITS`, a multiple of 8.

    Attributes
    ----------
    list_id, purpose, issuer_did, valid_from, valid_until, digest
        Of the credential it was read from by :func:`open_status_list`; empty or None for a new
        list. `valid_from` is the date of the word on the status.
    """

    def __init__(self, length: int = MIN_BITS) -> None:
        if not MIN_BITS <= length <= MAX_BITS or length % 8:
            raise InputError(
                f"a status list of {length:,} bits",
                hint=f"It has {MIN_BITS:,} to {MAX_BITS:,}, in whole bytes.",
            )
        self._bits = bytearray(length // 8)
        self.list_id = ""
        self.purpose = ""
        self.issuer_did = ""
        self.valid_from: datetime | None = None
        self.valid_until: datetime | None = None
        self.digest = ""

    def __len__(self) -> int:
        return 8 * len(self._bits)

    def get(self, index: int) -> bool:
        """Return the bit at `index`, counted from 0.

        Raises
        ------
        InputError
            The list has no such place.
        """
        byte, mask = self._place(index)
        return bool(self._bits[byte] & mask)

    def set(self, index: int, value: bool = True) -> None:
        """Set or clear the bit at `index`; errors as for :meth:`get`."""
        byte, mask = self._place(index)
        if value:
            self._bits[byte] |= mask
        else:
            self._bits[byte] &= ~mask

    def indexes(self) -> list[int]:
        """Return the places that are set, ascending."""
        return [
            8 * place + bit
            for place, byte in enumerate(self._bits)
            if byte
            for bit in range(8)
            if byte & (0x80 >> bit)
        ]

    def encoded(self) -> str:
        """Return the bits as the standard writes them: ``u`` and base64url of the GZIP form."""
        packed = gzip.compress(bytes(self._bits), mtime=0)
        return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")

    @classmethod
    def from_encoded(cls, text: str) -> StatusList:
        """Read what :meth:`encoded`, or any other program, wrote.

        Raises
        ------
        VerificationError
            It is not such a text, or holds too few or far too many bits.
        """
        if not text.startswith("u"):
            raise VerificationError("the status list is not multibase base64url text (u…)")
        try:
            digits = text[1:].rstrip("=")
            packed = base64.b64decode(
                digits + "=" * (-len(digits) % 4), altchars=b"-_", validate=True
            )
            unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            # A few bytes can unpack to any number of them.
            bits = unpacker.decompress(packed, MAX_BITS // 8 + 1)
        except (binascii.Error, ValueError, zlib.error) as exc:
            raise VerificationError(f"the status list cannot be unpacked: {exc}") from exc
        if len(bits) > MAX_BITS // 8:
            raise VerificationError(f"the status list has more than {MAX_BITS:,} bits")
        if not unpacker.eof or unpacker.unused_data:
            raise VerificationError("the status list is cut off, or something follows it")
        if len(bits) < MIN_BITS // 8:
            raise VerificationError(
                f"the status list has {8 * len(bits):,} bits; the standard asks for "
                f"{MIN_BITS:,} at least"
            )
        found = cls(8 * len(bits))
        found._bits[:] = bits
        return found

    def to_credential(
        self,
        issuer_did: str,
        list_id: str,
        valid_from: datetime,
        valid_until: datetime,
        *,
        purpose: str | None = None,
    ) -> ToSign:
        """Return the list as a credential that waits for its signature.

        Parameters
        ----------
        list_id
            The list's URL or URN, as the entries of the grants name it.
        valid_from, valid_until
            When the list was true, and how long it may be used.
        purpose
            ``"revocation"`` or ``"suspension"``; taken from `list_id` where it is left out.

        Raises
        ------
        InputError
            The id, the times or the purpose cannot be meant.
        """
        matching(list_id, LIST_ID_PATTERN, "the URL or URN of a status list")
        begins, ends = parse_moment(valid_from), parse_moment(valid_until)
        if ends <= begins:
            raise InputError(
                f"the status list would end {moment_text(ends)}, before it begins "
                f"{moment_text(begins)}"
            )
        payload = {
            "@context": [CREDENTIALS_V2],
            "id": list_id,
            "type": _TYPES,
            "issuer": issuer_did,
            "validFrom": moment_text(begins),
            "validUntil": moment_text(ends),
            "credentialSubject": {
                "id": f"{list_id}#list",
                "type": "BitstringStatusList",
                "statusPurpose": _checked_purpose(purpose or purpose_of(list_id)),
                "encodedList": self.encoded(),
            },
            "iss": issuer_did,
            "jti": list_id,
            "iat": int(begins.timestamp()),
            "nbf": int(begins.timestamp()),
            "exp": int(ends.timestamp()),
        }
        return ToSign(TYP, payload, issuer_did, max_bytes=MAX_LIST_TOKEN)

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise InputError(f"the status list has no place {index}; it has {len(self):,}")
        return index // 8, 0x80 >> index % 8


def purpose_of(list_id: str) -> str:
    """Return what the list of that name tells: ``"revocation"`` or ``"suspension"``.

    Grants name two lists (:func:`consent.credentials.grant.suspension_list_id`).
    """
    return "suspension" if list_id.endswith(SUSPENSION_SUFFIX) else "revocation"


def open_status_list(token: str) -> StatusList:
    """Check a status list credential and return the list with its dates.

    Members this program does not know are left alone: other programs write such lists too.
    Whether the issuer may speak for the grants in it, and whether the list is recent enough, is
    the registry's to know.

    Raises
    ------
    VerificationError
        The signature does not hold, it is not a status list of one bit for each entry, or it
        says something twice and differently.
    """
    opened = open_compact(token, typ=TYP, max_bytes=MAX_LIST_TOKEN)
    try:
        return _read(opened)
    except InputError as exc:
        raise VerificationError(f"this is not a status list: {exc.message}") from exc


def _read(opened: Opened) -> StatusList:
    payload = opened.payload
    kinds = payload.get("type")
    if not isinstance(kinds, list) or _TYPES[1] not in kinds:
        raise VerificationError(
            f"the credential is of type {str(kinds)[:120]}, not {_TYPES[1]}",
            hint="Give the file of a status list.",
        )
    subject = payload.get("credentialSubject")
    if not isinstance(subject, dict) or subject.get("type") != "BitstringStatusList":
        raise VerificationError("the status list's subject is not a BitstringStatusList")
    if subject.get("statusSize", 1) != 1:
        raise VerificationError("the status list has more than one bit for each entry")
    found = StatusList.from_encoded(_text(subject, "encodedList"))
    found.list_id = matching(_text(payload, "id"), LIST_ID_PATTERN, "the URL or URN of a list")
    found.purpose = _checked_purpose(_text(subject, "statusPurpose"))
    found.issuer_did = opened.did
    found.valid_from = parse_moment(_text(payload, "validFrom"))
    if "validUntil" in payload:
        found.valid_until = parse_moment(_text(payload, "validUntil"))
    found.digest = opened.digest
    _check_agreement(payload, found)
    return found


def _check_agreement(payload: dict[str, Any], found: StatusList) -> None:
    issuer = payload.get("issuer")
    said = {
        "issuer": (issuer.get("id") if isinstance(issuer, dict) else issuer, found.issuer_did),
        "jti": (payload.get("jti", found.list_id), found.list_id),
        "nbf": _seconds(payload, "nbf", found.valid_from),
        "exp": _seconds(payload, "exp", found.valid_until),
    }
    for name, (one, other) in said.items():
        if one != other:
            raise VerificationError(
                f"the status list says {str(one)[:120]} in {name} and {other} elsewhere"
            )


def _seconds(payload: dict[str, Any], name: str, moment: datetime | None) -> tuple[Any, Any]:
    expected = None if moment is None else int(moment.timestamp())
    given = payload.get(name, expected)
    # True and 1.0 are equal to 1 in Python and are not the same claim.
    return (given if type(given) is int or given is None else str(given)), expected


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise VerificationError(f"the status list has no text in {name}")
    return value


def _checked_purpose(purpose: str) -> str:
    if purpose not in PURPOSES:
        raise InputError(f"{purpose[:40]!r} is not {' or '.join(PURPOSES)}")
    return purpose
