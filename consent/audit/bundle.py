"""The evidence bundle: everything a stranger needs to check an output, in one JSON file.

This module is its shape; docs/formats.md describes it for other programs. Entries of the log
carry what is proved. What they commit to is opened by salts next to them. Little is said twice,
so that little can disagree, and what is said beside the log is signed by the registry.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.errors import VerificationError

FORMAT = "vivavoce-evidence/1"
FULL = "full"
REDACTED = "redacted"

MAX_BYTES = 64 << 20
_MAX_LIST = 10_000

Text = Annotated[str, Field(max_length=2_000)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Salt = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
#: Left out in the redacted form.
OptionalSalt = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
Token = Annotated[str, Field(max_length=64 << 10)]
Did = Annotated[str, Field(max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Entry(_Part):
    """An entry of the log, verbatim, and its c2sp.org/tlog-proof@v1."""

    leaf: Annotated[str, Field(max_length=0xFFFF)]
    proof: Annotated[str, Field(max_length=32 << 10)]


class Opening(_Part):
    """What opens the commitments to a person's voice in a receipt.

    Attributes
    ----------
    voice, voice_salt
        ``commitment(voice, voice_salt)`` is the receipt's ``voice``; empty when redacted.
    grant_id, grant_digest, grant_salt
        ``commitment({"digest", "id"} in canonical JSON, grant_salt)`` is its ``grant``.
    status
        Of the grant when the output was sealed, or made where it was not.
    """

    voice: Text
    voice_salt: OptionalSalt
    grant_id: Text
    grant_digest: Hex32
    grant_salt: Salt
    status: Text


class Output(_Part):
    """One output: its receipt, what came of it, and what people call it.

    Attributes
    ----------
    outcome
        The entry ``sealed`` or ``abandoned``; None where there is neither yet.
    work, identifier, title
        Said by the registry alone; empty when redacted.
    """

    receipt: Entry
    outcome: Entry | None
    openings: Annotated[list[Opening], Field(max_length=100)]
    work: Text
    identifier: Text
    title: Text


class Salts(_Part):
    """What opens the references in a grant's entry; the last three are empty when redacted.

    Attributes
    ----------
    id
        ``commitment(id of the grant, salt)`` is the entry's ``subject``.
    document
        The same for the digest of the grant and its ``document``.
    voice, key
        For the name and its ``voice``, and for the ``did:key`` that signed and its ``by``.
    licensee
        For the licensee's party id and the bundle's ``licensee``.
    """

    id: Salt
    document: Salt
    voice: OptionalSalt
    key: OptionalSalt
    licensee: OptionalSalt


class Change(_Part):
    """An entry that changed what a grant allows, and the signed statement behind it.

    Attributes
    ----------
    token, salt
        ``commitment(digest of the token, salt)`` is the entry's ``document``. Both are empty
        when redacted, and where no statement is behind it.
    """

    entry: Entry
    token: Token
    salt: OptionalSalt


class GrantEvidence(_Part):
    """A grant: the signed document, its entry, and the chain to the person whose voice it is.

    Attributes
    ----------
    token
        The ``vc+jwt``; empty when redacted.
    entry
        The grant is on record.
    voice
        The voice is on record as its owner's.
    keys
        The signing key is on record as that party's: the entry ``party-key``, or the statement
        that named it in place of another, whose entry follows.
    mandate
        Where somebody else than the owner signed: they may.
    licensee
        What the log calls the licensee by.
    history
        Everything in the log that ended or interrupted it, in order.
    status
        At the checkpoint of the bundle.
    """

    id: Text
    digest: Hex32
    token: Token
    salts: Salts
    entry: Entry
    voice: Entry
    keys: Annotated[list[Entry], Field(min_length=1, max_length=100)]
    mandate: Entry | None
    licensee: Hex32
    history: Annotated[list[Change], Field(max_length=_MAX_LIST)]
    status: Text


class LogState(_Part):
    """Which log, and the one signed checkpoint that all proofs stand on."""

    vkey: Text
    checkpoint: Annotated[str, Field(max_length=32 << 10)]


class Signature(_Part):
    """By the registry, over everything else."""

    did: Did
    value: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Bundle(_Part):
    """A whole bundle.

    Attributes
    ----------
    registry
        Entry 0 of the log: it names the registry's key.
    certificates
        Of the signer of the files, PEM, leaf first; for the reader's convenience.
    """

    format: Literal["vivavoce-evidence/1"]
    form: Literal["full", "redacted"]
    made_at: Text
    log: LogState
    registry: Entry
    outputs: Annotated[list[Output], Field(min_length=1, max_length=_MAX_LIST)]
    grants: Annotated[list[GrantEvidence], Field(max_length=_MAX_LIST)]
    certificates: Annotated[list[Annotated[str, Field(max_length=64 << 10)]], Field(max_length=20)]
    signature: Signature

    def entries(self) -> list[Entry]:
        """Return every entry in it."""
        found = [self.registry]
        for output in self.outputs:
            found += [output.receipt, *([output.outcome] if output.outcome else [])]
        for grant in self.grants:
            found += [grant.entry, grant.voice, *grant.keys]
            found += [grant.mandate] if grant.mandate else []
            found += [change.entry for change in grant.history]
        return found


def parse_bundle(document: dict[str, Any]) -> Bundle:
    """Return a document as a bundle: the right fields and no others, none of them checked yet.

    Raises
    ------
    VerificationError
        It has another shape; the message names the first place.
    """
    try:
        return Bundle.model_validate(document)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise VerificationError(
            f"the bundle is not in the form {FORMAT}: {place or 'it'}: {first['msg']}",
            hint="It was changed or cut, or made by a later program. Ask for it again.",
        ) from exc
