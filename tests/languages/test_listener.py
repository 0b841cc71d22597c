"""A listener speaks its language: to a client all the way, and to the journal English."""

from tests.sim.network import SimNetwork
from tests.unit.service.test_operator import Server

from byreturn.config import load_languages
from byreturn.mail import MINUTE
from byreturn.ports import Endpoint
from byreturn.service import ListenerSettings

GERMAN = load_languages()[0]["de"]
CLIENT = Endpoint("203.0.113.9", 40000)


class Client:
    """What a client hears."""

    def __init__(self):
        self.heard = b""

    def on_data(self, data):
        self.heard += data

    def on_writable(self):
        pass

    def on_closed(self, why):
        self.heard += b"(closed)"


def hear(commands, wait=0, **settings):
    """Say something to a server whose listener speaks German; return what is heard, and the story."""
    server = Server()
    theirs, ours = SimNetwork(server.clock, lambda: 65536).pair(CLIENT, Endpoint("192.0.2.1", 25))
    client = Client()
    theirs.use(client)
    server.house.welcome(ours, ListenerSettings(say=GERMAN.lookup, **settings))
    theirs.write(commands)
    server.clock.run_until(server.clock.now() + 1000 + wait)
    return client.heard.decode("ascii").splitlines(), server.story


def test_a_refusal_of_the_host_is_said_in_german_and_told_in_english():
    heard, story = hear(
        b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\n"
        b"RCPT TO:<nobody@here.example>\r\nRCPT TO:<x@far.example>\r\n"
    )
    assert heard[-2:] == [
        "550 5.1.1 <nobody@here.example> Dieses Postfach gibt es hier nicht; bitte die Schreibweise pruefen",
        "550 5.7.1 <x@far.example> Weiterleitung abgelehnt; dieser Server nimmt nur Nachrichten fuer seine "
        "eigenen Domains an",
    ]
    assert any("No such mailbox here; check the spelling" in line for line in story)


def test_a_farewell_is_said_in_german():
    heard, _ = hear(b"EHLO c.example\r\n", wait=6 * MINUTE)
    assert heard[-2:] == [
        "421 4.4.2 Es kam zu lange nichts von Ihnen; die Verbindung wird beendet",
        "(closed)",
    ]
