"""The comparison of times: how far a moment may lie from what it followed from, and no further."""

import pytest
from tests.unit.compare.changes import (
    alter,
    both,
    drop,
    found,
    returns_later,
    shift,
    shift_from,
)
from tests.unit.compare.story import (
    KERNEL,
    VARIANT,
    WORLD,
    Call,
    Seg,
    Story,
    ends,
    mark,
    starts,
    story,
    tell,
    timer,
)

from halfopen.base.units import MS, S
from halfopen.compare.rules import EXIT_NS, JITTER_NS, KILL_NS, TICK_NS, ending, wheel
from halfopen.compare.traces import differences
from halfopen.wire.tcp import ACK, PSH

AT_ONCE = JITTER_NS
#: From the first time that hello was sent to the second: 230 ms, by a timer of TCP.
SENT_AGAIN = AT_ONCE + 2 * TICK_NS + TICK_NS * 230 // 200
US = 1000
#: For 1780 ms.
SINCE_FIN = AT_ONCE + 2 * TICK_NS + TICK_NS * 1780 // 200 + 32 * MS

#: What is moved on the kernel, how far it may be, what is said where it is further.
MOVES = [
    ("a program's call", lambda by: shift(by, "close"), AT_ONCE, "client calls close()"),
    ("a call's end", lambda by: returns_later("recv", by), AT_ONCE, "server's recv(100) gives"),
    ("an answer", lambda by: shift(by, "ACK of hello"), AT_ONCE, "server sends ACK seq 1 ack 6"),
    (
        "what a timer sends",
        lambda by: shift(by, "hello again", "ACK of both"),
        SENT_AGAIN,
        "client sends PSH,ACK",
    ),
    ("a start", lambda by: shift_from(20 * MS, by), AT_ONCE, "client starts"),
    ("a fault", lambda by: shift(by, "cable"), AT_ONCE, "cable out"),
    ("a mark", lambda by: shift(by, "accepted"), AT_ONCE, 'server marks "accepted"'),
    ("an exit", lambda by: shift(by, "client ends"), AT_ONCE + EXIT_NS, "client ends (exit 0)"),
    (
        "what an exit sends",
        lambda by: both(shift(by, "FIN", "ACK of FIN", "poll"), returns_later("recv again", by)),
        AT_ONCE + EXIT_NS,
        "client sends FIN,ACK",
    ),
    ("a kill", lambda by: shift(by, "server ends"), AT_ONCE + KILL_NS, "server ends (SIGKILL)"),
]


@pytest.mark.parametrize(
    ("move", "limit", "words"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES]
)
def test_a_moment_may_be_so_late_and_no_later(move, limit: int, words: str) -> None:  # type: ignore[no-untyped-def]
    assert found(move(limit - 100 * US)) == []
    seen = [each for each in found(move(limit + 100 * US)) if f": {words}" in each.text]
    assert [each.kind for each in seen if "later on the kernel, counted" in each.text] == ["time"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("close", AT_ONCE),
        ("ACK of hello", AT_ONCE),
        ("cable", AT_ONCE),
        ("client ends", AT_ONCE),
        ("server ends", AT_ONCE),
    ],
)
def test_a_moment_may_be_so_early_and_no_earlier(name: str, limit: int) -> None:
    assert found(shift(-limit + 100 * US, name)) == []
    seen = found(shift(-limit - 100 * US, name))
    assert any("earlier on the kernel" in difference.text for difference in seen)


def test_what_an_earlier_moment_was_late_is_counted_once() -> None:
    """Everything from the client's send on comes a second late, and only the send is said so."""
    (seen,) = found(shift_from(90 * MS, S))
    assert seen.text == (
        "at 90 ms: client calls send(b'hello'): 1 s later on the kernel, counted from "
        "'client starts' (tolerance 2 ms)"
    )


def test_small_delays_may_add_up() -> None:
    """Each within what is allowed from the one before: together they are not."""
    steps = both(shift_from(90 * MS, AT_ONCE), shift_from(400 * MS, AT_ONCE))
    assert found(steps) == []


def test_a_longer_wait_of_a_timer_is_rounded_up_further() -> None:
    """From 2 s on a slot of the timer wheel is 256 ms wide."""
    world = story()
    alter("hello again", at=3090 * MS)(world)
    alter("ACK of both", at=3100 * MS)(world)
    alter("cable", at=3200 * MS)(world)
    limit = AT_ONCE + 2 * TICK_NS + TICK_NS * 2670 // 200 + 256 * MS  # since the FIN
    late = both(shift(limit - MS, "hello again"), shift(limit - MS, "ACK of both"))
    assert found(late, world=world) == []
    late = both(shift(limit + MS, "hello again"), shift(limit + MS, "ACK of both"))
    (seen,) = found(late, world=world)
    assert seen.text.startswith("at 3.09 s: client sends PSH,ACK seq 1 ack 1 len 5: 320.4 ms later")


def test_a_timer_that_was_armed_long_ago_gets_no_more_than_a_wait_of_the_last() -> None:
    """Sent at 0.09, 0.32, 3.9 and 4 s: for the last, what 3.7 s would allow is not allowed."""
    world = story() | {
        "third": Seg(3900 * MS, "client", PSH | ACK, 1, 1, b"hello"),
        "fourth": Seg(4000 * MS, "client", PSH | ACK, 1, 1, b"hello"),
    }
    assert found(shift(13 * MS, "fourth"), world=world) == []
    assert found(shift(15 * MS, "fourth"), world=world)


def test_a_timer_may_act_at_the_instant_of_something_else() -> None:
    """The world says that a timer fired; else an answer follows from the arrival at once."""
    late = shift(9 * MS, "ACK of hello")
    assert found(late)
    assert found(late, world={"timer": timer(100 * MS, "server")} | story()) == []
    assert found(late, world={"timer": timer(100 * MS, "client")} | story())


@pytest.mark.parametrize(
    ("call", "errno", "limit"),
    [
        ("poll", None, AT_ONCE),
        ("recv", "timeout", AT_ONCE),  # settimeout polls
        ("recv", "EAGAIN", AT_ONCE + 2 * TICK_NS + TICK_NS),  # SO_RCVTIMEO
        ("sendall", None, SINCE_FIN),  # SO_SNDTIMEO, or the connection that gave up
        ("close", None, SINCE_FIN),  # SO_LINGER, or the same
    ],
)
def test_a_wait_that_ends_by_itself_is_exact_unless_the_kernel_timed_it(
    call: str, errno: str | None, limit: int
) -> None:
    wait = Call(2000 * MS, 2200 * MS, "client", call, fd=0, errno=errno)
    world: Story = {"client again": starts(2 * S, "client")} | story() | {"wait": wait}
    alter("client starts", at=0)(world)
    assert found(returns_later("wait", limit - 100 * US), world=world) == []
    assert found(returns_later("wait", limit + 100 * US), world=world)


def test_a_call_that_a_connection_ends_lies_by_the_timer_of_its_last_segment() -> None:
    """A retransmission that is given up: nothing is sent, the call fails some time after."""
    world = story()
    alter("recv again", until=730 * MS, result=None, errno="ETIMEDOUT")(world)
    for name in ("FIN", "ACK of FIN", "poll", "close", "client ends"):
        del world[name]
    limit = AT_ONCE + 2 * TICK_NS + TICK_NS * 700 // 200 + 32 * MS
    assert found(returns_later("recv again", limit - MS), world=world) == []
    assert found(returns_later("recv again", limit + MS), world=world)


def test_how_late_the_wire_was_is_allowed_for() -> None:
    """One packet lay about for 5 ms longer than its link's delay."""
    lay = alter("ACK of FIN", trip=15 * MS)
    assert found(lay) == []
    assert found(both(lay, shift(6 * MS, "close"))) == []
    assert found(both(lay, shift(8 * MS, "close")))


def test_a_packet_that_arrives_before_its_time_is_seen() -> None:
    (seen,) = found(alter("ACK of FIN", trip=5 * MS))
    assert "server's ACK seq 1 ack 7 arrives: 5 ms earlier on the kernel" in seen.text


def test_a_kernel_that_answers_another_host_explains_nothing_here() -> None:
    """At one instant something happens on each host: neither follows from the other."""
    world = story() | {"mark": mark(400 * MS, "server", "x"), "more": mark(400 * MS, "client", "y")}
    late = both(shift(5 * MS, "mark"), shift(5 * MS, "more"))
    assert len(found(late, world=world)) == 2


def test_two_that_are_late_together_do_not_excuse_each_other() -> None:
    """What came first at an instant may explain what came second, not the other way round."""
    late = both(shift(9 * MS, "ACK of hello"), returns_later("recv", 9 * MS))
    texts = [difference.text for difference in found(late)]
    assert len(texts) == 1
    assert "counted from 'client's PSH,ACK seq 1 ack 1 len 5 arrives'" in texts[0]


def test_another_order_on_one_host_is_seen() -> None:
    """A process's calls drift, a little at each; then one comes behind another process's mark."""
    world = story() | {
        f"call {at}": Call(at * MS, at * MS, "client", "getsockopt", fd=0, process="third")
        for at in (100, 150, 200, 250, 300)
    }
    world["mark"] = mark(304 * MS, "client", "x", process="other")
    world["other begins"] = mark(0, "client", "y", process="other")
    world["third begins"] = mark(0, "client", "z", process="third")
    drift = both(
        *(
            shift(number * 1900 * US, f"call {at}")
            for number, at in enumerate((100, 150, 200, 250, 300), start=1)
        )
    )
    assert [difference.kind for difference in found(drift, world=world)] == ["order"]


def test_times_are_compared_where_something_else_differs_too() -> None:
    seen = found(both(alter("send", result=4), shift(5 * MS, "cable")))
    assert [difference.kind for difference in seen] == ["call", "time"]


@pytest.mark.parametrize(
    ("wait", "granularity"),
    [
        (40 * MS, 0),
        (255 * MS, 0),
        (256 * MS, 32 * MS),
        (2047 * MS, 32 * MS),
        (2048 * MS, 256 * MS),
        (16383 * MS, 256 * MS),
        (60 * S, 2048 * MS),
        (7200 * S, 16384 * MS),
    ],
)
def test_the_wheel_is_coarser_for_longer_waits(wait: int, granularity: int) -> None:
    """Linux calc_index at HZ 250: 64 slots a level, each level eight times as coarse."""
    assert wheel(wait) == granularity


def test_no_time_is_allowed_for_where_no_power_is() -> None:
    assert (ending("power off"), ending("SIGKILL"), ending("exit 0")) == (0, KILL_NS, EXIT_NS)
    world = story()
    alter("server ends", make=ends(0, "server", "power off").make)(world)
    assert found(shift(AT_ONCE - 100 * US, "server ends"), world=world) == []
    assert found(shift(AT_ONCE + 100 * US, "server ends"), world=world)


@pytest.mark.parametrize(("took_ms", "late_ms", "fits"), [(400, 401, True), (400, 403, False)])
def test_an_exit_may_be_as_late_as_its_interpreter_took(
    took_ms: int, late_ms: int, fits: bool
) -> None:
    kernel = story()
    shift(late_ms * MS, "client ends")(kernel)
    told = tell(kernel, KERNEL)
    told.meta["finalizing_ns"] = {"client": [took_ms * MS]}
    assert (differences(VARIANT, tell(story(), WORLD), told) == []) is fits


@pytest.mark.parametrize(
    ("process", "end_ms", "late_ms", "fits"),
    [
        ("client", 900, 100, True),
        ("client", 900, 103, False),
        ("client", 800, 100, False),
        ("server", 900, 100, False),
    ],
)
def test_what_an_interpreter_sends_before_it_waits_is_sent_by_its_end(
    process: str, end_ms: int, late_ms: int, fits: bool
) -> None:
    """A close that lingers: the FIN leaves when the interpreter lets go of the socket.

    As late as the interpreter took beside its wait, which the world's has, too.
    """
    world, kernel = story(), story()
    for steps in (world, kernel):
        drop("close")(steps)
        shift(480 * MS, "client ends")(steps)
    shift(late_ms * MS, "client ends", "FIN", "ACK of FIN", "poll")(kernel)
    alter("recv again", until=(430 + late_ms) * MS)(kernel)
    ours, theirs = tell(world, WORLD), tell(kernel, KERNEL)
    theirs.meta["finalizing_ns"] = {"client": [580 * MS]}
    ours.meta["over_ns"] = [[process, 420 * MS, end_ms * MS]]
    assert (differences(VARIANT, ours, theirs) == []) is fits


def test_what_follows_from_a_fault_follows_on_every_host() -> None:
    world = story() | {"mark": mark(S, "server", "goes on"), "more": mark(S, "client", "too")}
    late = shift(50 * MS, "cable", "mark", "more")
    (seen,) = found(late, world=world)
    assert "cable out" in seen.text


def test_a_probe_lies_by_the_one_before() -> None:
    """A segment without text is sent again too, where it asks whether anybody is there."""
    world = story() | {
        "probe": Seg(2000 * MS, "client", ACK, 6, 1, lost="cable out"),
        "again": Seg(2100 * MS, "client", ACK, 6, 1, lost="cable out"),
    }
    both_late = shift(200 * MS, "probe", "again")
    assert [each.text[:9] for each in found(both_late, world=world)] == ["at 2 s: c"]


def test_a_delayed_ack_lies_by_the_arrival() -> None:
    """What arrives late, though nothing was sent for long, is acknowledged as late."""
    world = story() | {
        "text": Seg(2000 * MS, "client", PSH | ACK, 6, 1, b"x"),
        "ACK": Seg(2050 * MS, "server", ACK, 1, 7, lost="cable out"),
    }
    late = shift(S, "text", "ACK")
    assert [each.text[:9] for each in found(late, world=world)] == ["at 2 s: c"]
    assert found(both(late, shift(8 * MS, "ACK")), world=world)[1:] == []
    assert found(both(late, shift(15 * MS, "ACK")), world=world)[1:]
