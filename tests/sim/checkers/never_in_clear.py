"""Mail is encrypted as its level says, and what we say about it is true.

Held against the ledgers of the peers, who know how each copy came: never in clear text where TLS is needed,
only to a host with a good certificate where that is needed too, and always in TLS where it works and is asked
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.network import Handshake

from byreturn.mail import PeerSaid, id_text
from byreturn.policy import Relayed, TlsLevel

if TYPE_CHECKING:
    from tests.sim.peers import SimPeer
    from tests.sim.world import Simulation

# Written down again: what the levels mean is what is checked here.
_NEEDED = frozenset({TlsLevel.REQUIRED, TlsLevel.VERIFIED})


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    level = simulation.tls
    wrong: list[str] = []
    for peer in simulation.peers.values():
        for copy in peer.ledger:
            who = f"{copy.mark} to {copy.recipient}, level {level}"
            if level in _NEEDED and not copy.in_tls:
                wrong.append(f"{who}: sent in clear text")
            if level is TlsLevel.VERIFIED and peer.mood.handshake is not Handshake.WORKS:
                wrong.append(f"{who}: sent to whoever was there")
            if copy.in_tls and level is TlsLevel.NONE:
                wrong.append(f"{who}: sent in TLS")
            if not copy.in_tls and level is not TlsLevel.NONE and _works(peer):
                wrong.append(f"{who}: sent in clear text where TLS works")
    return wrong + _check_words(simulation)


def _works(peer: SimPeer) -> bool:
    is_begun = peer.mood.starttls.startswith("220") and peer.mood.close_after != "starttls"
    return is_begun and peer.mood.handshake in (Handshake.WORKS, Handshake.WORKS_FOR_A_STRANGER)


def _check_words(simulation: Simulation) -> list[str]:
    """What is written of a delivery names TLS if, and only if, it was there."""
    by_id = {new.message.id: new for new in simulation.accepted()}
    in_tls: dict[tuple[str, str], set[bool]] = {}
    for peer in simulation.peers.values():
        for copy in peer.ledger:
            in_tls.setdefault((copy.mark, copy.recipient), set()).add(copy.in_tls)
    wrong: list[str] = []
    for settling, _ in simulation.settled():
        if not isinstance(settling.event, Relayed) or not isinstance(settling.event.diagnosis, PeerSaid):
            continue
        new = by_id[settling.message_id]
        recipient = new.recipients[settling.ordinal].recipient
        came = in_tls.get((simulation.mark_of(new), str(recipient.address)), set())
        if bool(settling.event.diagnosis.tls) not in came:
            wrong.append(
                f"{id_text(settling.message_id)} to {recipient.address}: {settling.event}, but {came}"
            )
    return wrong
