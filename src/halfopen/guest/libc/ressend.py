"""Queries on their way to the name servers and back (glibc resolv/res_send.c).

Over UDP with sockets of the host, the questions for A and AAAA side by side from one of them;
over TCP where a response was cut off.
"""

import _socket
import errno
from struct import pack, unpack
from typing import TYPE_CHECKING, Final, NoReturn

from halfopen.base.units import MS, S
from halfopen.base.value import value
from halfopen.guest import tasks
from halfopen.guest.libc import message
from halfopen.guest.libc.message import MalformedError, Message
from halfopen.sockets import calls
from halfopen.sockets.constants import POLLIN
from halfopen.wire.address import is_v6

if TYPE_CHECKING:
    from halfopen.guest.libc.resolvconf import Server
    from halfopen.guest.libc.state import Res
    from halfopen.sockets.names import Address

PORT: Final = 53
_DATAGRAM: Final = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK
_OCTETS_MAX: Final = 65536
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
#: With these a server says that it can't, or won't; the next one is asked.
_NOT_THIS_ONE: Final = frozenset({message.SERVFAIL, message.NOTIMP, message.REFUSED})


class NoAnswerError(Exception):
    """No answer came, and errno says why. ``again``: the same server may be asked once more."""

    def __init__(self, number: int, *, again: bool = False) -> None:
        super().__init__(number)
        self.number = number
        self.again = again


class NextServerError(Exception):
    """This server is of no use."""


@value
class Answers:
    """What came, in the order in which it did; None: not of use."""

    first: Message | None
    second: Message | None = None


class Sending:
    """One query, or two that go together, until there are answers or no server is left."""

    def __init__(self, res: "Res", queries: list[bytes]) -> None:
        self.res = res
        self.queries = queries
        self.asked = [message.parse(each) for each in queries]
        self.sockets = Sockets(res)
        self.got_somewhere = False
        self.over_tcp = "use-vc" in res.conf.flags

    def run(self) -> Answers:
        """Ask the servers one after another, all of them so often. Raises NoAnswerError."""
        try:
            return self._run()
        finally:
            self.sockets.close()

    def _run(self) -> Answers:
        conf = self.res.conf
        count = len(conf.servers)
        error = errno.ETIMEDOUT
        rotates = count > 1 and "rotate" in conf.flags
        offset = self.res.libc.turn(count) if rotates else 0
        for _ in range(conf.attempts):
            for shift in range(count):
                number = (shift + offset) % count
                try:
                    if not self.over_tcp:
                        return Datagrams(self, number).run()
                except NextServerError:
                    if not self.over_tcp:
                        continue
                try:
                    return converse(self, conf.servers[number])
                except NoAnswerError as failed:
                    error = failed.number
            if self.over_tcp:
                raise NoAnswerError(error)  # over TCP each server is tried once
        raise NoAnswerError(errno.ETIMEDOUT if self.got_somewhere else errno.ECONNREFUSED)


class Sockets:
    """The UDP sockets of one sending, one for each server; a query that is repeated keeps it."""

    def __init__(self, res: "Res") -> None:
        self.res = res
        self._fds: dict[int, int] = {}

    def open(self, number: int) -> int:
        """Return the socket for a server, tied to it, so that ICMP errors are told (glibc reopen).

        Raises NextServerError where no way leads there, NoAnswerError where none is to be had.
        """
        if number in self._fds:
            return self._fds[number]
        thread = tasks.running()
        server = self.res.conf.servers[number]
        v6 = is_v6(server.address)
        family = int(_socket.AF_INET6 if v6 else _socket.AF_INET)
        try:
            fd = thread.enter(calls.socket, family, _DATAGRAM, 0, thread.world.now)
        except OSError as error:
            raise NoAnswerError(error.errno or 0) from error
        self._fds[number] = fd
        level, option = _socket.IPPROTO_IP, _IP_RECVERR
        if v6:
            level, option = _socket.IPPROTO_IPV6, _IPV6_RECVERR
        thread.enter(calls.setsockopt, fd, int(level), option, 1, thread.world.now)
        try:
            thread.syscall(calls.connect, fd, address_of(self.res, server))
        except OSError:
            self.close()
            raise NextServerError from None
        return fd

    def close(self) -> None:
        """Let go of all."""
        for number in list(self._fds):
            tasks.running().syscall(calls.close, self._fds.pop(number))


class Datagrams:
    """A talk over UDP with one server (glibc send_dg)."""

    def __init__(self, sending: Sending, number: int) -> None:
        self.sending = sending
        self.res = sending.res
        self.number = number
        self.sockets = sending.sockets
        conf = self.res.conf
        seconds = conf.timeout << number
        if number:
            seconds //= len(conf.servers)
        self.wait_ns = max(seconds, 1) * S
        self.fd = -1
        self.bad = False  # one of two was refused
        self.good: list[Message] = []

    def run(self) -> Answers:
        """Send the queries and hear the answers; with one of two lost, ask one after another.

        Raises NextServerError; where the answer was cut off, after noting that TCP is called for.
        """
        before = self.sending.got_somewhere
        self.fd = self.sockets.open(self.number)
        while True:
            answers = self._ask()
            if answers is not None:
                return answers
            # There are servers that hear one query at a time, or one from each socket.
            if not self.res.single_request:
                self.res.single_request = True
            elif not self.res.reopens:
                self.res.reopens = True
                self._reopen()
            else:
                return Answers(first=self.good[0])
            self.sending.got_somewhere = before

    def _ask(self) -> Answers | None:
        """Go through it once; None: of two answers one was lost."""
        deadline = tasks.running().world.now + self.wait_ns
        self.good, self.bad = [], False
        waiting = list(self.sending.asked)
        unsent = list(self.sending.queries)
        self._send(unsent, 1 if self.res.single_request else len(unsent))
        while self._wait(deadline):
            heard = self._receive(waiting)
            if heard is None or not self._take(heard):
                continue
            if not waiting:
                return self._answers()
            if unsent:
                if self.res.reopens:
                    self._reopen()
                self._send(unsent, 1)
        if self.good:
            return None
        self.sending.got_somewhere = True
        raise NextServerError

    def _take(self, heard: Message) -> bool:
        """Look at an answer; False: it is of no use, and another one's may still come."""
        if not (self.good or self.bad):
            self.res.rcode = heard.rcode
        if heard.rcode in _NOT_THIS_ONE or heard.is_lame:
            if self.good:
                return True
            if self.bad:
                raise NextServerError  # and the socket stays for the next round
            if len(self.sending.asked) == 1 or self.res.single_request:
                self._give_up()
            self.bad = True
            return False
        if heard.truncated:
            self.sending.over_tcp = True
            self._give_up()
        self.good.append(heard)
        return True

    def _answers(self) -> Answers:
        if self.bad:
            return Answers(first=None, second=self.good[0])
        return Answers(first=self.good[0], second=self.good[1] if len(self.good) > 1 else None)

    def _give_up(self) -> NoReturn:
        self.sockets.close()
        raise NextServerError

    def _reopen(self) -> None:
        self.sockets.close()
        self.fd = self.sockets.open(self.number)

    def _send(self, unsent: list[bytes], count: int) -> None:
        """Send so many of what is to be sent."""
        for position in range(count):
            # What the first has met is told to the second, which is then sent all the same.
            if not self._put(unsent[0]) and (not position or not self._put(unsent[0])):
                self._give_up()
            del unsent[0]

    def _put(self, data: bytes) -> bool:
        try:
            tasks.running().syscall(calls.send, self.fd, data, int(_socket.MSG_NOSIGNAL))
        except OSError:
            return False
        return True

    def _wait(self, deadline: int) -> bool:
        """Wait for something to read, in whole ms; False: the time is up."""
        thread = tasks.running()
        left = max(deadline - thread.world.now, 0) // MS * MS
        ready = thread.syscall(calls.poll, [(self.fd, POLLIN)], left)
        if ready and not ready[0][1] & POLLIN:
            self._give_up()  # an error
        return bool(ready)

    def _receive(self, waiting: list[Message]) -> Message | None:
        """Take a datagram, and off the list what it answers; None: it answers nothing."""
        try:
            octets, _ = tasks.running().syscall(calls.recvfrom, self.fd, _OCTETS_MAX, 0)
        except OSError:
            self._give_up()
        if octets:
            self.sending.got_somewhere = True
        if len(octets) < message.HEADER:
            self._give_up()
        try:
            heard = message.parse(octets)
        except MalformedError:
            return None
        for asked in waiting:
            matches = _is_refusal(octets, heard) or _same_question(heard, asked)
            if heard.ident == asked.ident and matches:
                waiting.remove(asked)
                return heard
        return None


def converse(sending: Sending, server: "Server") -> Answers:
    """Ask one server over TCP, once more where it resets the connection (glibc send_vc).

    Raises NoAnswerError.
    """
    try:
        return _converse(sending, server)
    except NoAnswerError as failed:
        if not failed.again:
            raise
    return _converse(sending, server)


def _converse(sending: Sending, server: "Server") -> Answers:
    thread = tasks.running()
    there = address_of(sending.res, server)
    family = int(_socket.AF_INET6 if is_v6(server.address) else _socket.AF_INET)
    whole = b"".join(pack("!H", len(each)) + each for each in sending.queries)
    try:
        stream = int(_socket.SOCK_STREAM)
        fd = thread.enter(calls.socket, family, stream, 0, thread.world.now)
    except OSError as error:
        raise NoAnswerError(error.errno or 0) from error
    try:
        try:
            thread.syscall(calls.connect, fd, there)
            thread.syscall(calls.send, fd, whole, 0)
        except OSError as error:
            raise NoAnswerError(error.errno or 0) from error
        return _hear(sending, fd)
    finally:
        thread.syscall(calls.close, fd)


def _hear(sending: Sending, fd: int) -> Answers:
    """Read responses until every query has one."""
    waiting = [each.ident for each in sending.asked]
    heard: list[Message] = []
    while waiting:
        (size,) = unpack("!H", _read(fd, 2, again=True))
        if size < message.HEADER:
            raise NoAnswerError(errno.EMSGSIZE)
        octets = _read(fd, size)
        (ident,) = unpack("!H", octets[:2])
        if ident not in waiting:
            continue
        waiting.remove(ident)
        try:
            heard.append(message.parse(octets))
        except MalformedError:
            raise NoAnswerError(errno.EMSGSIZE) from None
        if len(heard) == 1:
            sending.res.rcode = heard[0].rcode
    return Answers(first=heard[0], second=heard[1] if len(heard) > 1 else None)


def _read(fd: int, size: int, *, again: bool = False) -> bytes:
    """Read so many octets of a connection. Raises NoAnswerError where it ends before."""
    thread = tasks.running()
    octets = b""
    while len(octets) < size:
        try:
            part = thread.syscall(calls.recv, fd, size - len(octets), 0)
        except OSError as error:
            number = error.errno or 0
            raise NoAnswerError(number, again=again and number == errno.ECONNRESET) from error
        if not part:
            raise NoAnswerError(0)
        octets += part
    return octets


def address_of(res: "Res", server: "Server") -> "Address":
    """Write a server's address for the kernel."""
    if not is_v6(server.address):
        return server.address, PORT
    return server.address, PORT, 0, res.libc.zone(server.address, server.zone)


def _is_refusal(octets: bytes, heard: Message) -> bool:
    """Whether it is a header alone: there are servers that don't repeat the question."""
    bare = len(octets) == message.HEADER and not heard.counts[0]
    return bare and heard.rcode in _NOT_THIS_ONE


def _same_question(heard: Message, asked: Message) -> bool:
    name, *what = heard.question
    wanted, *of = asked.question
    return heard.counts[0] == asked.counts[0] and name.lower() == wanted.lower() and what == of
