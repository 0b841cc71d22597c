"""What the words of a reply tell: phrases that the world's mail servers use, each with its reason.

Half of all refusals say in their text only what they mean; the status beside it says "security or policy",
or nothing. So the text is read, phrase by phrase, and the first phrase that is in it decides. The order
matters, and goes from what cannot be mistaken to what is said with many things: "the user's daily quota of
messages" speaks of a rate and not of a full mailbox, and a bare "spam" often stands in "to protect our users
from spam", in a reply about something else.

    CLEAR   says what it means; holds even against a status that says otherwise
    HINT    points there; what it suggests is a guess

Before that, addresses are taken out (`spam@x.example` is no word of the server's), and links, but for
those to the lists of addresses that send spam: to name such a list is to say why.

Promises: linear in the text, of which no more than LOOKED_AT characters are read: a gap in a phrase is
bounded. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from byreturn.mail import Reply
from byreturn.report.reasons import Judgement, Reason

LOOKED_AT: Final = 1_000

_ADDRESS: Final = re.compile(r"[^\s<>@\"']{1,64}@[^\s<>\"',;:()]{1,255}")
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s>]{1,500}")
_KNOWN_LISTS: Final = re.compile(
    r"spamhaus|spamcop|barracudacentral|barracudanetworks\.com/reputation|sorbs\.net|dnsbl|invaluement|"
    r"manitu\.net|cloudmark\.com|/rbl|mailspike|uceprotect|senderscore|senderbase|ipcheck\.proofpoint"
)
# The lists of names and links, not of hosts: what is in the message has displeased.
_LISTS_OF_LINKS: Final = re.compile(
    r"\b(?:uribl|surbl)\b|dbl\.spamhaus|(?:url|link|uri)s? .{0,60}(?:list|block)"
)


def plain(text: str) -> str:
    """Return what is looked at: lower case, single spaces, no addresses."""
    return _ADDRESS.sub(" ", " ".join(text[:LOOKED_AT].lower().split()))


def clear_reason(text: str) -> Reason | None:
    """Return what a plain text clearly says, if it does."""
    words = _LINK.sub(" ", text)
    for reason, phrases in _EARLY:
        if phrases.search(words):
            return reason
    if _LISTS_OF_LINKS.search(text):
        return Reason.SPAM
    if _KNOWN_LISTS.search(text):
        return Reason.REPUTATION
    return next((reason for reason, phrases in _CLEAR if phrases.search(words)), None)


def hinted_reason(text: str, reply: Reply) -> Judgement | None:
    """Return what a plain text suggests, if it does; "later" is no guess where the code says so, too."""
    words = _LINK.sub(" ", text)
    reason = next((reason for reason, phrases in _HINTS if phrases.search(words)), None)
    # Of a mailbox that may be there tomorrow, nobody should be told today that there is none.
    if reply.is_transient and reason in (Reason.TRY_LATER, Reason.NO_SUCH_MAILBOX):
        return None
    if reason is None:
        return None
    return Judgement(reason, is_guess=reason is not Reason.NOT_CLASSIFIED)


def _phrases(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


# What stands between the words that count: a few others, in the same sentence.
_GAP: Final = r"[^.;]{0,60}"
_WHO: Final = r"(?:user|account|mailbox|inbox|recipient|addressee|address|e-?mail|alias|customer)"

_EARLY: Final = (
    (Reason.REPUTATION, _phrases(r"\bip reputation", r"reputation of (?:your|the|this) ip")),
    (
        Reason.TRY_LATER,
        _phrases(
            r"insufficient (?:system|disk|resource)|mail system full|temporary lookup failure|"
            r"verification in progress"
        ),
    ),
    (Reason.CONTENT, _phrases(r"duplicate header|multiple addresses|addresses in from")),
    (
        Reason.SENDER_REFUSED,
        _phrases(
            r"(?:sender|mail ?from)(?:'s)?(?: address| domain)? ?(?:\[[^\]]{0,80}\] )?(?:is |was )?"
            r"(?:listed|blocked using|refused by)",
            r"sender\b.{0,40}null ?mx",
            r"resolver\.rst\.(?:authrequired|notauthori[sz]ed|sendernotauth)",
        ),
    ),
    (Reason.REPUTATION, _phrases(r"banned sender ?\[")),
    (
        Reason.TRY_LATER,
        _phrases(
            r"(?:message|queue|delivery time)\.? ?expired(?!.{0,40}(?:dns|refused|timed out|"
            r"timeout))"
        ),
    ),
    (
        Reason.TRY_LATER,
        _phrases(r"gr[ea]y-?list", r"postgrey", r"deferred? .{0,40}first (?:time|attempt)"),
    ),
    (
        Reason.TLS_DEMANDED,
        _phrases(
            r"(?:must|please) issue (?:a )?starttls",
            r"(?:starttls|tls|ssl|encryption) (?:is )?(?:required|needed|must)",
            r"(?:requires?|needs?|only accept\w*) .{0,30}(?:tls|encrypt)",
            r"(?:secure|encrypted) (?:connection|session|transport) (?:is )?(?:required|needed)",
            r"session encryption",
        ),
    ),
    (
        Reason.TLS_FAILED,
        _phrases(
            r"(?:tls|ssl) (?:handshake|negotiation|connection)? ?(?:failed|failure|error)",
            r"(?:starttls|tls) (?:is )?(?:currently )?(?:not available|unavailable)",
            r"(?:tls|server|client) certificate",
        ),
    ),
    (
        Reason.NOT_AUTHENTICATED,
        _phrases(
            r"\b(?:spf|dkim|dmarc)\b|sender policy framework",
            r"unauthenticated (?:e-?mail|mail|message|sender)",
            r"(?:required|necessary) authentication",
            r"authentication (?:information|checks|level|results|failure|failed|unsuccessful|credentials)",
            r"sender is unauthenticated",
            r"purported responsible",
            r"mismatch\w* client ip",
            r"invalid ip for sending mail|spoof|ip name lookup",
            r"reverse[- ](?:dns|lookup|host|ip|resolution)",
            r"\br?dns\b.{0,40}\b(?:ptr|reverse)|\bptr\b|\bfcrdns\b|\brdns\b",
            r"(?:cannot|can't|could not|unable to) (?:find|resolve) your (?:reverse )?(?:host|ip)",
            r"(?:helo|ehlo)(?: command| name| host(?:name)?)? ?(?:rejected|invalid|does not|is not|not)",
            r"(?:invalid|bad|bogus|forged) (?:helo|ehlo)",
        ),
    ),
    (
        Reason.LOOP,
        _phrases(
            r"too many (?:hops|received)",
            r"hop (?:count|limit)",
            r"mail(?:er)? loop|looping|loop(?:s)? (?:detected|back)|routing loop|loop: ",
        ),
    ),
    (
        Reason.TOO_MANY_RECIPIENTS,
        _phrases(
            r"too many (?:recipients|rcpt)(?! (?:this|per|in)\b)",
            r"(?:recipients?|rcpts?) (?:count|limit|exceed)",
            r"number of recipients",
        ),
    ),
    (
        Reason.TOO_MUCH_MAIL,
        _phrases(
            r"(?:rate|frequency|throughput)[- ]?(?:limit|control)|\brate\b.{0,40}(?:exceed|limit|prevents)",
            r"throttl",
            r"frequency limited",
            r"too (?:many|much) (?:concurrent |simultaneous |recent )?(?:connections|sessions|"
            r"messages(?! on the server)|e-?mails|mails?\b)",
            r"too many recipients (?:this|per|in)",
            r"(?:daily|hourly|sending|relay|message) (?:(?!size)\w+ )?(?:quota|limit)",
            r"(?:per|this|last|an) (?:hour|minute|day|second)\b",
            r"unexpected volume|unusual rate|excessive (?:volume|rate|number|messages|connections)",
            r"(?:sending|receiving) (?:mail|messages|e-?mail)? ?(?:at a rate|too (?:fast|quickly|much))",
            r"too fast|slow(?:er| down)|too many same|connection(?:s)? limit|thread limit",
        ),
    ),
    (
        Reason.MAILBOX_FULL,
        _phrases(
            r"(?:mailbox|inbox|mail ?box|maildir|mailfolder|account|disk|user)(?: \w+){0,4} (?:full|"
            r"is over)\b",
            r"over (?:the |its |his |her |their |mail |disk |storage |maximum )?(?:allowed )?quota|"
            r"overquota",
            r"\bquota\b.{0,30}(?:exceed|full|reached|limit)|(?:exceed\w*|reached|over|"
            r"beyond) .{0,40}\bquota",
            r"mailbox .{0,30}(?:exceed|size limit)|exceed\w* .{0,30}mailbox",
            r"out of (?:storage|disk|space)|not enough (?:storage|disk|space|room)|(?:allowed|"
            r"allotted) (?:storage|space)",
            r"exceeded (?:its |the |his |her )?(?:\w+ )?(?:storage|space)|storage (?:exceeded|limit|"
            r"quota|allocation)",
            r"too many messages on the server|has exhausted|speicherplatz",
        ),
    ),
    (
        Reason.TOO_LARGE,
        _phrases(
            r"(?:message|mail|size|length|header|headers|content|body|"
            r"attachment)s? .{0,40}(?:too (?:large|big|long)|exceed)",
            r"(?:message|mail) size|size (?:limit|exceed)|maximum .{0,30}size|(?:fixed|"
            r"maximum) (?:message )?(?:size|length)",
            r"recipsizelimit|too (?:large|big) (?:message|mail)",
        ),
    ),
    (
        Reason.NEEDS_8BIT,
        _phrases(r"\b8-?bit", r"8bitmime", r"smtputf8", r"non-?ascii", r"internationali[sz]ed"),
    ),
    (
        Reason.CONTENT,
        _phrases(
            r"virus|malware|trojan|\binfected\b",
            r"(?:attachment|executable|macro|archive|file type|zip)\w* .{0,60}(?:not allowed|block|"
            r"reject|denied|banned|prohibit|forbid)",
            r"\bbanned: ?\.|(?:banned|blocked|prohibited|forbidden|illegal|dangerous) (?:file|"
            r"attachment|content|extension)",
            r"potential security",
            r"attachment content guidelines",
            r"rfc ?-?(?:2)?[58]22 (?:compliant|specif)|not rfc",
            r"multiple (?:\w+ )?(?:headers?|addresses in from)|header error|(?:missing|invalid|"
            r"malformed) (?:\w+ )?header",
            r"bare (?:lf|cr|linefeed|newline)|malformed (?:mime|message)|line (?:too long|length)",
        ),
    ),
)

_CLEAR: Final = (
    (
        Reason.SENDER_REFUSED,
        _phrases(
            r"(?:sender|return path|envelope from|mail from|from)(?: e-?mail)?(?: address| domain)?"
            r"(?: is| has been| was)? (?:reject|refus|denied|block|black|not allowed|invalid|"
            r"unknown|not verified|verif\w+ fail)",
            r"sender (?:verify|verification|callout|address verification)",
            r"(?:invalid|unknown|unrecognized|bad|banned|blocked|forbidden) sender",
            r"(?:sender|sending|mail from)(?:'s)? (?:\w+ )?domain .{0,40}(?:not (?:found|exist)|"
            r"does not|invalid|reject|block)",
            r"valid (?:sender domain|from:)|from: domain",
            r"domain of sender|sender .{0,60}(?:does not|doesn't) (?:exist|resolve)",
            r"recipient preferences|rejected by (?:this|the) (?:user|recipient)|"
            r"blocked by (?:the )?recipient",
            r"address is not verified|does not accept mail from (?:you|this|your|external)",
            r"\bsender\b.{0,40}(?:not (?:authori[sz]ed|allowed|permitted)|block ?list|blacklist)",
        ),
    ),
    (
        Reason.REPUTATION,
        _phrases(
            r"black ?-?list|black list|block(?:ed)?[- ]?list|deny-?list|\bd?n?s?[rd]bl\b|real-?time block",
            r"blocked using|block(?:ed)? by (?:ldap|rbl|dns)|\bis listed\b|(?<!not )listed (?:at|in|"
            r"by|on)\b|found on one or more",
            r"reputation",
            r"(?:your |sending |source |client |connecting |the )(?:ip|host|server|network|mta)\b.{0,60}"
            r"(?:block|bann|reject|denied|refus|not (?:allowed|accepted|permitted|welcome))",
            r"\bip\b.{0,40}(?:block|bann|reject|refus)|blocked ip|banned (?:sending )?ip|bloquee",
            r"not (?:allowed|permitted) to connect",
            r"not accepted from (?:this|your|the) ip|network not allowed|client host (?:rejected|block)",
            r"connections? (?:is |are |will )?(?:not |be )+accepted from|not accepting (?:mail|"
            r"connections) from",
            r"blocked for (?:abuse|spam)|spamming (?:issue|host|ip)|(?:open|"
            r"insecure) (?:mail )?relay|open proxy|\b(?:bad|black|invalid) ip\b|"
            r"dynamic(?:ally)? (?:ip|assigned|address|pool)|dial-?up",
            r"messages? from [\d.:\[\]a-f]{4,45} (?:weren't|were not|temporarily|will not|was|have|"
            r"rejected)",
            r"user complaints|poor sender|no access from mail server",
            r"a problem occurred\b.{0,12}ask your postmaster",
        ),
    ),
    (
        Reason.SPAM,
        _phrases(
            r"(?:as|is|looks? like|considered|classified|identified|detected|flagged|marked|likely|"
            r"suspected|probabl[ey]|be|appears to be|possible|contains?|and) "
            r"(?:to be |as )?(?:\w+ )?(?:spam|junk|ube|uce|phish)",
            r"\bspam\b.{0,40}(?:detect|reject|block|score|content|message|filter|refus|found|probab|"
            r"denied)",
            r"(?:detected|rejected|blocked|refused|no|anti-?|reason:|-|:) ?spam\b",
            r"suspicion of spam|mail score|scoringupper|\bdt:spm\b|mcspamsignature|spamassassin|"
            r"spam-?(?:score|hit|like)|spammy|unsolicited|bulk (?:e-?)?mail|\bjunk ?mail|\bube\b|"
            r"\buce\b|phish",
        ),
    ),
    (
        Reason.RELAYING,
        _phrases(
            r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|prohibited|"
            r"forbidden|disallowed|attempt)",
            r"(?:unable|not (?:configured|allowed|permitted|going)|cannot|can't|won't|refus\w+|"
            r"will not|do not|don't|no) (?:to )?(?:\w+ )?relay",
            r"rcpthosts|not (?:hosted|handled|served) (?:here|by)",
            r"(?:we|server|host|system) (?:do|does) not (?:handle|accept|serve|host) (?:mail |"
            r"e-?mail )?(?:for )?(?:this|that|the) domain",
            r"not responsible for|no (?:such )?(?:local )?domain here|domain (?:is )?not (?:local|"
            r"hosted|served|handled)",
        ),
    ),
    (
        Reason.MAILBOX_CLOSED,
        _phrases(
            rf"{_WHO}\b{_GAP}(?:disabled|inactive|suspend|discontinued|\bclosed|deactivated|"
            rf"\bexpired|frozen|\blocked|"
            r"no longer|not active|not (?:yet )?activated|retired|terminated|cancel+ed|removed|"
            r"dormant|temporar\w+ (?:locked|unavailable))",
            r"(?:account|mailbox|user) (?:is |was |has been )?(?:blocked|bloque)",
            rf"(?:disabled|inactive|suspended|closed|deactivated|expired|frozen|dormant|abandoned) {_WHO}",
            r"no longer (?:on|with|in|valid|available|works?|employed|here|accept)|has (?:left|"
            r"moved)|account closed",
        ),
    ),
    (
        Reason.NO_SUCH_DOMAIN,
        _phrases(
            r"(?:host|domain)(?: name)?(?: is)? (?:unknown|not found|invalid|does not exist|doesn't exist)",
            r"(?:unknown|invalid|no such|nonexistent|bad) (?:host|domain)(?:name| name)?\b",
            r"^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9} does not exist",
        ),
    ),
    (
        Reason.NO_SUCH_MAILBOX,
        _phrases(
            rf"{_WHO}(?:name)?(?: name| is| was)?(?: currently)? (?:unknown|not (?:found|known|"
            rf"exist|listed|registered|recogni[sz]ed|here|valid)|not? ?exists?|inexist)",
            rf"(?:unknown|no such|nonexist\w+|non-existent|invalid|bad|undeliverable|unrouteable|"
            rf"unroutable|inexistent) (?:destination )?"
            rf"(?:local[- ]part|(?:e-?mail |recipient |local |virtual |user )?{_WHO}|person|name\b)",
            rf"{_WHO}\b{_GAP}(?:does ?n.?t exist|does not exist|do not exist|not found|unknown|"
            rf"is not (?:known|valid|registered|listed|a (?:known|valid))|isn.t|not listed)",
            r"(?:no|not a) (?:valid )?(?:mailbox|user|account|address)(?:es)? (?:here|by that|"
            r"with that|for|of that)|no mailbox",
            r"not a registered",
            r"not a valid (?:recipient|user|address|mailbox)",
            r"doesn'?t have an? .{0,80}account|does not have an? .{0,80}account",
            r"recipnotfound|nosuchuser|user_?unknown|unknown in .{0,20}(?:table|directory)",
            r"recipient address rejected: undeliverable",
            r"(?:recipient|rcpt|address) (?:is )?invalid|not our (?:user|customer)|"
            r"utilisateur inconnu|destinataire in|nicht bekannt|unbekannt",
            r"no (?:valid|such) (?:recipients?|users?|address)|mailbox not found|unknown local|"
            r"does not like recipient",
        ),
    ),
    (
        Reason.LOOKUP_FAILED,
        _phrases(
            r"dns (?:query |lookup |server )?(?:fail|error|time)",
            r"(?:temporary|domain|host|mx) lookup fail|name service error",
            r"(?:could not|cannot|unable to) (?:resolve|look up)",
        ),
    ),
    (
        Reason.NO_MAIL_THERE,
        _phrases(
            r"null ?-?mx",
            r"(?:host|domain|server|system) (?:does|do) not accept (?:any )?(?:e-?)?mail",
            r"never accepts mail",
        ),
    ),
    (
        Reason.CONTENT,
        _phrases(
            r"content (?:was |is |has been )?(?:reject|filter|block|not accept|denied|policy)",
            r"(?:message|mail|e-?mail) (?:content )?(?:filtered|rejected by (?:content|filter))",
            r"(?:offensive|objectionable|inappropriate) (?:content|words)|prohibited (?:words|text)",
        ),
    ),
    (
        Reason.BROKEN_DOMAIN,
        _phrases(r"domain (?:is )?(?:not reachable|unreachable)"),
    ),
    (
        Reason.HOST_DOWN,
        _phrases(
            r"unable to (?:contact|reach|connect to) (?:the )?(?:destination|host|server|remote)|"
            r"connection (?:refused|timed out)|no route to host|host (?:is )?(?:down|unreachable)"
        ),
    ),
    (
        Reason.BROKEN_DIALOGUE,
        _phrases(
            r"syntax error|protocol (?:violation|error)|(?:improper|bad|"
            r"invalid) (?:command )?(?:sequence|command|pipelining)",
            r"(?:need|valid|wants?) (?:rcpt|mail|helo|ehlo|data)\b|(?:rcpt|mail|helo|ehlo) (?:first|"
            r"command must)|polite people",
            r"command (?:parameter |argument )?(?:is )?(?:not (?:implemented|recogni[sz]ed)|"
            r"unrecogni[sz]ed|unknown)|unrecogni[sz]ed (?:command|parameter)",
        ),
    ),
    (
        Reason.POLICY,
        _phrases(
            r"\bpolic(?:y|ies)\b|policy reasons?|security (?:rule|setting)|"
            r"administrative(?:ly)? (?:prohibit|den|reject|block)",
            r"prohibit|violation",
        ),
    ),
)

_HINTS: Final = (
    (Reason.SPAM, _phrases(r"\bspam", r"\babuse\b")),
    (Reason.POLICY, _phrases(r":blocked\b|your access|recipient address rejected: access denied")),
    (
        Reason.NO_SUCH_MAILBOX,
        _phrases(
            rf"{_WHO} (?:is )?(?:unavailable|not available)",
            r"(?:recipient|rcpt)(?: address)? (?:reject|refus|denied)|address reject",
            r"unrouteable|unroutable|unknown (?:recipient|destination)|not known here|"
            r"verif\w+ (?:fail|problem)",
        ),
    ),
    (
        Reason.RELAYING,
        _phrases(
            r"\brelay",
            r"authentication (?:is )?required|smtp auth|must (?:be )?authenticat|not authenticated|"
            r"must log ?in",
        ),
    ),
    (Reason.POLICY, _phrases(r"(?:message|mail)\b.{0,30} block")),
    (Reason.REPUTATION, _phrases(r"\bblocked\b|\bbanned\b", r"not accepting connections|no smtp service")),
    (
        Reason.POLICY,
        _phrases(
            r"access (?:is )?denied|not (?:allowed|permitted|authori[sz]ed)|restrict|"
            r"unauthori[sz]ed|denied by"
        ),
    ),
    # Words that everybody uses: to quote them is better than to guess.
    (
        Reason.NOT_CLASSIFIED,
        _phrases(
            r"\b(?:mail|message|e-?mail) (?:was |is |has been )?(?:reject|refus)|cannot send|redundant",
            r"^\W*(?:reject|refus)\w*\W*$",
        ),
    ),
    (Reason.TRY_LATER, _phrases(r"try (?:again|later)|temporar|later|currently unavailable")),
)
