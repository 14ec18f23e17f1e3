"""What the levels of options share: those that are kept in a field, and those that are not here.

A field is one of ``Options``, and of the Tcb where there is one.
"""

import struct
from errno import EINVAL
from typing import TYPE_CHECKING, TypeAlias

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets.errors import fail
from halfopen.sockets.sock import TcpSock

if TYPE_CHECKING:
    from halfopen.sockets.options import Options
    from halfopen.sockets.udp import UdpSock


class Number:
    """An option that is a number; outside of ``low`` to ``high`` it is EINVAL.

    ``unit`` ns make one of it.
    """

    def __init__(self, field: str, tcb_field: str, *, low: int, high: int, unit: int = 1) -> None:
        self.field = field
        self.tcb_field = tcb_field
        self.low = low
        self.high = high
        self.unit = unit


class Flag:
    """An option that is on or off."""

    def __init__(self, field: str, tcb_field: str = "") -> None:
        self.field = field
        self.tcb_field = tcb_field


Row: TypeAlias = Number | Flag


def own(sock: "TcpSock | UdpSock") -> "Options":
    """Return the socket's options, to be changed: its own from now on."""
    if sock.options.shared:
        sock.options = sock.options.copy(sock.kernel.config)
    return sock.options


def to_number(value: bytes) -> int:
    """Read an option that is a number. Raises OSError EINVAL where it is too short."""
    if len(value) < 4:
        raise fail(EINVAL)
    number: int = struct.unpack_from("=i", value)[0]
    return number


def keep(sock: "TcpSock | UdpSock", row: Row, number: int) -> None:
    """Set an option that is kept. Raises OSError EINVAL."""
    if isinstance(row, Flag):
        _put(sock, row, number != 0)
    elif row.low <= number <= row.high:
        _put(sock, row, number * row.unit)
    else:
        raise fail(EINVAL)


def _put(sock: "TcpSock | UdpSock", row: Row, setting: object) -> None:
    """Keep a setting; of type object, because mypyc makes an int of what is bool or int."""
    setattr(own(sock), row.field, setting)
    if row.tcb_field and isinstance(sock, TcpSock) and sock.tcb is not None:
        setattr(sock.tcb, row.tcb_field, setting)


def kept(sock: "TcpSock | UdpSock", row: Row) -> int:
    """Read an option that is kept."""
    setting = int(getattr(sock.options, row.field))
    return setting // row.unit if isinstance(row, Number) else setting


def named(prefix: str, names: str) -> dict[int, str]:
    """Read a list of options: a name without what all begin with, its number, the next name."""
    words = names.split()
    return {
        int(number): prefix + name for name, number in zip(words[::2], words[1::2], strict=True)
    }


def refuse_gap(gaps: dict[int, str], name: int) -> None:
    """Stop at what Linux knows and we don't: a loud error instead of a wrong answer."""
    if name in gaps:
        raise NotSimulatedError(f"the option {gaps[name]} is not simulated")
