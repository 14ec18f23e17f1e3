"""``_socket``: the C class under ``socket.socket``, over the simulated kernel.

As in CPython a timeout is no matter of the kernel: the descriptor does not block, and the call
polls before it is made.
"""

import _socket as real
import errno
import warnings
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, TypeVar, cast

from halfopen.base.units import MS
from halfopen.guest import fence, tasks
from halfopen.guest.recording import recorded
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.netdb import FLOWINFO_MAX, Netdb
from halfopen.guest.standins.numbers import INT_MAX, integer, to_ns, whole
from halfopen.sockets import calls
from halfopen.sockets.errors import fail
from halfopen.sockets.names import Address
from halfopen.sockets.waiting import Blocked, Control
from halfopen.wire.address import ANY, ANY6, BROADCAST

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    from typing_extensions import Buffer

    from halfopen.guest.image import Image

    Seconds: TypeAlias = SupportsFloat | SupportsIndex

T = TypeVar("T")

_NONBLOCK: Final = real.SOCK_NONBLOCK
_FLAGS: Final = real.SOCK_NONBLOCK | real.SOCK_CLOEXEC
_POLLIN: Final = 1
_POLLOUT: Final = 4
_POLLERR: Final = 8
_PORT_MAX: Final = 0xFFFF
_NS: Final = 10**9


class Socket:
    """``_socket.socket``. ``image`` is set by the subclass that each process gets.

    It has slots, and no place for weak references: ``socket.socket`` adds that itself.
    """

    __slots__ = ("_family", "_fd", "_proto", "_timeout_ns", "_type")

    image: "Image"

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002  the parameter's name in CPython
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        self._fd = -1
        self._timeout_ns: int | None = None
        self._family = integer(family)
        self._type = integer(type)
        self._proto = integer(proto)
        if fileno is not None:
            self._adopt(fileno)
        else:
            self._open(family, type, proto)
        if self._type & _NONBLOCK:
            self._timeout_ns = 0
        else:
            self._timeout_ns = self.image.default_timeout_ns
            if self._timeout_ns is not None:
                _kernel(calls.setblocking, self._fd, False)
        self._type &= ~_FLAGS

    @recorded(
        "socket",
        show=lambda family, type, proto: (family, type, proto),  # noqa: A006  as in CPython
        give=lambda self, _: {"fd": self.fileno()},
    )
    def _open(self, family: int, type: int, proto: int) -> None:  # noqa: A002, ARG002  recorded as given
        if self._family == -1:
            self._family = real.AF_INET
        if self._type == -1:
            self._type = real.SOCK_STREAM
        if self._proto == -1:
            self._proto = 0
        self._fd = _kernel(
            calls.socket, self._family, self._type, self._proto, self.image.world.now
        )

    def _adopt(self, fileno: int) -> None:
        fd = integer(fileno)
        if fd < 0:
            raise ValueError("negative file descriptor")
        _kernel(calls.getsockname, fd)
        now = self.image.world.now
        for field, option in (
            ("_family", real.SO_DOMAIN),
            ("_type", real.SO_TYPE),
            ("_proto", real.SO_PROTOCOL),
        ):
            if getattr(self, field) == -1:
                found = _kernel(calls.getsockopt, fd, real.SOL_SOCKET, option, 0, now)
                setattr(self, field, found)
        self._fd = fd

    def __del__(self) -> None:
        if self._fd < 0 or self.image.over:
            return
        thread = tasks.running_or_none()
        if thread is None or thread.image is not self.image:
            return
        warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        fd, self._fd = self._fd, -1
        thread.syscall(calls.close, fd)

    def __repr__(self) -> str:
        return (
            f"<socket object, fd={self._fd}, family={self._family}, type={self._type}, "
            f"proto={self._proto}>"
        )

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return self._family

    @property
    def type(self) -> int:
        """SOCK_STREAM or SOCK_DGRAM, without flags."""
        return self._type

    @property
    def proto(self) -> int:
        """The protocol asked for."""
        return self._proto

    @property
    def timeout(self) -> float | None:
        """As ``gettimeout``."""
        return self.gettimeout()

    def descriptor(self) -> int | None:
        """For the record: None where it is closed."""
        return self._fd if self._fd >= 0 else None

    def fileno(self) -> int:
        """The descriptor; -1 where it is closed."""
        return self._fd

    @recorded("detach")
    def detach(self) -> int:
        """Give the descriptor away."""
        fd, self._fd = self._fd, -1
        return fd

    @recorded("close")
    def close(self) -> None:
        """Close it; a connection that was reset meanwhile is closed all the same."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(ConnectionResetError):
                _blocking(calls.close, fd)

    @recorded("bind")
    def bind(self, address: object, /) -> None:
        """Give it its own address."""
        here = self._address(address, "bind")
        _kernel(calls.bind, self._fd, here, self.image.world.now)

    @recorded("listen")
    def listen(self, backlog: int = min(real.SOMAXCONN, 128), /) -> None:
        """Let connections come."""
        _kernel(calls.listen, self._fd, max(integer(backlog), 0), self.image.world.now)

    @recorded("accept")
    def _accept(self) -> tuple[int, Address]:
        return self._timed(_POLLIN, calls.accept)

    @recorded("connect")
    def connect(self, address: object, /) -> None:
        """Open a connection."""
        self._connect(self._address(address, "connect"))

    @recorded("connect_ex")
    def connect_ex(self, address: object, /) -> int:
        """Open a connection, and return what went wrong."""
        there = self._address(address, "connect_ex")
        try:
            self._connect(there)
        except OSError as error:
            return errno.EWOULDBLOCK if error.errno is None else error.errno
        return 0

    @recorded("send")
    def send(self, data: "Buffer", flags: int = 0, /) -> int:
        """Send what fits."""
        return self._send(self._until(), calls.send, _octets(data), integer(flags))

    @recorded("sendall")
    def sendall(self, data: "Buffer", flags: int = 0, /) -> None:
        """Send everything; the timeout is one for all of it."""
        rest, flags = _octets(data), integer(flags)
        until = self._until()
        while True:
            rest = rest[self._send(until, calls.send, rest, flags) :]
            if not rest:
                return

    @recorded("sendto")
    def sendto(self, data: "Buffer", *rest: object) -> int:
        """Send to an address: ``sendto(data, address)`` or ``sendto(data, flags, address)``."""
        if len(rest) not in {1, 2}:
            msg = f"sendto() takes 2 or 3 arguments ({1 + len(rest)} given)"
            raise TypeError(msg)
        there = self._address(rest[-1], "sendto")
        flags = integer(rest[0]) if len(rest) == 2 else 0
        return self._send(self._until(), calls.sendto, _octets(data), flags, there)

    @recorded("sendmsg")
    def sendmsg(
        self,
        buffers: "Iterable[Buffer]",
        ancdata: Iterable[object] = (),
        flags: int = 0,
        address: object = None,
        /,
    ) -> int:
        """Send what several buffers hold."""
        if list(ancdata):
            fence.refuse("sendmsg with ancillary data")
        try:
            parts = iter(buffers)
        except TypeError:
            raise TypeError("sendmsg() argument 1 must be an iterable") from None
        data = b"".join(_octets(each) for each in parts)
        there = None if address is None else self._address(address, "sendmsg")
        return self._send(self._until(), calls.sendto, data, integer(flags), there)

    @recorded("recv")
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive what there is."""
        size, flags = _size(bufsize, "recv"), integer(flags)
        return self._timed(_POLLIN, calls.recv, size, flags) if size else b""

    @recorded("recv_into")
    def recv_into(self, buffer: "Buffer", nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer."""
        with _writable(buffer, "recv_into") as room:
            size, flags = _room(room, nbytes, "recv_into"), integer(flags)
            if size > len(room):
                raise ValueError("buffer too small for requested bytes")
            data = self._timed(_POLLIN, calls.recv, size, flags) if size else b""
            self._fill(room[:size], data, flags)
        return len(data)

    @recorded("recvfrom")
    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Address | None]:
        """Receive, and tell from where."""
        size = _size(bufsize, "recvfrom")
        return self._timed(_POLLIN, calls.recvfrom, size, integer(flags))

    @recorded("recvfrom_into")
    def recvfrom_into(
        self, buffer: "Buffer", nbytes: int = 0, flags: int = 0
    ) -> tuple[int, Address | None]:
        """Receive into a buffer, and tell from where."""
        with _writable(buffer, "recvfrom_into") as room:
            size = _room(room, nbytes, "recvfrom_into")
            if size > len(room):
                raise ValueError("nbytes is greater than the length of the buffer")
            data, source = self._timed(_POLLIN, calls.recvfrom, size, integer(flags))
            self._fill(room[:size], data, integer(flags))
        return len(data), source

    @recorded("recvmsg")
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Control], int, Address | None]:
        """Receive, with ancillary data."""
        size, flags = whole(bufsize), integer(flags)
        if size < 0:
            raise ValueError("negative buffer size in recvmsg()")
        data, control, said, source = self._timed(
            _POLLIN, calls.recvmsg, size, _anc_room(ancbufsize), flags
        )
        return data[:size], control, said, source

    @recorded("recvmsg_into", show=lambda _, ancbufsize=0, flags=0: (ancbufsize, flags))
    def recvmsg_into(
        self, buffers: "Iterable[Buffer]", ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Control], int, Address | None]:
        """Receive into several buffers, with ancillary data."""
        try:
            parts = list(buffers)
        except TypeError:
            raise TypeError("recvmsg_into() argument 1 must be an iterable") from None
        flags = integer(flags)
        with ExitStack() as held:
            rooms = [held.enter_context(_single_segment(part)) for part in parts]
            size = sum(len(room) for room in rooms)
            data, control, said, source = self._timed(
                _POLLIN, calls.recvmsg, size, _anc_room(ancbufsize), flags
            )
            at = 0
            for room in rooms:
                self._fill(room, data[at : at + len(room)], flags)
                at += len(room)
        return len(data), control, said, source

    def _fill(self, room: memoryview, data: bytes, flags: int) -> None:
        """Copy what was received, but for what was only counted (MSG_TRUNC)."""
        if flags & real.MSG_TRUNC and self._type == real.SOCK_STREAM:
            return
        size = min(len(room), len(data))
        room[:size] = data[:size]

    def sendmsg_afalg(self, *_: object) -> NoReturn:
        """Not simulated."""
        fence.refuse("_socket.socket.sendmsg_afalg")

    @recorded("shutdown")
    def shutdown(self, how: int, /) -> None:
        """End one direction, or both."""
        _kernel(calls.shutdown, self._fd, integer(how), self.image.world.now)

    @recorded("getsockname")
    def getsockname(self) -> Address:
        """Its own address."""
        return _kernel(calls.getsockname, self._fd)

    @recorded("getpeername")
    def getpeername(self) -> Address:
        """Its peer's address."""
        return _kernel(calls.getpeername, self._fd)

    @recorded("getsockopt")
    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> int | bytes:
        """Read an option: as an int, or as so many bytes."""
        now = self.image.world.now
        level, option, buflen = integer(level), integer(option), integer(buflen)
        if not 0 <= buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        return _kernel(calls.getsockopt, self._fd, level, option, buflen, now)

    @recorded("setsockopt")
    def setsockopt(
        self, level: int, option: int, value: "int | Buffer | None", *optlen: int
    ) -> None:
        """Set an option to an int, to bytes, or (None, and a length) to nothing of a length."""
        level, option = integer(level), integer(option)
        given: int | bytes
        if optlen:
            (size,) = optlen
            if value is not None:
                msg = f"setsockopt() argument 3 must be None, not {type(value).__name__}"
                raise TypeError(msg)
            given = bytes(integer(size))
        elif isinstance(value, int) and -INT_MAX - 1 <= value <= INT_MAX:
            given = int(value)
        else:
            given = _octets(value)
        _kernel(calls.setsockopt, self._fd, level, option, given, self.image.world.now)

    @recorded("setblocking")
    def setblocking(self, flag: bool, /) -> None:
        """Block for ever, or never."""
        self._set_timeout(None if flag else 0)

    @recorded("settimeout")
    def settimeout(self, value: "Seconds | None", /) -> None:
        """Block so many seconds; None: for ever, 0: never.

        Raises ValueError for a negative time.
        """
        self._set_timeout(None if value is None else timeout_ns(value))

    def gettimeout(self) -> float | None:
        """What ``settimeout`` set."""
        return None if self._timeout_ns is None else self._timeout_ns / _NS

    def getblocking(self) -> bool:
        """Whether it ever blocks."""
        return self._timeout_ns != 0

    def _set_timeout(self, ns: int | None) -> None:
        self._timeout_ns = ns
        _kernel(calls.setblocking, self._fd, ns is None)

    def _address(self, address: object, call: str) -> Address:
        """Read an address as CPython does, names included."""
        if not isinstance(address, tuple):
            kind = type(address).__name__
            family = "AF_INET6" if self._family == real.AF_INET6 else "AF_INET"
            msg = f"{call}(): {family} address must be tuple, not {kind}"
            raise TypeError(msg)
        if self._family == real.AF_INET6:
            return self._address6(address, call)
        if len(address) != 2:
            msg = "AF_INET address must be a pair (host, port)"
            raise TypeError(msg)
        host, port = _host(address[0]), address[1]
        number = _port(port, call)
        if not host:
            return ANY, number
        if host == "<broadcast>":
            return BROADCAST, number
        return self._lookup(host, real.AF_INET), number

    def _address6(self, address: tuple[object, ...], call: str) -> Address:
        """Read an address of AF_INET6; the number of the interface is the one that is given."""
        if len(address) not in {2, 3, 4}:
            msg = "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])"
            raise TypeError(msg)
        host = _host(address[0])
        number, flowinfo, zone = (*map(whole, address[1:]), 0, 0)[:3]
        if abs(number) > INT_MAX:
            _port(number, call)
        if host in {"<broadcast>", BROADCAST}:
            raise OSError("address family mismatched")
        found = self._lookup(host, real.AF_INET6) if host else ANY6
        _port(number, call)
        if not 0 <= flowinfo <= FLOWINFO_MAX:
            msg = f"{call}(): flowinfo must be 0-1048575."
            raise OverflowError(msg)
        return found, number, flowinfo, zone & 0xFFFFFFFF

    def _lookup(self, host: str, family: int) -> str:
        return Netdb(self.image).address(host, family)

    def _connect(self, there: Address) -> None:
        try:
            _blocking(calls.connect, self._fd, there)
        except InterruptedError:
            pass  # the kernel goes on connecting (CPython internal_connect)
        except BlockingIOError as error:
            if error.errno != errno.EINPROGRESS or self._timeout_ns in {None, 0}:
                raise
        else:
            return
        self._wait_ready(self._until(), _POLLOUT | _POLLERR)
        now = self.image.world.now
        code = _kernel(calls.getsockopt, self._fd, real.SOL_SOCKET, real.SO_ERROR, 0, now)
        assert isinstance(code, int), "SO_ERROR is a number"
        if code and code != errno.EISCONN:
            raise fail(code)

    def _until(self) -> int | None:
        """The instant at which a timeout that begins now is over."""
        timeout = self._timeout_ns
        return self.image.world.now + timeout if timeout else None

    def _send(
        self,
        until: int | None,
        call: "Callable[..., int | Blocked]",
        data: bytes,
        flags: int,
        *there: Address | None,
    ) -> int:
        """Make a call that sends; SIGPIPE comes with a stream's EPIPE (Linux sk_stream_error)."""
        try:
            return self._timed_until(until, _POLLOUT, call, data, flags, *there)
        except BrokenPipeError:
            if self._type == real.SOCK_STREAM and not flags & real.MSG_NOSIGNAL:
                self.image.broken_pipe()
            raise

    def _timed(self, events: int, call: "Callable[..., T | Blocked]", *args: object) -> T:
        return self._timed_until(self._until(), events, call, *args)

    def _timed_until(
        self, until: int | None, events: int, call: "Callable[..., T | Blocked]", *args: object
    ) -> T:
        """Make a call; with a timeout, poll first, and again where another was quicker."""
        if until is None:
            return _blocking(call, self._fd, *args)
        while True:
            self._wait_ready(until, events)
            try:
                return _blocking(call, self._fd, *args)
            except BlockingIOError:
                continue

    def _wait_ready(self, until: int | None, events: int) -> None:
        """Poll until a deadline, in whole ms; a closed socket is left to the call itself.

        Raises TimeoutError without an errno. CPython internal_select.
        """
        if self._fd < 0:
            return
        left = None
        if until is not None:
            left = -(min(self.image.world.now - until, 0) // MS) * MS
        if not tasks.running().syscall(calls.poll, [(self._fd, events)], left):
            raise TimeoutError("timed out")


def _blocking(call: "Callable[..., T | Blocked]", *args: object) -> T:
    """Make a call of the running thread that may wait."""
    return tasks.running().syscall(call, *args)


def _kernel(call: "Callable[..., T]", *args: object) -> T:
    """Make a call of the running thread that never waits."""
    return tasks.running().enter(call, *args)


def set_timeout(sock: Socket, ns: int | None) -> None:
    """Do what ``settimeout`` does, from outside the program: it stands in no trace."""
    sock._set_timeout(ns)  # noqa: SLF001  ours


def timeout_ns(value: "Seconds") -> int:
    """Read a timeout as CPython does: rounded up, never negative."""
    ns = to_ns(value)
    if ns < 0:
        raise ValueError("Timeout value out of range")
    return ns


def _host(host: object) -> str:
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii")
    if not isinstance(host, str):
        msg = f"str, bytes or bytearray expected, not {type(host).__name__}"
        raise TypeError(msg)
    return host


def _port(port: object, call: str) -> int:
    number = whole(port)
    if not 0 <= number <= _PORT_MAX:
        msg = f"{call}(): port must be 0-65535."
        raise OverflowError(msg)
    return number


def _octets(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        view = memoryview(cast("Buffer", data))  # it says itself what it can't take
    except TypeError:
        msg = f"a bytes-like object is required, not '{type(data).__name__}'"
        raise TypeError(msg) from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.tobytes()


def _writable(buffer: "Buffer", call: str) -> memoryview:
    """Give the octets of a buffer that can be written to."""
    try:
        view = memoryview(buffer)
    except TypeError:
        view = memoryview(b"")
    if view.readonly:
        kind = type(buffer).__name__
        msg = f"{call}() argument 1 must be read-write bytes-like object, not {kind}"
        raise TypeError(msg)
    return view.cast("B")


def _single_segment(buffer: "Buffer") -> memoryview:
    """As ``_writable``, in other words."""
    try:
        return _writable(buffer, "recvmsg_into")
    except TypeError:
        msg = "recvmsg_into() argument 1 must be an iterable of single-segment read-write buffers"
        raise TypeError(msg) from None


def _size(size: int, call: str) -> int:
    number = whole(size)
    if number < 0:
        msg = f"negative buffersize in {call}"
        raise ValueError(msg)
    return number


def _anc_room(ancbufsize: int) -> int:
    room = whole(ancbufsize)
    if not 0 <= room <= INT_MAX:
        raise ValueError("invalid ancillary data buffer length")
    return room


def _room(room: memoryview, nbytes: int, call: str) -> int:
    if whole(nbytes) < 0:
        msg = f"negative buffersize in {call}"
        raise ValueError(msg)
    return nbytes or len(room)


def make(image: "Image") -> ModuleType:
    """Make the module; its class belongs to one process."""
    kind = type("socket", (Socket,), {"__slots__": (), "__module__": "_socket", "image": image})
    own = Netdb(image)
    names = (
        "close dup getdefaulttimeout setdefaulttimeout getaddrinfo gethostbyname gethostbyname_ex "
        "gethostbyaddr getnameinfo gethostname sethostname getservbyname getservbyport "
        "getprotobyname if_nameindex if_nametoindex if_indextoname"
    )
    offered: dict[str, object] = {name: getattr(own, name) for name in names.split()}
    offered |= {"socket": kind, "SocketType": kind, "has_ipv6": True, "error": OSError}
    return assemble(
        real,
        offered,
        passed=(
            *("inet_aton", "inet_ntoa", "inet_pton", "inet_ntop"),
            *("htonl", "htons", "ntohl", "ntohs", "CMSG_LEN", "CMSG_SPACE"),
            *("gaierror", "herror", "timeout"),
        ),
        # ``socket.socketpair`` has a fallback over loopback.
        absent=("socketpair",),
    )
