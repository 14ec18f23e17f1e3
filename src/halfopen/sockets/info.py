"""TCP_INFO: how a connection fares (Linux tcp_get_info)."""

import struct
from typing import TYPE_CHECKING, Final

from halfopen.base.units import MS, US
from halfopen.tcp.skb import LOST, RETRANS, SACKED
from halfopen.tcp.tcb import INITIAL_CWND, MSS_DEFAULT

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock

#: The part of ``struct tcp_info`` that has been there since Linux 2.4; the kernel's is longer.
SIZE: Final = 104
_LAYOUT: Final = struct.Struct("=8B24I")
_TIMESTAMPS: Final = 1
_SACK: Final = 2
_WSCALE: Final = 4
_UNLIMITED: Final = 0x7FFFFFFF
# Places in the structure.
_STATE: Final = 0
_SND_MSS: Final = 10
_UNACKED: Final = 12
_SACKED: Final = 13
_SND_SSTHRESH: Final = 25
_SND_CWND: Final = 26
_REORDERING: Final = 28


def tcp_info(sock: "TcpSock", now: int) -> bytes:
    """Return the first 104 octets of ``struct tcp_info``; times in µs and ms, as there.

    Not filled: what is only there with Fast Open, and whether the sender is limited by its user.
    """
    tcb = sock.tcb
    if tcb is None:
        return _without_connection(sock)
    sacked = lost = retransmitted = 0
    for skb in tcb.inflight:
        marks = skb.marks
        sacked += 1 if marks & SACKED else 0
        lost += 1 if marks & LOST else 0
        retransmitted += 1 if marks & RETRANS else 0
    options = (
        (_TIMESTAMPS if tcb.ts_ok else 0)
        | (_SACK if tcb.sack_ok else 0)
        | (_WSCALE if tcb.wscale_ok else 0)
    )
    return _LAYOUT.pack(
        int(sock.sk_state),
        tcb.ca_state,
        tcb.retransmits,
        tcb.probes_out,
        tcb.backoff,
        options,
        tcb.snd_wscale | tcb.rcv_wscale << 4,
        0,
        tcb.rto_ns // US,
        tcb.ato_ns // US,
        tcb.mss,
        tcb.rcv_mss,
        len(tcb.inflight),
        sacked,
        lost,
        retransmitted,
        0,
        (now - tcb.sent_at) // MS,
        0,
        (now - tcb.rcv_data_at) // MS,
        (now - tcb.rcv_ack_at) // MS,
        tcb.mtu,
        tcb.rcv_ssthresh,
        tcb.srtt_us8 >> 3,
        tcb.mdev_us4 >> 2,
        min(tcb.ssthresh, _UNLIMITED),
        tcb.cwnd,
        tcb.adv_mss,
        tcb.config.reordering,
        tcb.rcv_rtt_us8 >> 3,
        tcb.rcvq_space,
        tcb.total_retrans,
    )


def _without_connection(sock: "TcpSock") -> bytes:
    """Describe a socket that has no connection; of a listener tell who waits, and how many may."""
    listening = sock.listening
    fields = [0] * 32
    fields[_STATE] = int(sock.sk_state)
    fields[_SND_CWND] = INITIAL_CWND
    fields[_REORDERING] = sock.kernel.config.reordering
    if listening is not None:
        fields[_UNACKED] = len(listening.ready)
        fields[_SACKED] = listening.backlog
    else:
        fields[_SND_MSS] = MSS_DEFAULT
        fields[_SND_SSTHRESH] = _UNLIMITED
    return _LAYOUT.pack(*fields)
