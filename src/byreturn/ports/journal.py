"""Facts, told as they happen: one method a fact, so that neither words nor fields can drift."""

from __future__ import annotations

from typing import Protocol

from byreturn.mail import Action, Destination, Diagnosis, Duration, Mailbox, Message, QueueId, Reply
from byreturn.policy import Event
from byreturn.ports.network import Endpoint
from byreturn.ports.spool import Lesson


class Journal(Protocol):
    """Hears every fact that an operator may ask about later."""

    def client_refused(self, client: Endpoint, listener: str, reply: Reply) -> None:
        """A client was sent away before it could say anything."""
        ...

    def refused(self, client: Endpoint, what: str, reply: Reply) -> None:
        """A command of a client was answered 4yz or 5yz. `what` is bounded and printable."""
        ...

    def accepted(self, message: Message, recipients: int) -> None:
        """We took responsibility for a message."""
        ...

    def settled(self, message_id: QueueId, address: Mailbox, event: Event, took: Duration) -> None:
        """An attempt found something about a recipient; nothing is told of a booking that is given back."""
        ...

    def lost_fence(self, message_id: QueueId, ordinal: int) -> None:
        """An outcome came too late: the attempt is no longer ours."""
        ...

    def destination_failing(
        self, destination: Destination, failures: int, probe_in: Duration, finding: Diagnosis
    ) -> None:
        """Nobody answers for a destination; its mail waits."""
        ...

    def destination_recovered(self, destination: Destination) -> None:
        """A destination answers again."""
        ...

    def learned(self, lesson: Lesson) -> None:
        """A host's reply asked us to go easy, and for a while we do."""
        ...

    def brake_engaged(self, why: str) -> None:
        """The DNS is not believed any more when it denies: nothing is given up for that."""
        ...

    def brake_released(self, why: str, held: int) -> None:
        """The DNS is believed again; so many destinations were held, and are tried at once."""
        ...

    def tls_failed(self, finding: Diagnosis) -> None:
        """TLS with a host failed, and need not be: its mail goes there in clear text."""
        ...

    def operator_acted(self, who: str, act: str, about: str) -> None:
        """A person did something; `about` says to what, or why, and is bounded."""
        ...

    def expired(self, count: int) -> None:
        """Recipients ran out of time."""
        ...

    def reported(self, about: QueueId, report_id: QueueId, actions: tuple[Action, ...]) -> None:
        """A report was queued."""
        ...

    def report_heard(self, about: QueueId, report_id: QueueId, count: int) -> None:
        """Somebody else's report came, on so many recipients of a message that we passed on."""
        ...

    def undeliverable_report(self, message_id: QueueId, address: Mailbox, diagnosis: Diagnosis) -> None:
        """A message with the null reverse path failed: nobody can be told, so it is told here."""
        ...

    def report_late(self, about: QueueId, report_id: QueueId, latency: Duration) -> None:
        """A report arrived later, from when the failure was known, than it should."""
        ...

    def report_rejected_by_lint(self, about: QueueId, complaints: tuple[str, ...]) -> None:
        """A report was not fit to be sent, and went out in its plain form; the complaints are ours."""
        ...

    def fault(self, where: str, why: str) -> None:
        """Something of ours does not work; mail waits, nothing is lost."""
        ...

    def note(self, what: str, **facts: str | int) -> None:
        """Something an operator likes to know: started, draining, stopped."""
        ...
