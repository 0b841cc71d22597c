"""The arguments of MAIL and RCPT: a question for the host, or the reply that refuses them."""

from __future__ import annotations

from byreturn.mail import Reply, reply
from byreturn.protocol.grammar import (
    SyntaxFault,
    forward_path_or_fault,
    path_argument,
    reverse_path_or_fault,
)
from byreturn.protocol.parameters import mail_parameters, rcpt_parameters
from byreturn.protocol.questions import Mail, Rcpt


def read_mail(text: str, *, octets_limit: int) -> Mail | Reply:
    """Read what follows MAIL."""
    if text[:5].upper() != "FROM:":
        return reply(501, "5.5.4", "Write MAIL FROM:<address>")
    argument = path_argument(text[5:])
    if isinstance(argument, SyntaxFault):
        return reply(501, "5.1.7", "Sender: {why}", why=argument.why)
    path, words = argument
    sender = reverse_path_or_fault(path)
    if isinstance(sender, SyntaxFault):
        return reply(553, "5.1.7", "Sender: {why}", why=sender.why)
    parameters = mail_parameters(words)
    if isinstance(parameters, Reply):
        return parameters
    if parameters.size is not None and parameters.size > octets_limit:
        # RFC 1870 section 6.1: refused before the octets travel.
        return reply(552, "5.3.4", "A message may have {limit} octets here", limit=octets_limit)
    return Mail(sender, parameters)


def read_rcpt(text: str) -> Rcpt | Reply:
    """Read what follows RCPT."""
    if text[:3].upper() != "TO:":
        return reply(501, "5.5.4", "Write RCPT TO:<address>")
    argument = path_argument(text[3:])
    if isinstance(argument, SyntaxFault):
        return reply(501, "5.1.3", "Recipient: {why}", why=argument.why)
    path, words = argument
    recipient = forward_path_or_fault(path)
    if isinstance(recipient, SyntaxFault):
        return reply(553, "5.1.3", "Recipient: {why}", why=recipient.why)
    parameters = rcpt_parameters(words)
    return parameters if isinstance(parameters, Reply) else Rcpt(recipient, parameters)
