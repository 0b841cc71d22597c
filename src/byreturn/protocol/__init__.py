"""The law of SMTP, without IO: octets in, questions, events and octets out."""

from byreturn.protocol.client import ClientSession
from byreturn.protocol.content import ContentDecoder, ContentEncoder, ContentFault
from byreturn.protocol.events import (
    Broken,
    ClientEvent,
    ClientPhase,
    ContentAnswered,
    HangingUp,
    NoTls,
    Ready,
    RecipientAnswered,
    SendContent,
    StartTls,
    Transaction,
    TransactionOver,
    TransactionRefused,
    Unwelcome,
)
from byreturn.protocol.extensions import Extensions
from byreturn.protocol.grammar import (
    SyntaxFault,
    domain_or_fault,
    literal_address,
    mailbox_or_fault,
)
from byreturn.protocol.parameters import MailParameters, RcptParameters
from byreturn.protocol.questions import (
    Closing,
    Content,
    Data,
    EndOfContent,
    Hello,
    Mail,
    Question,
    Rcpt,
    Refused,
    Reset,
)
from byreturn.protocol.replies import BrokenReply, ReplyReader, Say, encode, printable
from byreturn.protocol.server import ServerSession, SessionLimits

__all__ = [
    "Broken",
    "BrokenReply",
    "ClientEvent",
    "ClientPhase",
    "ClientSession",
    "Closing",
    "Content",
    "ContentAnswered",
    "ContentDecoder",
    "ContentEncoder",
    "ContentFault",
    "Data",
    "EndOfContent",
    "Extensions",
    "HangingUp",
    "Hello",
    "Mail",
    "MailParameters",
    "NoTls",
    "Question",
    "Rcpt",
    "RcptParameters",
    "Ready",
    "RecipientAnswered",
    "Refused",
    "ReplyReader",
    "Reset",
    "Say",
    "SendContent",
    "ServerSession",
    "SessionLimits",
    "StartTls",
    "SyntaxFault",
    "Transaction",
    "TransactionOver",
    "TransactionRefused",
    "Unwelcome",
    "domain_or_fault",
    "encode",
    "literal_address",
    "mailbox_or_fault",
    "printable",
]
