"""Certificates for an afternoon: made by the `openssl` command, because Python's ssl module makes none.

    authority = Authority(folder)
    context = authority.certify("mx1.partner.example")     a server's, signed by it
    authority.certificate                                  for `delivery.tls_roots`
    self_signed(folder, "whoever.example")                 a server's, signed by nobody

Promises: keys and certificates stay below the folder, and are good for two days.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

OPENSSL: Final = shutil.which("openssl")
WHY_NOT: Final = "openssl (Debian package openssl) is not installed"
_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*words: str) -> None:
    assert OPENSSL is not None
    done = subprocess.run(
        (OPENSSL, *words), check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def _alternative(name: str) -> str:
    kind = "IP" if name.replace(".", "").isdigit() or ":" in name else "DNS"
    return f"subjectAltName={kind}:{name}"


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody else has signed."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    _openssl(
        "req", "-x509", *_KEY, "-keyout", str(key), "-out", str(certificate), "-days", "2",
        "-subj", f"/CN={name}", "-addext", _alternative(name),
    )  # fmt: skip
    return server_context(certificate, key)


class Authority:
    """A certification authority of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = folder / "authority.key"
        self.certificate = folder / "authority.pem"
        _openssl(
            "req", "-x509", *_KEY, "-keyout", str(self._key), "-out", str(self.certificate), "-days", "2",
            "-subj", "/CN=An authority for tests",
        )  # fmt: skip

    def certify(self, name: str) -> ssl.SSLContext:
        """A server's side of TLS with a certificate for a host name or an address."""
        return server_context(*self.files_for(name))

    def files_for(self, name: str) -> tuple[Path, Path]:
        """Make a certificate and its key."""
        key, request, certificate, extensions = (
            self._folder / f"{name}.{part}" for part in ("key", "csr", "pem", "ext")
        )
        extensions.write_text(_alternative(name))
        _openssl("req", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}")
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key),
            "-CAcreateserial", "-out", str(certificate), "-days", "2", "-extfile", str(extensions),
        )  # fmt: skip
        return certificate, key
