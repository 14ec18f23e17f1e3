"""TCP_INFO: how a connection fares (Linux tcp_get_info)."""

import struct
from typing import TYPE_CHECKING, Final

from halfopen.base.units import MS, US
from halfopen.tcp.skb import LOST, RETRANS, SACKED

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock

#: The part of ``struct tcp_info`` that has been there since Linux 2.4; the kernel's is longer.
SIZE: Final = 104
_LAYOUT: Final = struct.Struct("=8B24I")
_TIMESTAMPS: Final = 1
_SACK: Final = 2
_WSCALE: Final = 4
_UNLIMITED: Final = 0x7FFFFFFF


def tcp_info(sock: "TcpSock", now: int) -> bytes:
    """Return the first 104 octets of ``struct tcp_info``; times in µs and ms, as there."""
    tcb = sock.tcb
    if tcb is None:
        return bytes((int(sock.sk_state),)).ljust(SIZE, b"\x00")
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
        0,
        0,
        tcb.total_retrans,
    )
