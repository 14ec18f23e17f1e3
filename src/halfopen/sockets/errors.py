"""What a program can meet: ``OSError`` with Linux's errno and glibc's words for it."""

import errno
from typing import Final

_WORDS: Final[dict[int, str]] = {
    errno.EPERM: "Operation not permitted",
    errno.EINTR: "Interrupted system call",
    errno.EBADF: "Bad file descriptor",
    errno.EAGAIN: "Resource temporarily unavailable",
    errno.ENOMEM: "Cannot allocate memory",
    errno.EACCES: "Permission denied",
    errno.EFAULT: "Bad address",
    errno.EEXIST: "File exists",
    errno.ENOENT: "No such file or directory",
    errno.ENODEV: "No such device",
    errno.EINVAL: "Invalid argument",
    errno.ENOTTY: "Inappropriate ioctl for device",
    errno.EMFILE: "Too many open files",
    errno.EPIPE: "Broken pipe",
    errno.EDOM: "Numerical argument out of domain",
    errno.ENONET: "Machine is not on the network",
    errno.EPROTO: "Protocol error",
    errno.ENOTSOCK: "Socket operation on non-socket",
    errno.EDESTADDRREQ: "Destination address required",
    errno.EMSGSIZE: "Message too long",
    errno.EPROTOTYPE: "Protocol wrong type for socket",
    errno.ENOPROTOOPT: "Protocol not available",
    errno.EPROTONOSUPPORT: "Protocol not supported",
    errno.ESOCKTNOSUPPORT: "Socket type not supported",
    errno.EOPNOTSUPP: "Operation not supported",
    errno.EAFNOSUPPORT: "Address family not supported by protocol",
    errno.EADDRINUSE: "Address already in use",
    errno.EADDRNOTAVAIL: "Cannot assign requested address",
    errno.ENETDOWN: "Network is down",
    errno.ENETUNREACH: "Network is unreachable",
    errno.ENETRESET: "Network dropped connection on reset",
    errno.ECONNABORTED: "Software caused connection abort",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ENOBUFS: "No buffer space available",
    errno.EISCONN: "Transport endpoint is already connected",
    errno.ENOTCONN: "Transport endpoint is not connected",
    errno.ETIMEDOUT: "Connection timed out",
    errno.ECONNREFUSED: "Connection refused",
    errno.EHOSTDOWN: "Host is down",
    errno.EHOSTUNREACH: "No route to host",
    errno.EALREADY: "Operation already in progress",
    errno.EINPROGRESS: "Operation now in progress",
}


def fail(code: int) -> OSError:
    """Make the error that a call raises; CPython picks the subclass by the number."""
    return OSError(code, _WORDS[code])
