"""Asking the running server, through the operator's door in its data folder.

no socket, or nobody behind it   None: no server runs there
anything else that goes wrong    an Ending, with a message in three parts
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from byreturn.cli.session import REFUSED, TRY_AGAIN, Ending
from byreturn.cli.words import clean
from byreturn.service.operator import (
    Acted,
    NothingToDo,
    NotNow,
    NotUnderstood,
    Numbers,
    Request,
    RouteSeen,
    ServerStatus,
    read_answer,
    request_line,
)
from byreturn.transport.door import DOOR_NAME, LINE_LIMIT, VISIT_SECONDS, address_of

# The server gives up before us, and says so.
_PATIENCE_SECONDS: Final = VISIT_SECONDS + 2
_ANSWER_LIMIT: Final = 16 * LINE_LIMIT

Answered: TypeAlias = ServerStatus | Numbers | RouteSeen | Acted | NothingToDo


def ask(folder: Path, request: Request) -> Answered | None:
    """Ask the server that has a data folder; None where none runs."""
    path = folder / DOOR_NAME
    try:
        line = _exchange(folder, request_line(request))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise Ending(
            f"{path}: {error.strerror}. The server was not asked; nothing was done. Run this as the user "
            "that runs the server, or as root.",
            REFUSED,
        ) from None
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise Ending(
            f"{path}: {why}. The server is busy or ends; whether it was done is not known. Look with: "
            "byreturn brake. Or try again.",
            TRY_AGAIN,
        ) from None
    answer = read_answer(line)
    match answer:
        case None | NotUnderstood():
            why = "its answer is not understood" if answer is None else clean(answer.why)
            raise Ending(
                f"the server at {path}: {why} It is perhaps of another version than this command. Restart it "
                "with the version that is installed, or use the command of its version.",
                REFUSED,
            )
        case NotNow(why=why):
            raise Ending(f"the server at {path}: {clean(why)}. Try again.", TRY_AGAIN)
        case _:
            return answer


def _exchange(folder: Path, line: bytes) -> bytes:
    """Send a line and read one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(_PATIENCE_SECONDS)
        with address_of(folder) as address:
            door.connect(address)
        with suppress(BrokenPipeError):
            # A server that has no time for us says so before it has read anything.
            door.sendall(line)
        answer = b""
        while not answer.endswith(b"\n") and len(answer) <= _ANSWER_LIMIT:
            data = door.recv(65536)
            if not data:
                raise ConnectionResetError(0, "it hung up without an answer")
            answer += data
        return answer


def nobody(folder: Path) -> Ending:
    """Say that no server runs, to somebody who needs one."""
    return Ending(
        f"no server answers at {folder / DOOR_NAME}. Nothing was done. Start it with: byreturn serve. If it "
        "runs, its journal says why the door is missing (fault where=operator).",
        TRY_AGAIN,
    )
