"""SO_BINDTODEVICE: a socket that is tied to one interface (Linux sock_setbindtodevice)."""

from errno import EINVAL, ENODEV, EPERM
from typing import TYPE_CHECKING, Final

from halfopen.sockets.errors import fail

if TYPE_CHECKING:
    from halfopen.net.interfaces import Interface
    from halfopen.sockets.kernel import Kernel
    from halfopen.sockets.sock import TcpSock
    from halfopen.sockets.udp import UdpSock

#: A name and its NUL (Linux IFNAMSIZ).
NAME_MAX: Final = 16


def _interfaces(kernel: "Kernel") -> "list[Interface]":
    return [kernel.ip.routes.loopback, *kernel.ip.interfaces]


def set_device(sock: "TcpSock | UdpSock", value: bytes, *, privileged: bool) -> None:
    """Tie a socket to the interface of a name; an empty one: to none any more.

    Raises OSError: ENODEV, EPERM for who is not the superuser and would change it.
    """
    name = value[: NAME_MAX - 1].split(b"\0")[0]
    zone = 0
    if name:
        for interface in _interfaces(sock.kernel):
            if interface.name.encode() == name:
                zone = interface.zone
        if not zone:
            raise fail(ENODEV)
    if sock.bound_if and not privileged:
        raise fail(EPERM)
    sock.tie(zone)


def get_device(sock: "TcpSock | UdpSock", size: int) -> bytes:
    """Return the name with a NUL; nothing where it is tied to none.

    Raises OSError EINVAL where there is no room for every name.
    """
    if not sock.bound_if:
        return b""
    if size < NAME_MAX:
        raise fail(EINVAL)
    names = [each.name for each in _interfaces(sock.kernel) if each.zone == sock.bound_if]
    assert names, "a socket is tied to an interface that there is not"
    return names[0].encode() + b"\0"
