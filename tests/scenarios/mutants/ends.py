"""Stacks that do what the notes claim of how a connection ends."""

from errno import ENOBUFS, EPIPE
from typing import Final, NoReturn

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.sockets import transfer
from halfopen.sockets.constants import POLLHUP, POLLIN, POLLRDHUP, POLLRDNORM
from halfopen.sockets.errors import fail
from halfopen.sockets.sock import TcpSock
from halfopen.tcp import admission, calls, emit, text, window
from halfopen.tcp.arrives import synchronized
from halfopen.tcp.tcb import Tcb
from halfopen.wire.tcp import Segment
from halfopen.world.host import Host


def only_read_tells_of_a_fin(patch: pytest.MonkeyPatch) -> None:
    """To poll, select and epoll a peer that has closed looks like one that is silent."""
    really = TcpSock.poll_mask

    def poll_mask(self: TcpSock) -> int:
        mask = really(self) & ~(POLLRDHUP | POLLHUP)
        if self.tcb is not None and not self.tcb.rcv_queued:
            mask &= ~(POLLIN | POLLRDNORM)
        return mask

    patch.setattr(TcpSock, "poll_mask", poll_mask)


def what_does_not_fit_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """The window stays open, and what comes to a full buffer is forgotten without a word."""

    def select_window(tcb: Tcb) -> int:
        return tcb.rcv_ssthresh

    def admit(tcb: Tcb, takes: int, seq: int) -> bool:
        return tcb.rmem <= tcb.rcvbuf

    def is_predicted(tcb: Tcb, seg: Segment, takes: int, *, end: int, right: int) -> bool:
        return False

    patch.setattr(window, "select_window", select_window)
    patch.setattr(admission, "admit", admit)
    patch.setattr(admission, "is_predicted", is_predicted)


def a_write_without_room_fails(patch: pytest.MonkeyPatch) -> None:
    """Who finds no room is told so, and does not wait."""

    def wait_to_send(*_: object) -> NoReturn:
        raise fail(ENOBUFS)

    patch.setattr(transfer, "_wait_to_send", wait_to_send)


def nobody_minds_what_comes_after_a_close(patch: pytest.MonkeyPatch) -> None:
    """No segment is answered with an RST."""

    def reset_for(seg: Segment) -> None:
        """Answer nothing."""

    patch.setattr(emit, "reset_for", reset_for)


def every_write_after_an_rst_is_a_broken_pipe(patch: pytest.MonkeyPatch) -> None:
    """The RST itself is told as EPIPE, from the first call on."""

    def reset_errno(tcb: Tcb) -> int:
        return EPIPE

    patch.setattr(text, "reset_errno", reset_errno)


def a_crash_is_silent(patch: pytest.MonkeyPatch) -> None:
    """The kernel forgets a dead process's connections without a word."""

    def silent(self: TcpSock, now: int) -> None:
        """Forget."""

    patch.setattr(TcpSock, "exit", silent)


def every_close_sends_a_fin(patch: pytest.MonkeyPatch) -> None:
    """What was not read is forgotten, SO_LINGER means nothing."""
    really = calls.close

    def close(tcb: Tcb, now: int, *, linger: int | None = None) -> None:
        tcb.ready.clear()
        tcb.ready_costs.clear()
        tcb.rcv_queued = tcb.rmem = 0
        really(tcb, now)

    patch.setattr(calls, "close", close)


def a_close_only_stops_sending(patch: pytest.MonkeyPatch) -> None:
    """Whoever has closed still takes what comes, like after shutdown(SHUT_WR)."""

    def close(tcb: Tcb, now: int, *, linger: int | None = None) -> None:
        calls.shutdown_write(tcb, now)

    patch.setattr(calls, "close", close)


def a_power_cut_is_a_crash(patch: pytest.MonkeyPatch) -> None:
    """A host that loses power still closes its programs' connections."""

    def power_off(self: Host, now: int) -> None:
        for process in list(self.processes):
            process.end("power off", now, closes=True)

    patch.setattr(Host, "power_off", power_off)


def a_boot_resets_old_peers(patch: pytest.MonkeyPatch) -> None:
    """A host that boots tells those who were connected to it, so that their next write fails."""
    really = Host.power_on

    def power_on(self: Host, now: int) -> None:
        really(self, now)
        for other in self.world.hosts.values():
            kernel = other.kernel
            if kernel is None or other is self:
                continue
            for tcb in list(kernel.ip.demux.flows.values()):
                if tcb.flow[2] in self.addresses and not tcb.minisock:
                    synchronized.reset(tcb, now)
            kernel.settle(now)
            other.flush(now)

    patch.setattr(Host, "power_on", power_on)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N01", "packets are dropped once the buffer is full", what_does_not_fit_is_dropped),
    ("N02", "write fails because the peer's buffer is full", a_write_without_room_fails),
    ("N03", "a close sends a FIN", every_close_sends_a_fin),
    ("N04", "who has closed can still receive", a_close_only_stops_sending),
    ("N05", "only read tells of a FIN", only_read_tells_of_a_fin),
    ("N06", "nobody knows of a crash without a write or keepalive", a_crash_is_silent),
    ("N07", "no FIN is sent when a process crashes", a_crash_is_silent),
    ("N08", "read blocks, or times out, when a process crashed", a_crash_is_silent),
    ("N09", "an RST answers a write when the host crashed", a_power_cut_is_a_crash),
    ("N10", "a power cut is the same as a crash", a_power_cut_is_a_crash),
    ("N13", "the first write after a reboot gives ECONNRESET", a_boot_resets_old_peers),
    ("N32", "writing after a FIN is fine", nobody_minds_what_comes_after_a_close),
    ("N33", "writing after an RST gives EPIPE", every_write_after_an_rst_is_a_broken_pipe),
)
