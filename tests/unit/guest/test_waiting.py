"""Who waits, where, since when and for what; what never waits and never ends is stopped."""
# ruff: noqa: T201  programs print

import queue
import re
import select
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.unit.guest.guests import Stage, alone

from halfopen.base.units import MS, S
from halfopen.world.events import InstantLimitError
from halfopen.world.process import Waiting


def deadlocks() -> None:
    """Take two locks in two orders."""
    first, second = threading.Lock(), threading.Lock()

    def other() -> None:
        with second:
            time.sleep(2)
            with first:  # the other waits here
                print("never")

    threading.Thread(target=other, name="other").start()
    with first:
        time.sleep(1)
        with second:  # the main thread waits here
            print("never")


def _line(comment: str) -> tuple[str, str]:
    """Find a line of this file by its comment: the place and the text that a report shows."""
    with open(__file__) as file:
        for number, line in enumerate(file, 1):
            if line.rstrip().endswith(f"# {comment}"):
                return f"test_waiting.py:{number}", line.strip()
    raise AssertionError(comment)


class Chatty:
    """Asks a socket something while another call is being made."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def __index__(self) -> int:
        return len(self.sock.getsockname())  # 2


def receives() -> None:
    """Wait for data, with another call made while this one begins."""
    listener = socket.create_server(("127.0.0.1", 80))
    near = socket.create_connection(("127.0.0.1", 80))
    near.recv(Chatty(listener))  # type: ignore[arg-type]


def test_a_call_within_another_is_not_the_one_that_waits() -> None:
    """A destructor, or a signal's handler, may call where another call has been entered."""
    stage = Stage()
    stage.start(receives)
    (waits,) = stage.run().waiting
    assert waits.call == "recv"


def test_a_deadlock_names_every_thread_its_line_and_since_when() -> None:
    stage = Stage()
    stage.start(deadlocks)
    rest = stage.run()
    assert rest.end == "still"
    assert rest.at_ns == 2 * S
    found = {each.thread: each for each in rest.waiting}
    assert list(found) == ["main", "other"]
    for thread, comment, since_ns in (
        ("main", "the main thread waits here", S),
        ("other", "the other waits here", 2 * S),
    ):
        where, line = _line(comment)
        assert found[thread] == Waiting(
            host="a",
            process="deadlocks",
            thread=thread,
            where=where,
            line=line,
            call="acquire",
            what="a lock",
            since_ns=since_ns,
            until_ns=None,
        )


def waits_for_work() -> None:
    threading.Thread(target=queue.Queue[None]().get, name="idle").start()


def test_a_thread_with_no_line_of_the_program_is_shown_in_the_library() -> None:
    stage = Stage()
    stage.start(waits_for_work)
    found = {each.thread: each for each in stage.run().waiting}
    idle = found["idle"]
    assert re.fullmatch(r"threading\.py:\d+", idle.where)
    assert (idle.line, idle.call, idle.own) == ("waiter.acquire()", "acquire", False)


def for_a_while(sock: socket.socket) -> None:
    sock.settimeout(5)
    sock.recv(1)


def in_poll(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll()


def in_epoll(sock: socket.socket) -> None:
    selector = selectors.EpollSelector()
    selector.register(sock, selectors.EVENT_READ)
    selector.select()


def for_a_thread(sock: socket.socket) -> None:
    thread = threading.Thread(target=sock.recv, args=(1,), daemon=True)
    thread.start()
    thread.join()


def for_a_notice(_: socket.socket) -> None:
    condition = threading.Condition()
    with condition:
        condition.wait()


def for_a_lock(_: socket.socket) -> None:
    lock = threading.Lock()
    with lock:
        lock.acquire()


def into_a_full_queue(_: socket.socket) -> None:
    full = queue.Queue[int](1)
    full.put(1)
    full.put(2)


WAYS: dict[str, Callable[[socket.socket], object]] = {
    "recv": lambda sock: sock.recv(1),
    "recv for a while": for_a_while,
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
    "readline": lambda sock: sock.makefile().readline(),
    "send": lambda sock: sock.sendall(bytes(10**8)),
    "accept": lambda _: socket.create_server(("", 0)).accept(),
    "connect": lambda _: socket.create_connection(("b", 80)),
    "select": lambda sock: select.select([sock], [], []),
    "poll": in_poll,
    "epoll": in_epoll,
    "sleep": lambda _: time.sleep(3),
    "join": for_a_thread,
    "event": lambda _: threading.Event().wait(),
    "condition": for_a_notice,
    "queue": lambda _: queue.Queue[int]().get(),
    "full queue": into_a_full_queue,
    "lock": for_a_lock,
}


def waits(place: str) -> None:
    """Wait at one call, after a second."""
    near, far = socket.socketpair()
    time.sleep(1)
    with far:
        WAYS[place](near)


@pytest.mark.parametrize(
    ("place", "call", "what", "lasts_ns"),
    [
        ("recv", "recv", "data", None),
        ("recv for a while", "recv", "an event", 5 * S),
        ("recv_into", "recv_into", "data", None),
        ("readline", "recv_into", "data", None),
        ("send", "sendall", "room", None),
        ("accept", "accept", "a connection", None),
        ("connect", "connect", "the handshake", None),
        ("select", "select", "an event", None),
        ("poll", "poll", "an event", None),
        ("epoll", "epoll_wait", "an event", None),
        ("sleep", "sleep", "time", 3 * S),
        ("lock", "acquire", "a lock", None),
        ("event", "acquire", "a notice", None),
        ("condition", "acquire", "a notice", None),
        ("queue", "acquire", "an item", None),
        ("full queue", "acquire", "room in a queue", None),
        ("join", "acquire", "a thread's end", None),
    ],
)
def test_a_wait_says_what_for(place: str, call: str, what: str, lasts_ns: int | None) -> None:
    stage = Stage()
    stage.host("b").power_off(0)
    stage.start(waits, place)
    rest = stage.run(2 * S)
    main = next(each for each in rest.waiting if each.thread == "main")
    assert (main.call, main.what, main.since_ns) == (call, what, S)
    assert main.until_ns == (None if lasts_ns is None else S + lasts_ns)
    assert main.where.startswith("test_waiting.py:")


def waits_at_its_end() -> None:
    threading.Thread(target=threading.Event().wait, name="forgotten").start()


def test_a_process_that_can_not_end_says_for_whom_it_waits() -> None:
    stage = Stage()
    stage.start(waits_at_its_end)
    rest = stage.run()
    assert rest.end == "still"
    assert [each.thread for each in rest.waiting] == ["main", "forgotten"]
    assert stage.end("waits_at_its_end") == ""


def test_a_world_in_which_all_have_ended_is_over() -> None:
    stage = Stage()
    stage.start(time_passes)
    assert stage.run().end == "over"


def time_passes() -> None:
    print(time.monotonic_ns(), time.perf_counter_ns() - time.monotonic_ns(), time.process_time())
    time.sleep(86_400)
    print(time.monotonic_ns())


def test_a_day_passes_in_no_time() -> None:
    began = time.monotonic()
    stage = alone(time_passes)
    assert stage.lines("time_passes") == ["100000000000 0 0.0", "86500000000000"]
    assert time.monotonic() - began < 15


def sleeps(name: str, seconds: float) -> None:
    time.sleep(seconds)
    print(name)


def test_who_sleeps_less_wakes_first_and_equals_in_order_of_their_start() -> None:
    stage = Stage()
    for name, seconds in (("x", 2), ("y", 1), ("z", 2), ("w", 1.5)):
        stage.start(sleeps, name, seconds, name=name)
    stage.run()
    printed = [event.process for event in stage.outputs()]
    assert printed == ["y", "w", "x", "z"]


@pytest.mark.parametrize(
    ("timeout", "lasts_ns"), [(0.0001, MS), (0.001, MS), (0.0011, 2 * MS), (1.5, 1500 * MS)]
)
def test_a_timeout_of_a_socket_lasts_whole_milliseconds(timeout: float, lasts_ns: int) -> None:
    """As CPython rounds it up for poll (internal_select)."""
    stage = Stage()
    stage.start(times_out, timeout)
    assert stage.run().at_ns == lasts_ns
    assert stage.output("times_out") == "timed out\n"


def times_out(timeout: float) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(timeout)
        try:
            sock.recv(1)
        except TimeoutError as late:
            print(late)


# Without end.


def asks_the_time() -> None:
    while True:
        time.time()


def asks_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    while not lock.acquire(blocking=False):
        pass


def sleeps_not_at_all() -> None:
    while True:
        time.sleep(0)


def polls() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    while True:
        with suppress(BlockingIOError):
            near.recv(1)
            far.close()


def selects() -> None:
    near, _far = socket.socketpair()
    while True:
        select.select([], [near], [])


def spins_in_a_thread() -> None:
    threading.Thread(target=asks_the_time).start()
    time.sleep(5)


def spins_behind_a_catch() -> None:
    while True:
        try:
            asks_the_time()
        except BaseException:  # noqa: BLE001  what the test is about
            print("caught")


@pytest.mark.parametrize(
    ("program", "call"),
    [
        (asks_the_time, "time in"),
        (asks_for_a_lock, "acquire in"),
        (sleeps_not_at_all, "sleep of"),
        (polls, "recv in"),
        (selects, "select in"),
        (spins_in_a_thread, "time in"),
        (spins_behind_a_catch, "time in"),
    ],
)
def test_calls_without_end_at_one_instant_are_a_spin(
    program: Callable[..., object], call: str
) -> None:
    stage = Stage(instant_events_max=500)
    stage.start(program)
    with pytest.raises(
        InstantLimitError, match=rf"{call} {program.__name__} at test_waiting\.py:\d+:"
    ) as caught:
        stage.run()
    assert caught.value.limit == 500
    assert stage.output(program.__name__) == ""


def asks_now_and_then() -> None:
    for _ in range(1000):
        time.time()
        time.sleep(0.001)
    print("done")


def test_a_loop_in_which_time_passes_is_none() -> None:
    stage = Stage(instant_events_max=50)
    stage.start(asks_now_and_then)
    stage.run()
    assert stage.lines("asks_now_and_then") == ["done"]
    assert stage.world.now == 1000 * MS
