"""A client in virtual time: sends one message, and remembers what it was promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from byreturn.mail import Instant
from byreturn.ports import Clock, Stream


@dataclass
class Promise:
    """A message as its client saw it. `kept_at`: when 250 came for its content; None: it never came."""

    mark: str
    sender: str
    recipients: tuple[str, ...]
    notify: str = ""
    accepted: list[str] = field(default_factory=list)
    kept_at: Instant | None = None
    is_over: bool = False


class SimClient:
    """Speaks the commands one after the other, or all at once where it pipelines."""

    def __init__(
        self,
        stream: Stream,
        promise: Promise,
        clock: Clock,
        *,
        pipelines: bool,
        done: Callable[[Promise], None],
    ) -> None:
        self._stream = stream
        self._promise = promise
        self._clock = clock
        self._done = done
        self._buffer = b""
        self._asked: list[str] = ["greeting"]
        words = f" NOTIFY={promise.notify}" if promise.notify else ""
        envelope = [
            f"MAIL FROM:<{promise.sender}>",
            *[f"RCPT TO:<{recipient}>{words}" for recipient in promise.recipients],
            "DATA",
        ]
        self._next = [["EHLO client.example"], envelope] if pipelines else [[line] for line in
                     ["EHLO client.example", *envelope]]  # fmt: skip
        self._rcpt = 0
        stream.use(self)

    def on_data(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n")) >= 0:
            line, self._buffer = self._buffer[:end].decode(), self._buffer[end + 2 :]
            if line[3:4] == " ":
                self._answered(line)

    def on_writable(self) -> None:
        pass

    def on_closed(self, why: str) -> None:
        self._finish()

    def _answered(self, line: str) -> None:
        asked = self._asked.pop(0) if self._asked else "nothing"
        if asked == "RCPT":
            if line.startswith("250"):
                self._promise.accepted.append(self._promise.recipients[self._rcpt])
            self._rcpt += 1
        elif asked == "DATA":
            if line.startswith("354"):
                self._asked.append("dot")
                self._stream.write(_content(self._promise))
                return
            self._finish()
            return
        elif asked == "dot":
            if line.startswith("250"):
                self._promise.kept_at = self._clock.now()
            self._finish()
            return
        if not self._asked and self._next:
            lines = self._next.pop(0)
            self._asked = [each[:4] for each in lines]
            self._stream.write("".join(f"{each}\r\n" for each in lines).encode())

    def _finish(self) -> None:
        if not self._promise.is_over:
            self._promise.is_over = True
            self._stream.close()
            self._done(self._promise)


def _content(promise: Promise) -> bytes:
    return (
        f"X-Sim: {promise.mark}\r\nMessage-ID: <{promise.mark}@client.example>\r\n"
        f"Subject: {promise.mark}\r\n\r\n.a line with a dot\r\nbye\r\n"
    ).encode().replace(b"\r\n.", b"\r\n..") + b".\r\n"


def marks(promises: Sequence[Promise]) -> dict[str, Promise]:
    """The promises by their marks."""
    return {promise.mark: promise for promise in promises}
