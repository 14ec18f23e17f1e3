"""How long a call waits under SO_SNDTIMEO, and what it takes when its time is up."""
# ruff: noqa: T201  programs print

import socket
import struct
import time

from tests.unit.guest.guests import Stage
from tests.unit.sockets.socks import IRS, Socks

from halfopen.base.units import MS, S
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.jiffies import fires_at, ticks_left
from halfopen.wire.tcp import ACK, PSH, Segment

#: SO_SNDTIMEO in µs: long enough for a coarse slot of the timer wheel.
PATIENCE_US = 700_000
PORT = 80


def never_reads() -> None:
    listener = socket.create_server(("10.0.0.2", PORT))
    conn, _ = listener.accept()
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    time.sleep(10)


def writes_much() -> None:
    sock = socket.create_connection(("10.0.0.2", PORT))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    timeval = struct.pack("@qq", 0, PATIENCE_US)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    for _ in range(3):
        before = time.monotonic()
        try:
            print(sock.send(bytes(1 << 20)), end=" ")
        except BlockingIOError:
            print("EAGAIN", end=" ")
        print(round(1000 * (time.monotonic() - before)))


def lines() -> list[list[str]]:
    stage = Stage()
    stage.start(never_reads, host="b")
    stage.world.run(10 * MS)
    stage.start(writes_much)
    stage.run(9 * S)
    return [line.split() for line in stage.lines("writes_much")]


def test_when_time_is_up_room_that_woke_nobody_is_not_taken() -> None:
    """Linux sk_stream_wait_memory: less than a third of the buffer is free."""
    first, second, third = lines()
    assert first[0].isdigit()
    assert second[0].isdigit(), "the second call finds what had become free meanwhile"
    assert third[0] == "EAGAIN"
    assert all(700 <= int(ms) <= 740 for _, ms in (first, second, third))


def test_what_is_left_after_a_wake_up_is_waited_for_more_precisely() -> None:
    begun, delay, phase = 0, 644 * MS, 0
    whole = fires_at(begun, delay, phase)
    late = 620 * MS
    rest = fires_at(late, ticks_left(begun, delay, late, phase), phase)
    assert delay <= rest < whole, "a near timer fires on its tick, a far one up to 32 ms later"


def test_nothing_is_left_of_a_delay_that_is_over() -> None:
    assert ticks_left(0, 100 * MS, 104 * MS, 0) <= 0


def receiving(socks: Socks, fd: int, wait: Wait) -> bytes | Blocked:
    return calls.recv(socks.table, fd, 8, c.MSG_WAITALL, wait, socks.now)


def four_octets_come(socks: Socks) -> None:
    seg = Segment(socks.peers_flow(), IRS + 1, socks.tcb().snd_nxt, PSH | ACK, 60_000, text=b"news")
    socks.arrives(seg)


def limit(socks: Socks, fd: int, seconds: int) -> None:
    timeval = struct.pack("@qq", seconds, 0)
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_RCVTIMEO, timeval, socks.now)


def test_what_is_set_while_a_call_waits_is_for_the_next_one() -> None:
    """Linux sock_rcvtimeo: asked once, when the call is entered."""
    socks = Socks()
    fd = socks.opened()
    calls.setblocking(socks.table, fd, True)
    wait = Wait(socks.now)
    assert isinstance(receiving(socks, fd, wait), Blocked)
    limit(socks, fd, 1)
    socks.now += 2 * S
    calls.setblocking(socks.table, fd, False)
    four_octets_come(socks)
    woken = receiving(socks, fd, wait)
    assert isinstance(woken, Blocked)
    assert woken.deadline is None
    calls.setblocking(socks.table, fd, True)
    again = receiving(socks, fd, Wait(socks.now))
    assert isinstance(again, Blocked)
    assert again.deadline is not None


def test_a_limit_taken_back_while_a_call_waits_still_ends_it() -> None:
    socks = Socks()
    fd = socks.opened()
    calls.setblocking(socks.table, fd, True)
    limit(socks, fd, 1)
    wait = Wait(socks.now)
    assert isinstance(receiving(socks, fd, wait), Blocked)
    limit(socks, fd, 0)
    four_octets_come(socks)
    socks.now += 2 * S
    assert receiving(socks, fd, wait) == b"news"
