"""TLS over octets: what came from the wire in, what goes to the wire and what was said in it out.

A layer knows no socket. The stream it belongs to keeps its one transport, and with it its limits and its
order of callbacks; nothing waits, and there is no task.

    wire -> receive -> plain octets          encrypt(plain octets) -> take_output -> wire
            (handshake, if it is not over)   goodbye()             -> take_output -> wire

Promises: TLS 1.2 or newer; without a check of the certificate too. A server that wants to negotiate anew is
told no. What is buffered is bounded by one read and by what one handshake may have (OpenSSL's own limits).
Fails: TlsBroken, with a reason for people; after it the layer is of no more use.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Final

from byreturn.ports import TlsFacts, TlsSettings

_READ_OCTETS: Final = 64 * 1024


class TlsBroken(Exception):
    """TLS with this peer is over; the text says why."""


class ClientTls:
    """What all our client's layers share: the settings of OpenSSL, and whose signature is believed.

    `roots`: certificates in PEM that are believed besides the system's. They are read when a certificate is
    checked for the first time: reading the system's takes some 20 ms, and few servers need them.
    """

    def __init__(self, roots: Path | None = None) -> None:
        self._roots = roots
        self._any: ssl.SSLContext | None = None
        self._verifying: ssl.SSLContext | None = None

    def layer(self, settings: TlsSettings) -> TlsLayer:
        """Begin a layer; raise TlsBroken where there can be none."""
        try:
            context = self._verify() if settings.verify else self._believe()
            return TlsLayer(context, settings.host, is_verified=settings.verify)
        except (OSError, ValueError, TypeError) as error:
            # A name out of the DNS need not be one that can stand in a certificate: Python calls it a bad
            # value, and with a NUL in it a bad type.
            raise TlsBroken(_reason(error)) from None

    def _verify(self) -> ssl.SSLContext:
        context = self._verifying
        if context is None:
            context = _context()
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            if self._roots is not None:
                context.load_verify_locations(self._roots)
            self._verifying = context
        return context

    def _believe(self) -> ssl.SSLContext:
        context = self._any
        if context is None:
            context = _context()
            context.check_hostname = False
            # Opportunistic TLS with whoever is there: there is nothing that the name could be held against.
            context.verify_mode = ssl.CERT_NONE
            self._any = context
        return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # RFC 8996 sections 4 and 5: neither TLS 1.0 nor TLS 1.1.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


class TlsLayer:
    """One session of TLS, on the client's side. `facts`: None until the handshake is over."""

    def __init__(self, context: ssl.SSLContext, host: str, *, is_verified: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # RFC 6066 section 3: the server is told the name that is meant; an address is not told.
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._is_verified = is_verified
        self._is_over = False
        self.facts: TlsFacts | None = None

    @property
    def is_over(self) -> bool:
        """Whether the peer has said that nothing more comes."""
        return self._is_over

    def begin(self) -> None:
        """Say hello."""
        self._shake()

    def receive(self, data: bytes) -> bytes:
        """Take octets from the wire; return what the peer says in them."""
        self._incoming.write(data)
        if self.facts is None:
            self._shake()
            if self.facts is None:
                return b""
        return self._read()

    def encrypt(self, data: bytes) -> None:
        """Say something."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._session.write(view) :]
        except ssl.SSLError as error:
            raise TlsBroken(_reason(error)) from None

    def goodbye(self) -> None:
        """Say that nothing more comes; the peer's own goodbye is not waited for."""
        # It wants the peer's goodbye, or the session is broken already.
        with contextlib.suppress(ssl.SSLError):
            self._session.unwrap()

    def take_output(self) -> bytes:
        """Return what must go to the wire."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def _shake(self) -> None:
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise TlsBroken(_reason(error)) from None
        cipher = self._session.cipher()
        version = self._session.version()
        assert cipher is not None
        assert version is not None
        self.facts = TlsFacts(version, cipher[0], self._is_verified)

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := self._session.read(_READ_OCTETS):
                pieces.append(piece)
            self._is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._is_over = True
        except ssl.SSLError as error:
            # What came whole before it was said.
            if not pieces:
                raise TlsBroken(_reason(error)) from None
            self._is_over = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _reason(error: Exception) -> str:
    """Say in a few words what OpenSSL or Python found; a peer's text is not in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not good: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {error.reason.replace('_', ' ').lower()}"
    return f"TLS: {error}"
