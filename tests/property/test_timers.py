"""Laws of the kernel's clock: timers are late by little and never early; backoff adds up."""

from hypothesis import given
from hypothesis import strategies as st

from halfopen.base.units import HOUR, MS, S
from halfopen.tcp.jiffies import JIFFY, ceil_jiffies, fires_at, floor_jiffies, to_jiffies
from halfopen.tcp.rtt import model_timeout

instants = st.integers(0, 1_000 * HOUR)
delays = st.integers(0, 48 * HOUR)
phases = st.integers(0, (1 << 24) * JIFFY)


def granularity(delay: int) -> int:
    """A slot of the wheel's level for so long a delay: eight times as coarse at each."""
    ticks, slot = to_jiffies(delay), 1
    while ticks >= 63 * slot:
        slot *= 8
    return slot * JIFFY


@given(instants, delays, phases)
def test_a_timer_is_never_early(now: int, delay: int, phase: int) -> None:
    assert fires_at(now, delay, phase) >= now + delay


@given(instants, delays, phases)
def test_a_timer_is_late_by_a_tick_and_its_granularity_at_most(
    now: int, delay: int, phase: int
) -> None:
    assert fires_at(now, delay, phase) <= now + delay + JIFFY + granularity(delay)


@given(instants, delays, phases)
def test_a_timer_is_late_by_an_eighth_at_most(now: int, delay: int, phase: int) -> None:
    """The wheel of the kernel is built so (Linux calc_wheel_index)."""
    assert fires_at(now, delay, phase) - now - delay <= max(delay >> 3, 0) + 2 * JIFFY


@given(instants, delays, phases)
def test_timers_fire_on_ticks(now: int, delay: int, phase: int) -> None:
    assert (fires_at(now, delay, phase) + phase) % JIFFY == 0


@given(instants, delays, delays, phases)
def test_a_longer_timer_never_fires_before_a_shorter_one(
    now: int, one: int, other: int, phase: int
) -> None:
    short, long = sorted((one, other))
    assert fires_at(now, short, phase) <= fires_at(now, long, phase)


@given(delays)
def test_rounding_to_ticks(delay: int) -> None:
    assert floor_jiffies(delay) <= delay <= ceil_jiffies(delay) < floor_jiffies(delay) + 2 * JIFFY
    assert to_jiffies(delay) * JIFFY == ceil_jiffies(delay)


retries = st.integers(0, 40)
bases = st.sampled_from((200 * MS, 1 * S, 3 * S, 50 * MS))
maxima = st.sampled_from((120 * S, 10 * S, 1 * S))


@given(retries, bases, maxima)
def test_model_timeout_is_the_sum_of_the_doubled_waits(count: int, base: int, most: int) -> None:
    """The wait after the n-th retransmission is base << n, or the maximum.

    Linux tcp_model_timeout.
    """
    base = min(base, most)
    last = (most // base).bit_length() - 1
    waits = [base << n if n <= last else most for n in range(count + 1)]
    assert model_timeout(count, base, most) == sum(waits)


def test_the_durations_that_people_know() -> None:
    """tcp_retries2 15 is 924.6 s; tcp_syn_retries 6 from one second is 127 s."""
    assert model_timeout(15, 200 * MS, 120 * S) == 924_600 * MS
    assert model_timeout(6, 1 * S, 120 * S) == 127 * S
