"""Mailboxes: who is here, and putting mail into their Maildirs."""

from byreturn.store.directory import LocalDirectory, LocalDomain, check_domains
from byreturn.store.maildir import AT_ONCE, MaildirStore

__all__ = [
    "AT_ONCE",
    "LocalDirectory",
    "LocalDomain",
    "MaildirStore",
    "check_domains",
]
