"""Law 5: only a peer's 5yz, the few findings of the law, and the expired lifetime end a recipient's life.

Each end is also held against the world: no such domain only where there is none, expired not before its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byreturn.mail import Cause, PeerSaid, WeFound, id_text
from byreturn.policy import RanOutOfTime, Refused

if TYPE_CHECKING:
    from tests.sim.world import Simulation

_FINAL_CAUSES = frozenset(
    {
        Cause.NO_SUCH_DOMAIN, Cause.NULL_MX, Cause.NO_MAIL_HOST, Cause.NO_SUCH_MAIL_HOSTS, Cause.LOOP,
        Cause.HOP_LIMIT, Cause.TOO_LARGE, Cause.NEEDS_8BIT, Cause.NO_SUCH_MAILBOX,
    }
)  # fmt: skip


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    wrong: list[str] = []
    by_id = {new.message.id: new for new in simulation.accepted()}
    for settling, at in simulation.settled():
        new = by_id[settling.message_id]
        recipient = new.recipients[settling.ordinal].recipient
        who = f"{id_text(settling.message_id)} to {recipient.address}"
        match settling.event:
            case Refused(diagnosis=PeerSaid(reply=reply)) if reply.code // 100 != 5:
                wrong.append(f"{who}: failed on {reply}")
            case Refused(diagnosis=PeerSaid()):
                if not recipient.address.local.startswith("unknown") and not simulation.refuses(
                    recipient.destination
                ):
                    wrong.append(f"{who}: credited with a refusal that was another's")
            case Refused(diagnosis=WeFound(cause=cause)) if cause not in _FINAL_CAUSES:
                wrong.append(f"{who}: ended by our finding {cause}")
            case Refused(diagnosis=WeFound(cause=Cause.NO_SUCH_DOMAIN)):
                if simulation.zones.exists(recipient.destination):
                    wrong.append(f"{who}: its domain exists")
            case RanOutOfTime() if at < new.message.expires_at:
                wrong.append(f"{who}: expired {new.message.expires_at - at} ms early")
            case _:
                pass
    for (message_id, ordinal), at in simulation.expired_states().items():
        if at < by_id[message_id].message.expires_at:
            wrong.append(f"{id_text(message_id)}#{ordinal}: expired early")
    return wrong
