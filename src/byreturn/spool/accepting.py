"""Storing a message: the act by which we take responsibility."""

from __future__ import annotations

import sqlite3

from byreturn.mail import Action
from byreturn.policy import Waiting
from byreturn.ports import NewMessage, NewRecipient
from byreturn.spool.notices import owe_notices
from byreturn.spool.rows import message_row, recipient_row
from byreturn.spool.statements import SQL

_ADD_MESSAGE = SQL["add_message"]
_ADD_RECIPIENT = SQL["add_recipient"]
_ADD_CONTENT = SQL["add_content"]
_WAIT = SQL["wait_at_destination"]
_OWE = SQL["owe"]


def accept(connection: sqlite3.Connection, new: NewMessage) -> None:
    """Store a message with its recipients and its content."""
    message = new.message
    execute = connection.execute
    execute(_ADD_MESSAGE, message_row(message))
    size = message.octets if new.content is None else len(new.content)
    execute(_ADD_CONTENT, (message.id, new.content, size))
    for recipient in new.recipients:
        execute(_ADD_RECIPIENT, recipient_row(message, recipient))
        if isinstance(recipient.state, Waiting):
            _add_waiting(connection, new, recipient, recipient.state)
    for ordinal in new.expanded:
        execute(_OWE, (message.id, ordinal, Action.EXPANDED, message.accepted_at, message.accepted_at))


def _add_waiting(
    connection: sqlite3.Connection, new: NewMessage, recipient: NewRecipient, state: Waiting
) -> None:
    message = new.message
    connection.execute(_WAIT, (recipient.recipient.destination, state.due_at))
    who = recipient.recipient
    owe_notices(
        connection, (message.id, who.ordinal, who.destination), recipient.delay_notices,
        recipient.early_notice_at, message.accepted_at,
    )  # fmt: skip
