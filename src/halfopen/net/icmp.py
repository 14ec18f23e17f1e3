"""ICMP errors: what Linux makes of those that come, and which it sends."""

import errno
from typing import Final

from halfopen.tcp import errqueue
from halfopen.tcp import icmp as tcp_icmp
from halfopen.tcp.errqueue import Report
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import icmp, ip, seq
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.ip import Packet


class Meaning:
    """What a code of DEST_UNREACH means to a socket (Linux icmp_err_convert)."""

    def __init__(self, number: int, *, fatal: bool) -> None:
        self.errno = number
        self.fatal = fatal  # to a datagram socket; TCP does not look at it


#: By code of DEST_UNREACH; the names are Linux's.
UNREACH: Final[tuple[Meaning, ...]] = (
    Meaning(errno.ENETUNREACH, fatal=False),  # ICMP_NET_UNREACH
    Meaning(errno.EHOSTUNREACH, fatal=False),  # ICMP_HOST_UNREACH
    Meaning(errno.ENOPROTOOPT, fatal=True),  # ICMP_PROT_UNREACH
    Meaning(errno.ECONNREFUSED, fatal=True),  # ICMP_PORT_UNREACH
    Meaning(errno.EMSGSIZE, fatal=False),  # ICMP_FRAG_NEEDED
    Meaning(errno.EOPNOTSUPP, fatal=False),  # ICMP_SR_FAILED
    Meaning(errno.ENETUNREACH, fatal=True),  # ICMP_NET_UNKNOWN
    Meaning(errno.EHOSTDOWN, fatal=True),  # ICMP_HOST_UNKNOWN
    Meaning(errno.ENONET, fatal=True),  # ICMP_HOST_ISOLATED
    Meaning(errno.ENETUNREACH, fatal=True),  # ICMP_NET_ANO
    Meaning(errno.EHOSTUNREACH, fatal=True),  # ICMP_HOST_ANO
    Meaning(errno.ENETUNREACH, fatal=False),  # ICMP_NET_UNR_TOS
    Meaning(errno.EHOSTUNREACH, fatal=False),  # ICMP_HOST_UNR_TOS
    Meaning(errno.EHOSTUNREACH, fatal=True),  # ICMP_PKT_FILTERED
    Meaning(errno.EHOSTUNREACH, fatal=True),  # ICMP_PREC_VIOLATION
    Meaning(errno.EHOSTUNREACH, fatal=True),  # ICMP_PREC_CUTOFF
)

#: Errors that say that the way is broken, and not the host: the RTO's backoff is taken back.
REVERTS: Final = frozenset(
    {(icmp.DEST_UNREACH, icmp.NET_UNREACH), (icmp.DEST_UNREACH, icmp.HOST_UNREACH)}
)
#: No way's MTU is taken to be smaller (Linux ip_rt_min_pmtu).
MTU_MIN: Final = 552

EXC_FRAGTIME: Final = 1


def tcp_error(message: Icmp) -> int:
    """Return the errno that an error means to a connection (Linux tcp_v4_err); 0: none."""
    if message.kind == icmp.DEST_UNREACH:
        if message.code >= len(UNREACH) or message.code == icmp.FRAG_NEEDED:
            return 0
        return UNREACH[message.code].errno
    if message.kind == icmp.TIME_EXCEEDED:
        # A fragment's time is not looked at (Linux icmp_unreach).
        return 0 if message.code == EXC_FRAGTIME else errno.EHOSTUNREACH
    if message.kind == icmp.PARAMETER_PROBLEM:
        return errno.EPROTO
    return 0


def report(number: int, message: Icmp, quote: Quote, source: str, header: int) -> Report:
    """Make an error that is kept; ``header`` is how much of what is quoted the user is not shown.

    Linux ip_icmp_error, icmp_unreach.
    """
    info = 0
    if message.kind == icmp.DEST_UNREACH and message.code == icmp.FRAG_NEEDED:
        info = message.rest & 0xFFFF
    elif message.kind == icmp.PARAMETER_PROBLEM:
        info = message.rest >> 24
    return Report(
        number,
        (quote.dst, quote.dport),
        message.quoted[quote.header_len + header :],
        origin=errqueue.ICMP,
        kind=message.kind,
        code=message.code,
        info=info,
        offender=source,
        quoted=len(message.quoted),
    )


def to_tcp(tcb: Tcb, message: Icmp, quote: Quote, source: str, now: int) -> None:
    """Tell a connection of an error about one of its segments (Linux tcp_v4_err).

    It counts only if the segment quoted is on its way: an attacker has to guess that (RFC 5927
    4.1). It is hard for a connection that is not yet open, whatever the code: connect fails at
    once. Later all are soft: kept, and told instead of ETIMEDOUT when the connection gives up (RFC
    9293 3.9.2.2). ``source`` is who sent it.
    """
    if tcb.minisock or tcb.state is State.CLOSED:
        return
    at = seq.unwrap(quote.seq, tcb.snd_una)
    if not tcb.snd_una <= at <= tcb.snd_nxt:
        return
    if message.kind == icmp.DEST_UNREACH and message.code == icmp.FRAG_NEEDED:
        tcp_icmp.mtu_reduced(tcb, max(message.rest & 0xFFFF, MTU_MIN), now)
        return
    number = tcp_error(message)
    if not number:
        return
    if (message.kind, message.code) in REVERTS:
        tcp_icmp.revert_backoff(tcb, at, now)
    if tcb.state in CONNECTING and not tcb.embryo:
        tcp_icmp.keep(tcb, report(number, message, quote, source, 0))
    tcp_icmp.error(tcb, number, hard=hard_for(tcb, message), now=now)


def hard_for(tcb: Tcb, message: Icmp) -> bool:
    """Whether an error ends a connection in the state that it is in.

    Every error ends one that is being opened by its user, also where two opens crossed. An embryo
    of a listener is dropped for what says that its peer can't be reached, and goes on trying at any
    other error (Linux tcp_req_err).
    """
    if tcb.state not in CONNECTING:
        return False
    if not tcb.embryo:
        return True
    if message.kind == icmp.DEST_UNREACH:
        return message.code in (icmp.NET_UNREACH, icmp.HOST_UNREACH)
    return True


def answerable(packet: Packet) -> bool:
    """Whether an error may be sent about a packet: never about an error (RFC 1122 3.2.2).

    Requires: it is not a later fragment; none is reassembled, and none is sent.
    """
    assert not packet.offset, "an error about a later fragment"
    body = packet.body
    return not isinstance(body, Icmp) or body.kind in (icmp.ECHO, icmp.ECHO_REPLY)


def echo_reply(packet: Packet, message: Icmp) -> Packet:
    """Answer an echo with the same words (RFC 792)."""
    body = Icmp(icmp.ECHO_REPLY, 0, message.rest, message.quoted)
    return Packet(packet.dst, packet.src, ip.PROTO_ICMP, body, tos=packet.tos)
