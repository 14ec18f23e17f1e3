"""The round-trip time, and what is timed by it: RTO and loss probe.

Linux tcp_rtt_estimator, tcp_schedule_loss_probe. The samples come by traffic; the numbers are the
kernel's formulas by hand.
"""

from typing import Final

import pytest
from tests.unit.tcp.cells import PLAIN, SACKING
from tests.unit.tcp.ends import IRS, ISS, Options, Ours

from halfopen.base.units import MS
from halfopen.tcp.minmax import RunningMin
from halfopen.wire.tcp import ACK, SYN

SEQ: Final = IRS + 1
NXT: Final = ISS + 1


def opened(first_ms: int, options: Options = PLAIN) -> Ours:
    """A connection whose handshake took so long."""
    end = Ours(options)
    end.connect()
    end.wait(first_ms * MS)
    end.arrives(SYN | ACK, IRS, ISS + 1, wnd=60_000)
    end.nodelay()
    return end


@pytest.mark.parametrize(
    ("first_ms", "then_ms", "tells"),
    [
        pytest.param(
            100,
            (140, 40, 100),
            [
                (840_000, 190_000, 200_000, 308),
                (775_000, 192_187, 200_000, 300),
                (778_125, 147_266, 200_000, 300),
            ],
            id="it wavers: the variance is 200 ms at least",
        ),
        pytest.param(
            100,
            (280, 120, 120, 120),
            [
                (980_000, 330_000, 330_000, 456),
                (977_500, 250_000, 310_000, 436),
                (975_313, 189_687, 282_500, 408),
                (973_399, 144_180, 261_875, 384),
            ],
            id="it jumps: the variance rises at once and falls by quarters",
        ),
        pytest.param(
            100,
            (3, 3),
            [(703_000, 205_875, 205_875, 296), (618_125, 210_050, 210_050, 288)],
            id="it falls: that counts an eighth as variance",
        ),
        pytest.param(
            0,
            (0, 1),
            [(8, 2, 200_000, 204), (1_007, 1_001, 200_000, 204)],
            id="it takes no time: a µs",
        ),
    ],
)
def test_samples(
    first_ms: int, then_ms: tuple[int, ...], tells: list[tuple[int, int, int, int]]
) -> None:
    """Eight times SRTT, four times its deviation, the variance, all in µs; the RTO in ms."""
    end = opened(first_ms)
    tcb, found = end.held(), []
    for number, took in enumerate(then_ms, 1):
        end.write(b"x")
        end.wait(took * MS)
        end.arrives(ACK, SEQ, NXT + number, wnd=60_000)
        found.append((tcb.srtt_us8, tcb.mdev_us4, tcb.rttvar_us, tcb.rto_ns // MS))
    assert found == tells


def test_no_rto_is_longer_than_tcp_rto_max_ms() -> None:
    end = Ours(sysctl={"net.ipv4.tcp_rto_max_ms": 1_000})
    end.connect()
    end.wait(900 * MS)
    end.arrives(SYN | ACK, IRS, ISS + 1)
    assert end.held().srtt_us8 == 900_000 * 8
    assert end.held().rto_ns == 1_000 * MS


@pytest.mark.parametrize(
    ("first_ms", "sizes", "due_ms"),
    [
        pytest.param(0, (1,), 208, id="one: an RTO"),
        pytest.param(100, (1,), 332, id="one, far away"),
        pytest.param(0, (1_460, 1), 8, id="two: two round trips and 2 ms"),
        pytest.param(40, (1_460, 1), 88, id="two, 40 ms away"),
        pytest.param(100, (1_460, 1), 208, id="two, 100 ms away"),
        pytest.param(250, (1_460, 1), 534, id="two, so far away that the RTO is not later"),
    ],
)
def test_a_loss_probe_waits_for_two_round_trips(
    first_ms: int, sizes: tuple[int, ...], due_ms: int
) -> None:
    """RFC 8985 7.2; on a tick of 4 ms, coarser ones from 63 ticks on."""
    end = opened(first_ms, SACKING)
    for size in sizes:
        end.write(bytes(size))
    assert end.next_deadline() == end.now + due_ms * MS


@pytest.mark.parametrize("size", [1, 1_460])
def test_the_rto_after_a_probe_counts_from_the_probe(size: int) -> None:
    """Linux tcp_send_loss_probe."""
    end = opened(40, SACKING)
    end.write(bytes(1_460))
    end.write(bytes(size))
    assert end.pass_deadline()
    assert end.held().tlp_high_seq is not None
    probed_at = end.now
    assert end.next_deadline() is not None
    assert 240 * MS <= (end.next_deadline() or 0) - probed_at <= 248 * MS


@pytest.mark.parametrize(
    ("measured", "least"),
    [
        pytest.param(((10, 0), (30, 50), (20, 100)), 10, id="the first of them"),
        pytest.param(((10, 0), (10, 50), (20, 150)), 10, id="as small again: it lasts longer"),
        pytest.param(((10, 0), (30, 25), (40, 101)), 40, id="none in the window's quarters"),
        pytest.param(((10, 0), (30, 26), (40, 101)), 30, id="one after a quarter"),
        pytest.param(
            ((10, 0), (20, 30), (30, 50), (40, 101), (50, 131)), 40, id="none after the half"
        ),
        pytest.param(
            ((10, 0), (20, 30), (30, 51), (40, 101), (50, 131)), 30, id="one after the half"
        ),
        pytest.param(((10, 0), (30, 30), (20, 40), (40, 101)), 20, id="a smaller second"),
        pytest.param(((10, 0), (20, 30), (30, 60), (25, 70), (40, 131)), 25, id="a smaller third"),
        pytest.param(((10, 0), (20, 30), (30, 201)), 30, id="all are too old"),
    ],
)
def test_the_least_of_a_window(measured: tuple[tuple[int, int], ...], least: int) -> None:
    """Of 100 ticks, by three candidates (Linux lib/win_minmax.c)."""
    running = RunningMin()
    assert [running.take(took, at, 100) for took, at in measured][-1] == least
