"""The local certificate authority: a root made on first use, and a signing certificate.

Both are ES256. The signing certificate is valid for decades on purpose: a manifest without a
trusted time stamp stops validating when its certificate expires, and a book should outlive its
publisher's laptop. It carries the key purpose emailProtection, the one C2PA validators accept
without being told. Names hold a key's fingerprint and never a person, user or machine.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consent import keys
from consent.clock import Clock, SystemClock
from consent.errors import VerificationError
from consent.files import write_atomic
from consent.home import Home
from consent.locks import FileLock

ROOT_KEY = "c2pa-root"
SIGNING_KEY = "c2pa-signing"
ROOT_YEARS = 40
LEAF_YEARS = 25
# A new signing certificate is issued in time, so that every file has at least this long.
RENEW_BELOW_YEARS = 10
_YEAR = dt.timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """What a manifest is signed with.

    Attributes
    ----------
    chain_pem
        Signing certificate first, then the root.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    root: x509.Certificate

    @property
    def chain_pem(self) -> str:
        """Return the certificates as PEM, the signing one first."""
        return pem(self.certificate) + pem(self.root)


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate, lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def common_name(name: x509.Name) -> str:
    """Return the common name, or the whole name if there is none."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def root_path(home: Home) -> Path:
    """Return where the root certificate lives."""
    return home.keys / "c2pa-root.crt"


def leaf_path(home: Home) -> Path:
    """Return where the signing certificate lives."""
    return home.keys / "c2pa-signing.crt"


def own_root(home: Home) -> x509.Certificate | None:
    """Return this home's root certificate, None if nothing was ever signed here.

    Raises
    ------
    VerificationError
        The file is there and is not a certificate.
    """
    path = root_path(home)
    return _read(path) if path.exists() else None


def own_chain(home: Home) -> list[str]:
    """Return the certificates that files are signed with as PEM, the signing one first.

    Empty before the first file was signed; none is made.
    """
    paths = [path for path in (leaf_path(home), root_path(home)) if path.exists()]
    return [pem(_read(path)) for path in paths]


def signing_identity(home: Home, *, clock: Clock | None = None) -> SigningIdentity:
    """Return key and certificates to sign with, made on first use.

    Raises
    ------
    StorageError
        The key folder cannot be written, or a key is open to others.
    VerificationError
        A key or certificate is damaged.
    """
    now = (clock or SystemClock()).now()
    with FileLock(home.keys / "c2pa.lock"):
        root_key = keys.load_or_create(home, ROOT_KEY, "ec-p256")
        key = keys.load_or_create(home, SIGNING_KEY, "ec-p256")
        root = own_root(home)
        if root is None or not _same_key(root, root_key):
            # Name and key decide what a certificate vouches for: one made again from the same
            # key (after a restore) still carries every file signed before.
            root = issue_root(root_key, now=now)
            write_atomic(root_path(home), pem(root).encode(), mode=0o600)
        leaf = _read(leaf_path(home)) if leaf_path(home).exists() else None
        if leaf is None or _needs_renewal(leaf, key, root, now):
            leaf = issue_leaf(root_key, root, key, now=now)
            write_atomic(leaf_path(home), pem(leaf).encode(), mode=0o600)
    return SigningIdentity(key, leaf, root)


def issue_root(key: ec.EllipticCurvePrivateKey, *, now: dt.datetime) -> x509.Certificate:
    """Return a self-signed root certificate for `key`."""
    name = _name(f"vivavoce local authority {_key_tag(key)}")
    usage = _usage(sign=False)
    return (
        _builder(name, name, key, now, ROOT_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def issue_leaf(
    root_key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    *,
    now: dt.datetime,
    years: float = LEAF_YEARS,
) -> x509.Certificate:
    """Return a signing certificate for `key`, issued by `root`."""
    name = _name(f"vivavoce signer {_key_tag(key)}")
    return (
        _builder(name, root.subject, key, now, years)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    years: float,
) -> x509.CertificateBuilder:
    start = now.replace(microsecond=0) - dt.timedelta(days=1)  # clocks differ
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now.replace(microsecond=0) + years * _YEAR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    # C2PA validators show the organisation, and some insist on one.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vivavoce (local certificate)"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_tag(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:12]


def _same_key(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    return certificate.public_key() == key.public_key()


def _needs_renewal(
    leaf: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    now: dt.datetime,
) -> bool:
    return (
        not _same_key(leaf, key)
        or leaf.issuer != root.subject
        or leaf.not_valid_after_utc - now < RENEW_BELOW_YEARS * _YEAR
        or leaf.not_valid_before_utc > now
    )


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, OSError) as exc:
        raise VerificationError(
            f"{path} is not a certificate",
            hint="Delete it; it is made again from its key. Files signed before stay valid.",
        ) from exc
