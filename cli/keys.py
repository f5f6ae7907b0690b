"""``vivavoce keys``."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.asking import PassphraseFile, passphrase
from cli.output import emit_json, note, say, table, warn
from cli.signing import Yes, confirm
from consent.errors import InputError, RefusedError
from consent.files import read_limited, write_atomic

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from consent.home import Home

app = typer.Typer(
    help="Keys of this home: list, protect, back up, restore, sign with.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Name = Annotated[str, typer.Argument(help="Name as shown by `keys list`.")]


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Show the keys of this home: names, kinds and public parts. Private parts are never shown."""
    from consent.home import Home
    from consent.keys import list_keys as keys_of

    rows = keys_of(Home.open())
    if as_json:
        emit_json([row.to_json() for row in rows])
        return
    table(
        ("key", "kind", "encrypted", "public"),
        ((row.name, row.kind, "yes" if row.protected else "no", row.public) for row in rows),
    )


@app.command()
def new(name: Annotated[str, typer.Argument(help="Lower-case letters, digits, hyphens.")]) -> None:
    """Make a key to sign with, for somebody whose registry is elsewhere, and show its did:key.

    [bold]vivavoce keys new alice[/bold]
    """
    from consent import keys
    from consent.home import Home
    from consent.identity.did import did_from_public

    home = Home.open()
    if keys.has_key(home, _name(name)):
        raise InputError(f"there is a key {name!r} already", hint="Choose another name.")
    key = keys.load_or_create(home, name, "ed25519")
    say(did_from_public(keys.raw_public(key)))
    note(f"The private key is {keys.key_path(home, name)}. Back it up: vivavoce keys backup FILE")


@app.command("export-public")
def export_public(name: Name, as_json: Json = False) -> None:
    """Show the public part of a key: its did:key, or PEM where it has none.

    [bold]vivavoce keys export-public registry[/bold]
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from consent import keys
    from consent.home import Home
    from consent.identity.did import did_from_public

    home = Home.open()
    if not keys.has_key(home, _name(name)):
        raise InputError(f"there is no key {name!r}", hint="See `vivavoce keys list`.")
    key = keys.load_any(home, name)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    did = ""
    if isinstance(key, Ed25519PrivateKey):
        did = did_from_public(keys.raw_public(key))
    if as_json:
        emit_json({"name": name, "did": did, "pem": pem.decode()})
    else:
        say(did or pem.decode())


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="A document of --export-to-sign.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the signature.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key", help="Private key (PEM), if it is not in this home.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Sign a document that was drafted elsewhere, after showing what it says.

    What is shown is read from the very bytes that are signed.

    [bold]vivavoce keys sign grant.json -o grant.signature[/bold]
    """
    from consent.credentials.jws import ToSign
    from consent.credentials.summary import summary
    from consent.home import Home

    waiting = ToSign.from_file(file)
    target = output or file.with_suffix(".signature")
    if target.exists():
        raise InputError(f"{target} exists", hint="Choose another name with --output.")
    key = _key_of(Home.open(), waiting.did) if key_file is None else _key_in(key_file)
    note(f"You are about to sign, as {waiting.did}, a document of the type {waiting.typ}:")
    for line in summary(waiting.payload):
        note(f"  {line}")
    confirm("Sign this only if all of it is what you want.", yes=yes)
    token = waiting.sign(key)
    signature = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
    write_atomic(target, signature.hex().encode() + b"\n")
    say(f"Wrote {target}. Send it back to whoever drafted the document.")


@app.command()
def protect(
    passphrase_file: PassphraseFile = None,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Use the keyring of the system, not a passphrase.")
    ] = False,
) -> None:
    """Encrypt all private keys, the vault's master key included; again: change the passphrase.

    [bold]vivavoce keys protect[/bold]

    Servers give the passphrase in VIVAVOCE_PASSPHRASE. Without it nothing opens the keys again
    but a backup whose passphrase you know.
    """
    from consent import protection
    from consent.home import Home
    from consent.protecting import protect as encrypt

    home = Home.open()
    protection.protection_key(home)  # the present passphrase first
    chosen = None if keyring else passphrase(passphrase_file, "New passphrase", confirm=True)
    count = encrypt(home, chosen)
    where = "in the keyring of the system" if keyring else "under the passphrase"
    say(f"The keys of {home.root} are protected {where}; {count} files were encrypted now.")


@app.command()
def unprotect(yes: Yes = False) -> None:
    """Decrypt all private keys: whoever reads the disk can use them."""
    from consent.home import Home
    from consent.protecting import unprotect as decrypt

    home = Home.open()
    confirm(f"The keys of {home.root} will lie on the disk unencrypted.", yes=yes)
    say(f"Decrypted {decrypt(home)} files.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the encrypted backup.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Write keys, vault, log, registry and trust into one encrypted file.

    [bold]vivavoce keys backup vivavoce-keys.backup[/bold]
    """
    from consent import protection
    from consent.backup import backup as write_backup
    from consent.home import Home

    home = Home.open()
    if os.path.lexists(file):
        raise InputError(f"{file} exists", hint="A backup replaces nothing. Choose another name.")
    chosen = passphrase(passphrase_file, "Passphrase for the backup", confirm=True)
    report = write_backup(home, file, chosen)
    say(f"Wrote {len(report.files)} files into {file}, with a log of {report.log_size} entries.")
    say("Without its passphrase it is of no use to anyone, you included.")
    if protection.kind(home) == "passphrase":
        say("The keys in it are protected by their own passphrase as well: you will need both.")
    if not report.registry:
        say("The registry is on a database server and is not in it: back that up there, before.")
    say("Whoever is erased later is still in it: destroy old backups when you erase somebody.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup made by `keys backup`.")],
    passphrase_file: PassphraseFile = None,
    force: Annotated[bool, typer.Option(help="Put aside what is there now.")] = False,
) -> None:
    """Bring back a lost home, or move it to a new machine.

    [bold]vivavoce keys restore vivavoce-keys.backup[/bold]
    """
    from consent.home import Home
    from consent.restore import restore as read_backup

    home = Home.open()
    chosen = passphrase(passphrase_file, "Passphrase of the backup", confirm=False)
    report = read_backup(home, file, chosen, force=force)
    say(f"Restored {len(report.files)} files into {home.root}.")
    if report.replaced is not None:
        say(f"What was there before is in {report.replaced}.")
    if report.log_kept:
        say("The log that was here goes on; the registry catches up with it when next opened.")
    else:
        made = f" of {report.made}" if report.made else ""
        warn(
            f"the log is that of the backup{made}, with {report.log_size} entries. What was "
            "logged later is gone: revoke again, and erase again, what was revoked and erased "
            "since. Who has seen a later log will find that this one was rolled back."
        )
    say("Look whether everything is well: vivavoce audit check")


def _name(name: str) -> str:
    from consent.keys import key_name

    try:
        return key_name(name)
    except ValueError as exc:
        raise InputError(str(exc)) from exc


def _key_of(home: Home, did: str) -> Ed25519PrivateKey:
    from consent import keys
    from consent.identity.did import did_from_public

    for path in sorted(home.keys.glob("*.pem")):
        key = keys.load_any(home, path.stem)
        if not keys.is_ed25519(key):
            continue
        if did_from_public(keys.raw_public(key)) == did:
            return key
    raise RefusedError(
        f"no key of {home.root} is {did}",
        hint="Sign where that key is, or name its file: --key FILE",
    )


def _key_in(file: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization

    from consent import keys

    try:
        data = read_limited(file, 1 << 20)
    except OSError as exc:
        raise InputError(f"cannot read the key {file}: {exc.strerror}") from exc
    secret = None
    if keys.is_encrypted(data):
        secret = passphrase(None, f"Passphrase of {file}", confirm=False).encode()
    try:
        key = serialization.load_pem_private_key(data, password=secret)
    except (ValueError, TypeError) as exc:
        raise InputError(
            f"{file} is not a private key in PEM form, or not with that passphrase"
        ) from exc
    if not keys.is_ed25519(key):
        raise InputError(f"{file} is not an Ed25519 key")
    return key
