"""ioctl: how much waits to be read or to be sent, and whether urgent data is next."""

import errno
from typing import Final

from halfopen.sockets.errors import fail
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.table import FdTable
from halfopen.tcp import urgent
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import Tcb

FIONREAD: Final = 0x541B  # also SIOCINQ
SIOCATMARK: Final = 0x8905
SIOCOUTQ: Final = 0x5411  # also TIOCOUTQ


def ioctl(table: FdTable, fd: int, request: int, now: int) -> int:  # noqa: ARG001  as every call
    """Return the number that the kernel writes where the caller says.

    Raises OSError: EINVAL of a listener, ENOTTY for what is not known (Linux tcp_ioctl, udp_ioctl).
    """
    file = table.socket(fd)
    if request not in (FIONREAD, SIOCATMARK, SIOCOUTQ):
        raise fail(errno.ENOTTY)
    if not isinstance(file, TcpSock):
        if request == FIONREAD:
            queue = file.end.queue
            return len(queue[0].data) if queue else 0
        if request == SIOCOUTQ:
            return 0  # what is sent has left
        raise fail(errno.ENOTTY)
    tcb = file.tcb
    if request == SIOCATMARK:
        return int(tcb is not None and urgent.at_mark(tcb))
    if file.sk_state is State.LISTEN:
        raise fail(errno.EINVAL)
    if tcb is None or tcb.state in CONNECTING:
        return 0
    if request == SIOCOUTQ:
        return 0 if tcb.minisock or tcb.state is State.CLOSED else tcb.write_seq - tcb.snd_una
    return _readable(tcb)


def _readable(tcb: Tcb) -> int:
    """Count what can be read up to the mark (Linux tcp_inq)."""
    ahead = tcb.rcv_up - tcb.copied_seq
    if tcb.urg_data and not tcb.oobinline and 0 <= ahead < tcb.rcv_queued:
        return ahead
    return tcb.rcv_queued
