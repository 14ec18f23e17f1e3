"""Signals that come while a program waits; rows/signal.txt has what CPython does too."""
# ruff: noqa: T201  programs print

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest
from tests.unit.guest.guests import DELAY_NS, Stage, alone

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import MS, S

SERVER = ("10.0.0.2", 80)


def listens() -> None:
    listener = socket.create_server(SERVER)
    listener.accept()
    time.sleep(10)


def connects(returns: bool) -> None:
    """Be interrupted in the middle of the handshake; ask what is there afterwards."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print("signal", time.monotonic() - began)
        if not returns:
            raise ValueError(number)

    time.sleep(0.1)
    began = time.monotonic()
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    sock = socket.socket()
    try:
        sock.connect(SERVER)
        print("connected", round(time.monotonic() - began, 3))
    except ValueError as error:
        print("error", error)
        sock.connect(SERVER)
        print("connected", round(time.monotonic() - began, 3))
    print(sock.getpeername()[1], sock.connect_ex(SERVER))


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        # Python polls and asks SO_ERROR: the kernel's socket is connecting still, and says so once.
        (True, ["signal 0.005", "connected 0.02", "80 0"]),
        (False, ["signal 0.005", "error 14", "connected 0.02", "80 106"]),
    ],
)
def test_connect_goes_on_whatever_the_handler_does(returns: bool, said: list[str]) -> None:
    assert DELAY_NS == 10 * MS
    stage = Stage()
    stage.start(listens, host="b")
    stage.start(connects, returns)
    stage.run()
    lines = stage.lines("connects")
    assert [lines[0][:12], *lines[1:]] == said


def dies() -> None:
    signal.alarm(2)
    time.sleep(10)
    print("never")


def test_a_signal_without_a_handler_ends_the_process() -> None:
    stage = alone(dies)
    assert stage.end("dies") == "SIGALRM"
    assert stage.lines("dies") == []


def ends_before() -> None:
    signal.signal(signal.SIGALRM, print)
    signal.alarm(2)


def test_an_alarm_of_a_process_that_has_ended_is_nobody_s() -> None:
    stage = alone(ends_before)
    assert stage.end("ends_before") == "exit 0"


def takes_a_lock_in_time() -> None:
    """The lock comes at the very instant of the signal, whose handler raises."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        raise ValueError

    lock = threading.Lock()
    lock.acquire()

    def release() -> None:
        time.sleep(1)
        lock.release()

    threading.Thread(target=release).start()
    signal.signal(signal.SIGALRM, handler)
    signal.alarm(1)
    try:
        lock.acquire()
    except ValueError:
        print("interrupted")
    print(lock.locked())


def test_a_lock_that_comes_with_the_signal_is_had() -> None:
    assert alone(takes_a_lock_in_time).lines("takes_a_lock_in_time") == ["interrupted", "True"]


def sends_much() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    listener = socket.create_server(("10.0.0.1", 80))
    sock = socket.create_connection(listener.getsockname())
    signal.alarm(1)
    sock.sendall(bytes(50_000_000))


def receives_all() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    listener = socket.create_server(("10.0.0.1", 80))
    sock = socket.create_connection(listener.getsockname())
    conn, _ = listener.accept()
    conn.send(b"some")
    signal.alarm(1)
    sock.recv(10, socket.MSG_WAITALL)


@pytest.mark.parametrize("program", [sends_much, receives_all])
def test_a_call_that_has_done_a_part_is_not_interrupted(program: Callable[[], None]) -> None:
    with pytest.raises(NotPossibleHereError, match="in the middle of a call"):
        alone(program)


def another_thread_fails(call: str) -> None:
    """Another thread's call raises at the very instant of the signal, and comes first."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print(threading.current_thread().name)

    def fails() -> None:
        sock = socket.socket()
        time.sleep(1)
        try:
            if call == "recv":
                sock.recv(1)
            os.write(sock.fileno(), b"x")
        except OSError as error:
            print(errno.errorcode[error.errno or 0])

    signal.signal(signal.SIGALRM, handler)
    threading.Thread(target=fails).start()
    time.sleep(0)
    signal.alarm(1)
    time.sleep(2)


@pytest.mark.parametrize(("call", "said"), [("recv", "ENOTCONN"), ("write", "EPIPE")])
def test_a_handler_runs_in_the_main_thread(call: str, said: str) -> None:
    stage = alone(another_thread_fails, call)
    assert stage.lines("another_thread_fails") == [said, "MainThread"]


def signals_itself_elsewhere(handled: bool) -> None:
    if handled:
        signal.signal(signal.SIGTERM, print)
    threading.Thread(target=signal.raise_signal, args=(signal.SIGTERM,)).start()
    time.sleep(1)
    print("never")


def kills_itself_elsewhere() -> None:
    threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
    time.sleep(1)
    print("never")


@pytest.mark.parametrize(
    ("program", "args"), [(signals_itself_elsewhere, (False,)), (kills_itself_elsewhere, ())]
)
def test_a_thread_may_send_what_ends_the_process(
    program: Callable[..., None], args: tuple[object, ...]
) -> None:
    stage = alone(program, *args)
    assert stage.end(program.__name__) == "SIGTERM"
    assert stage.lines(program.__name__) == []


# From another process, as tests/scenarios/test_signalling.py holds them against the kernel.


def hears(restarts: bool) -> None:
    """Say what signals do to a call that waits."""
    began = time.monotonic()

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print("handler", number, round(time.monotonic() - began, 3))

    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGSYS, RT):
        signal.signal(number, handler)
        if restarts:
            signal.siginterrupt(number, False)
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 7))
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno())
    print(sock.recv(10), list(told.recv(100)))
    signal.set_wakeup_fd(-1)
    time.sleep(10)


def sends(pid: int, *numbers: int) -> None:
    """Send signals, and then what the other one waits for; the last signal comes late."""
    time.sleep(1)
    for number in numbers[:-1]:
        os.kill(pid, number)
    time.sleep(1)
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"data", ("127.0.0.1", 7))
    time.sleep(1)
    os.kill(pid, numbers[-1])


RT = signal.SIGRTMIN + 3


@pytest.mark.parametrize(
    ("restarts", "numbers", "said", "end"),
    [
        (
            *(False, (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM)),
            *(["handler 10 1.0", "handler 12 1.0", "b'data' [12, 10]"], "SIGTERM"),
        ),
        (
            *(True, (signal.SIGUSR2, signal.SIGUSR1, RT)),
            *(["handler 10 2.0", "handler 12 2.0", "b'data' [12, 10]", "handler 37 3.0"], ""),
        ),
        (
            *(False, (RT, RT, signal.SIGCHLD, signal.SIGRTMIN + 4)),
            *(["handler 37 1.0", "b'data' [37, 37]"], "SIGRTMIN+4"),
        ),
        (False, (signal.SIGSTOP, signal.SIGTERM, RT, signal.SIGCONT), [], "SIGTERM"),
        (False, (signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM, signal.SIGCONT), [], "SIGHUP"),
        (False, (signal.SIGSTOP, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT), [], "SIGHUP"),
        (False, (signal.SIGSTOP, signal.SIGSEGV, signal.SIGHUP, signal.SIGCONT), [], "SIGSEGV"),
        (False, (signal.SIGSTOP, signal.SIGKILL, 0), [], "SIGKILL"),
        (
            *(False, (signal.SIGSTOP, RT, signal.SIGUSR1, signal.SIGCONT)),
            *(["handler 10 3.0", "handler 18 3.0", "handler 37 3.0", "b'data' [37, 18, 10]"], ""),
        ),
        (
            *(False, (signal.SIGSTOP, signal.SIGSYS, signal.SIGUSR1, signal.SIGCONT)),
            *(["handler 10 3.0", "handler 18 3.0", "handler 31 3.0", "b'data' [18, 10, 31]"], ""),
        ),
    ],
)
def test_signals_of_another_process(
    restarts: bool, numbers: tuple[int, ...], said: list[str], end: str
) -> None:
    stage = Stage()
    other = stage.start(hears, restarts)
    stage.start(sends, other.process.pid, *numbers)
    stage.run(9 * S)
    assert stage.lines("hears") == said
    assert stage.end("hears") == end


def waits_for_a_thread() -> None:
    """Another thread sends itself a signal; nothing ends what the main thread waits in."""
    began = time.monotonic()

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print(number, threading.current_thread().name, round(time.monotonic() - began, 3))

    def raises() -> None:
        time.sleep(1)
        signal.raise_signal(signal.SIGUSR1)
        time.sleep(1)

    signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=raises)
    thread.start()
    thread.join()


def test_a_handler_that_another_thread_sets_off_runs_later() -> None:
    lines = alone(waits_for_a_thread).lines("waits_for_a_thread")
    assert lines == ["10 MainThread 2.0"]


def stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    print("goes on")


def goes_on(pid: int) -> None:
    time.sleep(1)
    os.kill(pid, signal.SIGCONT)


def test_a_process_may_stop_itself() -> None:
    stage = Stage()
    other = stage.start(stops_itself)
    stage.run(1 * S // 2)
    assert stage.lines("stops_itself") == []
    stage.start(goes_on, other.process.pid)
    stage.run()
    assert stage.lines("stops_itself") == ["goes on"]


def does(call: str) -> None:
    CALLS[call]()


CALLS: dict[str, Callable[[], object]] = {
    "by which a terminal stops": lambda: os.kill(os.getpid(), signal.SIGTSTP),
    "a group of processes": lambda: os.kill(0, signal.SIGTERM),
    "the C library's own": lambda: os.kill(os.getpid(), signal.SIGRTMIN - 1),
    "a signal that is blocked": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_is_not_simulated_of_signals(call: str) -> None:
    with pytest.raises(NotPossibleHereError, match=call):
        alone(does, call)
