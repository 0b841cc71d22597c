"""A door with nobody behind it but a script: each visitor hears the next of its answers."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from byreturn.transport.door import DOOR_NAME, address_of


class ScriptedDoor:
    """Answers one visit after the other; bytes as they are, others as JSON."""

    def __init__(self, folder: Path, *answers: dict[str, Any] | bytes) -> None:
        self.path = folder / DOOR_NAME
        self.heard: list[dict[str, Any]] = []
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        with address_of(folder) as address:
            self._listener.bind(address)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ScriptedDoor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        self.path.unlink()

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            with visitor, visitor.makefile("rb") as lines:
                self.heard.append(json.loads(lines.readline()))
                with suppress(ConnectionError):  # It may have heard enough.
                    visitor.sendall(
                        answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"
                    )


def status(brake: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a server tells of itself."""
    return {
        "answer": "status", "brake": brake, "connections": 37, "connections_unproven": 4,
        "connections_limit": 2000, "active_recipients": 1042, "failing_destinations": 12,
    }  # fmt: skip


def done(destinations: int = 0, but: str = "") -> dict[str, Any]:
    """It is done."""
    return {"answer": "done", "destinations": destinations, "but": but}
