"""The error queue of a socket (Linux ip_recv_error): what was said of packets that it sent."""

import errno
import struct
from typing import Final

from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.names import Address
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Control, NotSimulatedError, Wait
from halfopen.tcp.errqueue import ICMP, Report
from halfopen.wire.address import to_bytes

#: struct sock_extended_err, and behind it the struct sockaddr_in of who said it.
_EXTENDED: Final = struct.Struct("=IBBBBII")
_OFFENDER: Final = struct.Struct("=HH4s8x")


def recv_error(sock: TcpSock | UdpSock, size: int, wait: Wait) -> tuple[bytes, Address]:
    """Take the oldest error: what is left of the packet, at most ``size`` bytes, and its address.

    The rest is in ``wait``, for recvmsg. The error that waits for the next call is from now on that
    of the next ICMP message (Linux sock_dequeue_err_skb). Raises OSError EAGAIN.
    """
    if sock.is_datagram and sock.v6 and sock.options.recverr:
        raise NotSimulatedError("the error queue of an AF_INET6 socket is not simulated")
    report = sock.take_report()
    if report is None:
        raise fail(errno.EAGAIN)
    wait.msg_flags |= c.MSG_ERRQUEUE | (c.MSG_TRUNC if len(report.text) > size else 0)
    wait.control.append(_control(report))
    return report.text[:size], report.destination


def _control(report: Report) -> Control:
    data = _EXTENDED.pack(report.errno, report.origin, report.kind, report.code, 0, report.info, 0)
    if report.origin == ICMP:
        data += _OFFENDER.pack(c.AF_INET, 0, to_bytes(report.offender))
    else:
        data += bytes(_OFFENDER.size)
    return (c.IPPROTO_IP, c.IP_RECVERR, data)
