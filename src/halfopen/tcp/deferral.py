"""How many segments leave as one, and whether a small burst is put off until more can go.

The kernel hands a burst to the interface whole, which cuts it into segments (TSO); so it makes few
large ones rather than many small ones (Linux tcp_tso_autosize, tcp_tso_should_defer).
"""

from typing import Final

from halfopen.base.units import MS, US, S
from halfopen.tcp.buffers import GSO_MAX
from halfopen.tcp.skb import Skb
from halfopen.tcp.tcb import RECOVERY, Tcb
from halfopen.wire.tcp import FIN

#: Segments of a burst that is worth sending, even on a slow way (Linux tcp_min_tso_segs).
BURST_MIN: Final = 2
#: A burst holds at most what is sent in so much time, in parts of a second (Linux sk_pacing_shift).
BURST_SHIFT: Final = 10
#: On a short way it may be larger: twice for every so many µs less, as a power of two (Linux
#: tcp_tso_rtt_log).
RTT_LOG: Final = 9
#: Where this part of the window is free, no burst waits (Linux tcp_tso_win_divisor).
WINDOW_DIVISOR: Final = 3

#: The eighths of a µs in a second, as ``srtt_us8`` counts, and a fifth more; in slow start twice as
#: many (Linux tcp_pacing_ca_ratio, tcp_pacing_ss_ratio).
_GAIN: Final = 8 * (S // US) * 120 // 100
_GAIN_SLOW_START: Final = 8 * (S // US) * 200 // 100

# What ``deferred`` says.
NOW: Final = 0
WAITS: Final = 1
WAITS_FOR_CWND: Final = 2


def update_rate(tcb: Tcb) -> None:
    """Note at which rate we send, in octets a second: a window in a round trip, and some more.

    Twice as much in slow start, else a fifth. Linux tcp_update_pacing_rate.
    """
    gain = _GAIN_SLOW_START if tcb.cwnd < tcb.ssthresh >> 1 else _GAIN
    segments = len(tcb.inflight)
    if segments < tcb.cwnd:
        segments = tcb.cwnd
    rate = gain * segments * (tcb.mss + tcb.sack_room)
    tcb.pacing_rate = rate // tcb.srtt_us8 if tcb.srtt_us8 else rate


def burst_max(tcb: Tcb) -> int:
    """Return how many segments leave as one (Linux tcp_tso_autosize).

    What is sent in a ms, more on a short way; at least two.
    """
    octets = tcb.pacing_rate >> BURST_SHIFT
    shift = tcb.rtt_min_us >> RTT_LOG
    if shift < 32:
        octets += GSO_MAX >> shift
    if octets > GSO_MAX:
        octets = GSO_MAX
    segments = octets // tcb.mss
    return segments if segments > BURST_MIN else BURST_MIN


def deferred(tcb: Tcb, skb: Skb, now: int, largest: int, *, is_last: bool) -> int:
    """Whether a burst waits for room for more: NOW (it does not), WAITS or WAITS_FOR_CWND.

    It may wait where the next ACK is expected within a ms, and only if something was sent in the
    last ms.
    ``largest`` is how many segments a burst may have, ``is_last``: nothing is unsent behind it.
    Requires: it is longer than a segment, and one fits into cwnd and window. Linux
    tcp_tso_should_defer.
    """
    if tcb.ca_state >= RECOVERY or now - tcb.departed_at > MS:
        return NOW
    mss = tcb.mss + tcb.sack_room
    size = len(skb.text)
    snd_room = tcb.snd_una + tcb.snd_wnd - skb.seq
    cwnd_room = (tcb.cwnd - tcb.in_flight()) * mss
    room = min(snd_room, cwnd_room)
    if (
        room >= largest * mss
        or (not is_last and room >= size)
        or room >= min(tcb.snd_wnd, tcb.cwnd * mss) // WINDOW_DIVISOR
    ):
        return NOW
    assert tcb.inflight, "with nothing in flight all of the window is free"
    srtt = tcb.srtt_us8 * US >> 3
    if tcb.inflight[0].sent_at + srtt - now > min(srtt >> 1, MS):
        return NOW  # the next ACK is far away; else it may wait for it: LINUX(burst-waits)
    if cwnd_room < snd_room:
        if cwnd_room <= size:
            return WAITS_FOR_CWND
    elif snd_room <= size:
        return WAITS
    return NOW if skb.flags & FIN else WAITS
