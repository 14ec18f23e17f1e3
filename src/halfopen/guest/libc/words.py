"""The numbers of the C library's errors of names, and what it says of them."""

import _socket
import errno
import os
from typing import Final, Literal, TypeAlias

#: What became of a lookup in one source of names (enum nss_status).
Status: TypeAlias = Literal["SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"]

#: h_errno.
NETDB_INTERNAL: Final = -1
NETDB_SUCCESS: Final = 0
HOST_NOT_FOUND: Final = 1
TRY_AGAIN: Final = 2
NO_RECOVERY: Final = 3
NO_DATA: Final = 4

_EAI: Final = {
    _socket.EAI_BADFLAGS: "Bad value for ai_flags",
    _socket.EAI_NONAME: "Name or service not known",
    _socket.EAI_AGAIN: "Temporary failure in name resolution",
    _socket.EAI_FAIL: "Non-recoverable failure in name resolution",
    _socket.EAI_NODATA: "No address associated with hostname",
    _socket.EAI_FAMILY: "ai_family not supported",
    _socket.EAI_SOCKTYPE: "ai_socktype not supported",
    _socket.EAI_SERVICE: "Servname not supported for ai_socktype",
    _socket.EAI_ADDRFAMILY: "Address family for hostname not supported",
}

_HERRNO: Final = {
    NETDB_INTERNAL: "Resolver internal error",
    NETDB_SUCCESS: "Resolver Error 0 (no error)",
    HOST_NOT_FOUND: "Unknown host",
    TRY_AGAIN: "Host name lookup failure",
    NO_RECOVERY: "Unknown server error",
    NO_DATA: "No address associated with name",
}


#: So much room a result is given first; where it is too little, twice as much, and so on (glibc
#: scratch_buffer). Then everything is asked anew.
ROOM: Final = 1024


class NameFailure(Exception):
    """A lookup ended with an EAI_ number; it becomes Python's ``gaierror``."""

    def __init__(self, code: int, number: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.number = number  # errno, where the code is EAI_SYSTEM


def gaierror(failure: NameFailure) -> OSError:
    """Make the error that Python raises (CPython set_gaierror)."""
    if failure.code == _socket.EAI_SYSTEM:
        number = failure.number or errno.EIO
        return OSError(number, os.strerror(number))
    return _socket.gaierror(failure.code, _EAI[failure.code])


def herror(number: int) -> OSError:
    """Make the error that Python raises of an h_errno (CPython set_herror)."""
    return _socket.herror(number, _HERRNO[number])
