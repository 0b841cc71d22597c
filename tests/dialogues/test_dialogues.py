"""Every transcript, on a session without IO, cut in every way; and some of them over a socket."""

import socket
import threading
from contextlib import suppress

import pytest
from tests.dialogues.runner import (
    CUTTINGS,
    SocketLine,
    client_line,
    play_client,
    play_server,
    server_line,
    transcripts,
    whole,
)

SERVER = transcripts("server")
CLIENT = transcripts("client")


def name(thing):
    return getattr(thing, "name", None) or thing.__name__


@pytest.mark.parametrize("cutting", CUTTINGS, ids=name)
@pytest.mark.parametrize("transcript", SERVER, ids=name)
def test_server(transcript, cutting):
    play_server(transcript, server_line(transcript), cutting)


@pytest.mark.parametrize("cutting", CUTTINGS, ids=name)
@pytest.mark.parametrize("transcript", CLIENT, ids=name)
def test_client(transcript, cutting):
    play_client(transcript, client_line(transcript), cutting)


def serve(wire, line):
    """Pump a session over a socket until it hangs up or the other side does."""
    with wire, suppress(ConnectionError):
        wire.sendall(line.receive(0) or b"")
        while octets := wire.recv(65536):
            line.send(octets)
            said = line.receive(0)
            if said:
                wire.sendall(said)
                said = line.receive(0)
            if said == b"":
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(65536):
                    pass
                return


@pytest.mark.parametrize("transcript", [one for one in SERVER if one.is_plain], ids=name)
def test_the_same_words_over_a_socket(transcript):
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(theirs, server_line(transcript)), daemon=True)
    thread.start()
    with ours:
        play_server(transcript, SocketLine(ours), whole)
    thread.join(5)
    assert not thread.is_alive()
