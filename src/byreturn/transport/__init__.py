"""The wires: sockets, the DNS, this machine's clock and threads."""

from byreturn.transport.door import OperatorDoor
from byreturn.transport.foreign import read_foreign
from byreturn.transport.machine import OwnEndpoints, SystemClock, SystemEntropy
from byreturn.transport.resolver import DnsResolver, ResolverSettings
from byreturn.transport.streams import SocketDialer, SocketStream, listen_socket
from byreturn.transport.worker import ThreadWorker

__all__ = [
    "DnsResolver",
    "OperatorDoor",
    "OwnEndpoints",
    "ResolverSettings",
    "SocketDialer",
    "SocketStream",
    "SystemClock",
    "SystemEntropy",
    "ThreadWorker",
    "listen_socket",
    "read_foreign",
]
