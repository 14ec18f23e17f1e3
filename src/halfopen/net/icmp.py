"""ICMP errors: what Linux makes of those that come, and which it sends."""

import errno
from typing import Final

from halfopen.tcp import errqueue
from halfopen.tcp import icmp as tcp_icmp
from halfopen.tcp.errqueue import Report
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import icmp, icmp6, ip6, seq
from halfopen.wire.address import is_multicast, is_v6
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.ip import Packet


class Meaning:
    """What an error means to a socket (Linux icmp_err_convert, icmpv6_err_convert)."""

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

#: By code of ICMPv6's DEST_UNREACH.
UNREACH6: Final[tuple[Meaning, ...]] = (
    Meaning(errno.ENETUNREACH, fatal=False),  # ICMPV6_NOROUTE
    Meaning(errno.EACCES, fatal=True),  # ICMPV6_ADM_PROHIBITED
    Meaning(errno.EHOSTUNREACH, fatal=False),  # ICMPV6_NOT_NEIGHBOUR
    Meaning(errno.EHOSTUNREACH, fatal=False),  # ICMPV6_ADDR_UNREACH
    Meaning(errno.ECONNREFUSED, fatal=True),  # ICMPV6_PORT_UNREACH
    Meaning(errno.EACCES, fatal=True),  # ICMPV6_POLICY_FAIL
    Meaning(errno.EACCES, fatal=True),  # ICMPV6_REJECT_ROUTE
)
_UNKNOWN6: Final = Meaning(errno.EPROTO, fatal=True)
_OTHERS6: Final[dict[int, Meaning]] = {
    icmp6.PACKET_TOO_BIG: Meaning(errno.EMSGSIZE, fatal=False),
    icmp6.TIME_EXCEEDED: Meaning(errno.EHOSTUNREACH, fatal=False),
    icmp6.PARAMETER_PROBLEM: Meaning(errno.EPROTO, fatal=True),
}

#: Errors that say that the way is broken, and not the host: the RTO's backoff is taken back.
REVERTS: Final = frozenset(
    {(icmp.DEST_UNREACH, icmp.NET_UNREACH), (icmp.DEST_UNREACH, icmp.HOST_UNREACH)}
)
REVERTS6: Final = frozenset({(icmp6.DEST_UNREACH, icmp6.NO_ROUTE)})
#: No way's MTU is taken to be smaller (Linux ip_rt_min_pmtu).
MTU_MIN: Final = 552

EXC_FRAGTIME: Final = 1


def meaning6(message: Icmp) -> Meaning | None:
    """Return what an ICMPv6 error means; None where it is none (Linux icmpv6_err_convert)."""
    if message.kind != icmp6.DEST_UNREACH:
        return _OTHERS6.get(message.kind)
    return UNREACH6[message.code] if message.code < len(UNREACH6) else _UNKNOWN6


def tcp_error(message: Icmp, *, v6: bool = False) -> int:
    """Return the errno that an error means to a connection; 0: none.

    Linux tcp_v4_err, tcp_v6_err.
    """
    if v6:
        meaning = meaning6(message)
        return 0 if meaning is None or meaning.errno == errno.EMSGSIZE else meaning.errno
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

    Linux ip_icmp_error, icmp_unreach, ipv6_icmp_error.
    """
    info = 0
    v6 = is_v6(quote.dst)
    if v6:
        info = message.rest
    elif message.kind == icmp.DEST_UNREACH and message.code == icmp.FRAG_NEEDED:
        info = message.rest & 0xFFFF
    elif message.kind == icmp.PARAMETER_PROBLEM:
        info = message.rest >> 24
    return Report(
        number,
        (quote.dst, quote.dport),
        message.quoted[quote.header_len + header :],
        origin=errqueue.ICMP6 if v6 else errqueue.ICMP,
        kind=message.kind,
        code=message.code,
        info=info,
        offender=source,
        quoted=len(message.quoted),
    )


def to_tcp(tcb: Tcb, message: Icmp, quote: Quote, source: str, now: int) -> None:
    """Tell a connection of an error about one of its segments (Linux tcp_v4_err).

    It counts only if the segment quoted is on its way: an attacker has to guess that (RFC 5927
    4.1); of an embryo that is its SYN,ACK alone (Linux tcp_req_err). It is hard for a connection
    that is not yet open, whatever the code: connect fails at once. Later all are soft: kept, and
    told instead of ETIMEDOUT when the connection gives up (RFC 9293 3.9.2.2). ``source`` is who
    sent it.
    """
    if tcb.minisock or tcb.state is State.CLOSED:
        return
    at = seq.unwrap(quote.seq, tcb.snd_una)
    if not tcb.snd_una <= at <= (tcb.iss if tcb.embryo else tcb.snd_nxt):
        return
    v6 = is_v6(tcb.flow[0])
    mtu = too_big(message, v6=v6)
    if mtu is not None:
        if mtu:
            tcp_icmp.mtu_reduced(tcb, mtu, now)
        return
    number = tcp_error(message, v6=v6)
    if not number:
        return
    if (message.kind, message.code) in (REVERTS6 if v6 else REVERTS):
        tcp_icmp.revert_backoff(tcb, at, now)
    if tcb.state in CONNECTING and not tcb.embryo and (tcb.recverr or not v6):  # IPv4: unasked
        tcp_icmp.keep(tcb, report(number, message, quote, source, 0))
    tcp_icmp.error(tcb, number, hard=hard_for(tcb, message), now=now)


def too_big(message: Icmp, *, v6: bool) -> int | None:
    """Return the way's MTU that an error tells; 0: it can't be believed, None: it tells of another.

    IPv4 takes a smaller one for MTU_MIN; IPv6 does not look at it (RFC 8201 4; Linux
    rt6_do_update_pmtu).
    """
    if v6:
        if message.kind != icmp6.PACKET_TOO_BIG:
            return None
        return message.rest if message.rest >= ip6.MTU_MIN else 0
    if message.kind != icmp.DEST_UNREACH or message.code != icmp.FRAG_NEEDED:
        return None
    return max(message.rest & 0xFFFF, MTU_MIN)


def hard_for(tcb: Tcb, message: Icmp) -> bool:
    """Whether an error ends a connection in the state that it is in.

    Every error ends one that is being opened by its user, also where two opens crossed. An embryo
    of a listener is dropped for what says that its peer can't be reached, and goes on trying at any
    other error (Linux tcp_req_err): in IPv6 for what is fatal.
    """
    if tcb.state not in CONNECTING:
        return False
    if not tcb.embryo:
        return True
    if is_v6(tcb.flow[0]):
        meaning = meaning6(message)
        return meaning is not None and meaning.fatal
    if message.kind == icmp.DEST_UNREACH:
        return message.code in (icmp.NET_UNREACH, icmp.HOST_UNREACH)
    return True


def answerable(packet: Packet) -> bool:
    """Whether an error may be sent about a packet: never about an error.

    RFC 1122 3.2.2, RFC 4443 2.4 (e). Requires: it is not a later fragment; none is reassembled, and
    none is sent.
    """
    assert not packet.offset, "an error about a later fragment"
    body = packet.body
    if is_v6(packet.src):
        if is_multicast(packet.dst):
            return False
        return not isinstance(body, Icmp) or body.kind >= icmp6.INFORMATIONAL
    return not isinstance(body, Icmp) or body.kind in (icmp.ECHO, icmp.ECHO_REPLY)


def echo_reply(packet: Packet, message: Icmp) -> Packet:
    """Answer an echo with the same words (RFC 792, RFC 4443 4.2)."""
    kind = icmp6.ECHO_REPLY if is_v6(packet.src) else icmp.ECHO_REPLY
    body = Icmp(kind, 0, message.rest, message.quoted)
    return Packet(packet.dst, packet.src, packet.proto, body, tos=packet.tos)
