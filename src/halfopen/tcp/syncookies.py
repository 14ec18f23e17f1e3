"""SYN cookies: where the SYN queue is full, the answer to a SYN carries what would be kept of it.

RFC 4987 3.6; Linux net/ipv4/syncookies.c. The initial sequence number tells the minute and the
peer's MSS, as one of four; the clock of timestamps tells, in its lowest bits, which options the SYN
had. What can be told by neither is lost. Our hash is not Linux's; nobody but its host can tell.
"""

from typing import Final

from halfopen.base.units import MS, S
from halfopen.tcp import handshake
from halfopen.tcp.buffers import initial_window
from halfopen.tcp.emit import send_syn
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import is_v6
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import ACK, RST, SYN, Flow, Segment

#: A cookie tells only these (Linux msstab).
MSS_TABLE: Final = (536, 1300, 1440, 1460)
#: And over IPv6, whose ways carry 1280 octets or more.
MSS_TABLE6: Final = (1220, 1420, 1440, 8940)
#: The count in a cookie goes on so often, and so many counts are good (Linux TCP_SYNCOOKIE_PERIOD).
PERIOD_NS: Final = 60 * S
AGE_MAX: Final = 2
COUNT_BITS: Final = 24
COUNT_MASK: Final = (1 << COUNT_BITS) - 1
COUNTS: Final = 1 << (32 - COUNT_BITS)
#: The lowest bits of TSval (Linux TS_OPT_WSCALE_MASK, TS_OPT_SACK, TSBITS); bit 5 is ECN's.
NO_SCALE: Final = 15
SACK: Final = 1 << 4
OPTION_BITS: Final = 6
_OPTIONS: Final = 1 << OPTION_BITS


def answer(listening: Listening, seg: Segment, now: int, *, mtu: int) -> None:
    """Answer a SYN with a cookie, and forget it (Linux tcp_conn_request).

    Without timestamps no option but the MSS can be told, and so none is agreed on.
    """
    _note(listening, now)
    source, sport, destination, dport = seg.flow
    flow = (destination, dport, source, sport)
    tcb = listening.new_child(flow, iss=0, mtu=mtu)
    if seg.ts_val < 0 or not tcb.ts_ok:
        tcb.sack_ok = tcb.wscale_ok = False
    handshake.syn_received(tcb, seg, now)
    table = _table(flow)
    place = len(table) - 1
    while place and tcb.mss_clamp < table[place]:
        place -= 1
    tcb.iss = _cookie(listening, flow, seg.seq, _count(listening, now), place)
    send_syn(tcb, SYN | ACK, _instant(tcb, now))


def check(listening: Listening, seg: Segment, now: int, *, mtu: int) -> Tcb | None:
    """Make an embryo of what an ACK brings back; None: it acknowledges no cookie of ours.

    Linux cookie_v4_check.
    """
    if not _expected(listening, seg, now):
        return None
    source, sport, destination, dport = seg.flow
    flow = (destination, dport, source, sport)
    place = _place(listening, flow, seg, now)
    if place < 0:
        return None
    tcb = listening.new_child(flow, iss=wrap(seg.ack - 1), mtu=mtu)
    if not _agree(tcb, seg, now):
        return None
    tcb.irs = wrap(seg.seq - 1)
    tcb.rcv_nxt = tcb.irs + 1
    tcb.rcv_wup = tcb.copied_seq = tcb.rcv_nxt
    tcb.mss_clamp = _table(flow)[place]
    handshake.bound_mss(tcb)
    initial_window(tcb, tcb.mss_clamp)
    tcb.snd_nxt = tcb.write_seq = tcb.iss + 1
    return tcb


def _table(flow: Flow) -> tuple[int, int, int, int]:
    return MSS_TABLE6 if is_v6(flow[0]) else MSS_TABLE


def _expected(listening: Listening, seg: Segment, now: int) -> bool:
    """Whether a segment may be the ACK of a cookie: one was sent in the last minutes.

    Linux tcp_synq_no_recent_overflow.
    """
    return (
        seg.flags & (ACK | RST | SYN) == ACK
        and listening.config.syncookies != 0
        and listening.cookie_at is not None
        and now - listening.cookie_at <= AGE_MAX * PERIOD_NS
    )


def _note(listening: Listening, now: int) -> None:
    """Remember that a cookie was sent, once in a second (Linux tcp_synq_overflow)."""
    if listening.cookie_at is None or now - listening.cookie_at > S:
        listening.cookie_at = now


def _count(listening: Listening, now: int) -> int:
    """Return the minute of the host's tick counter (Linux tcp_cookie_time)."""
    return (now + listening.config.phase) // PERIOD_NS


def _cookie(listening: Listening, flow: Flow, seq: int, count: int, place: int) -> int:
    """Return the initial sequence number (Linux secure_tcp_syn_cookie)."""
    secret = listening.secret
    low = secret.cookie(flow, count) + place & COUNT_MASK
    return wrap(secret.cookie(flow, -1) + seq + (count << COUNT_BITS) + low)


def _place(listening: Listening, flow: Flow, seg: Segment, now: int) -> int:
    """Return which MSS a cookie tells; negative for what is none, or too old.

    Linux check_tcp_syn_cookie.
    """
    secret = listening.secret
    count = _count(listening, now)
    rest = wrap(seg.ack - 1 - secret.cookie(flow, -1) - (seg.seq - 1))
    age = (count - (rest >> COUNT_BITS)) % COUNTS
    if age >= AGE_MAX:
        return -1
    place = rest - secret.cookie(flow, count - age) & COUNT_MASK
    return place if place < len(MSS_TABLE) else -1


def _instant(tcb: Tcb, now: int) -> int:
    """Return the latest instant, not after ``now``, whose ms end in the bits of the options.

    Linux cookie_init_timestamp.
    """
    bits = (tcb.snd_wscale if tcb.wscale_ok else NO_SCALE) | (SACK if tcb.sack_ok else 0)
    stamp = now // MS
    told = stamp - stamp % _OPTIONS + bits
    return (told if told <= stamp else told - _OPTIONS) * MS


def _agree(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Take the options that the echo tells; False: one of them is none of this host's.

    Linux cookie_timestamp_decode.
    """
    config = tcb.config
    if seg.ts_val < 0 or not tcb.ts_ok:
        tcb.ts_ok = tcb.sack_ok = tcb.wscale_ok = False
        return True
    tcb.ts_recent = seg.ts_val
    tcb.ts_recent_at = now
    bits = wrap(seg.ts_ecr - tcb.ts_offset) if seg.ts_ecr else 0
    scale = bits & NO_SCALE
    tcb.sack_ok = bits & SACK != 0
    tcb.wscale_ok = scale != NO_SCALE
    tcb.snd_wscale = scale if tcb.wscale_ok else 0
    return (config.sack or not tcb.sack_ok) and (config.window_scaling or not tcb.wscale_ok)
