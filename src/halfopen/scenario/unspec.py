"""``connect`` with AF_UNSPEC, which dissolves an association: Python's ``socket`` can't say it."""

import ctypes
import os
import socket

_SOCKADDR_LEN = 16


def dissolve(sock: socket.socket) -> None:
    """Let the C library call connect(2) with an address of no family.

    In the world ``guest.standins.unspec`` takes this module's place. The call is in no trace.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(sock.fileno(), bytes(_SOCKADDR_LEN), _SOCKADDR_LEN):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
