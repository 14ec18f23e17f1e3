"""The error queue of a socket (Linux ip_recv_error): what was said of packets that it sent."""

import errno
import struct
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.names import Address, show
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Control, Wait
from halfopen.tcp.errqueue import ICMP, Report
from halfopen.wire.address import is_v6, mapped, to_bytes, zone_of

#: struct sock_extended_err, and behind it the struct sockaddr_in or sockaddr_in6 of who said it.
_EXTENDED: Final = struct.Struct("=IBBBBII")
_OFFENDER: Final = struct.Struct("=HH4s8x")
_OFFENDER6: Final = struct.Struct("=HHI16sI")


def recv_error(sock: TcpSock | UdpSock, size: int, wait: Wait) -> tuple[bytes, Address]:
    """Take the oldest error: what is left of the packet, at most ``size`` bytes, and its address.

    The rest is in ``wait``, for recvmsg. The error that waits for the next call is from now on that
    of the next ICMP message (Linux sock_dequeue_err_skb). Raises OSError EAGAIN.
    """
    if sock.is_datagram and sock.v6 and sock.options.recverr6:
        raise NotSimulatedError("the error queue of an AF_INET6 socket is not simulated")
    report = sock.take_report()
    if report is None:
        raise fail(errno.EAGAIN)
    wait.msg_flags |= c.MSG_ERRQUEUE | (c.MSG_TRUNC if len(report.text) > size else 0)
    wait.control = (_control6(report) if sock.v6 else _control(report),)
    return report.text[:size], show(sock.v6, *report.destination)


def _control6(report: Report) -> Control:
    """What a socket of AF_INET6 is given, also of an IPv4 peer (Linux ipv6_recv_error)."""
    who = report.offender if is_v6(report.offender) else mapped(report.offender)
    offender = _OFFENDER6.pack(c.AF_INET6, 0, 0, to_bytes(who), zone_of(who))
    return (c.IPPROTO_IPV6, c.IPV6_RECVERR, _extended(report) + offender)


def _extended(report: Report) -> bytes:
    return _EXTENDED.pack(report.errno, report.origin, report.kind, report.code, 0, report.info, 0)


def _control(report: Report) -> Control:
    data = _extended(report)
    if report.origin == ICMP:
        data += _OFFENDER.pack(c.AF_INET, 0, to_bytes(report.offender))
    else:
        data += bytes(_OFFENDER.size)
    return (c.IPPROTO_IP, c.IP_RECVERR, data)
