"""A peer that is silent: the closed window (RFC 9293 3.8.6.1), and the heartbeat (3.8.4)."""

from errno import ETIMEDOUT
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import At, says, timeline
from tests.unit.tcp.ends import IRS, ISS, Ours, Sent

from halfopen.base.units import HOUR, S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, PSH, RST, SYN

SEQ: Final = IRS + 1
NXT: Final = ISS + 1
#: A probe has an old number, so that it is answered.
PROBE = says(ACK, NXT - 1, SEQ)


def shut_out(sysctl: dict[str, int | str] | None = None) -> Ours:
    """The peer's window is closed, and text waits."""
    end = Ours(sysctl=sysctl)
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=0)
    end.write(b"hello")
    assert end.sent()[-1:] != [says(PSH | ACK, NXT, SEQ, 5)]
    return end


def answered(end: Ours, duration_ns: int) -> list[tuple[int, Sent]]:
    """Let time pass; every probe is answered: still closed."""
    begun = end.now
    seen = []
    while end.pass_deadline(begun + duration_ns):
        for sent in end.sent():
            seen.append(((end.now - begun) // S, sent))
            end.arrives(ACK, SEQ, NXT, wnd=0)
    return seen


def test_probes_go_out_ever_more_rarely() -> None:
    end = shut_out()
    assert timeline(end, 7 * S) == [(At(at), PROBE) for at in (0.2, 0.6, 1.4, 3.0, 6.2)]


def test_answered_probes_go_on_for_ever() -> None:
    end = shut_out()
    seen = answered(end, 3 * HOUR)
    assert {sent for _, sent in seen} == {PROBE}
    assert seen[-1][0] - seen[-2][0] <= 125, "two minutes are the longest wait"
    assert end.state is State.ESTABLISHED


def test_unanswered_ones_do_not() -> None:
    """tcp_retries2 probes (Linux tcp_probe_timer)."""
    end = shut_out(sysctl={"net.ipv4.tcp_retries2": 4})
    assert len(timeline(end, 100 * S)) == 4
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_an_orphan_gives_up_sooner() -> None:
    end = shut_out()
    end.close()
    end.wait(1_000 * S)
    assert end.state is State.CLOSED


def test_user_timeout_ends_it() -> None:
    end = shut_out()
    end.held().user_timeout_ns = 2 * S
    end.wait(3 * S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_when_the_window_opens_the_text_goes() -> None:
    end = shut_out()
    end.wait(S)
    end.sent()
    end.arrives(ACK, SEQ, NXT, wnd=100)
    assert end.sent() == [says(PSH | ACK, NXT, SEQ, 5)]


def test_what_fits_goes_as_the_probe() -> None:
    """A small window that silly window avoidance would not fill (Linux tcp_write_wakeup)."""
    end = shut_out()
    end.write(bytes(3_000))
    end.arrives(ACK, SEQ, NXT, wnd=3)
    end.sent()
    end.wait(S)
    assert end.sent()[0] == says(PSH | ACK, NXT, SEQ, 3)


def taken_back() -> Ours:
    """Text is in flight when the peer takes its window back."""
    end = Ours()
    reach.established(end)
    end.write(b"hello")
    end.arrives(ACK, SEQ, NXT, wnd=0)
    end.sent()
    return end


def test_a_window_that_was_taken_back_is_probed_with_the_text() -> None:
    end = taken_back()
    seen = timeline(end, 2 * S)
    assert [sent for _, sent in seen] == [says(PSH | ACK, NXT, SEQ, 5)] * 3


def test_it_lasts_for_ever_while_the_peer_answers() -> None:
    """Linux tcp_rtx_probe0_timed_out."""
    end = taken_back()
    begun = end.now
    while end.pass_deadline(begun + HOUR):
        if end.sent():
            end.arrives(ACK, SEQ, NXT, wnd=0)
    assert end.state is State.ESTABLISHED


def test_and_not_when_it_is_silent() -> None:
    end = taken_back()
    end.wait(400 * S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_nor_longer_than_the_user_wants_answered_or_not() -> None:
    """TCP_USER_TIMEOUT: no progress is no answer."""
    end = taken_back()
    end.held().user_timeout_ns = 5 * S
    begun = end.now
    while end.pass_deadline(begun + 8 * S):
        if end.sent() and end.state is State.ESTABLISHED:
            end.arrives(ACK, SEQ, NXT, wnd=0)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


# Keepalive.


def beating(idle_s: int = 10, interval_s: int = 2, count: int = 3) -> Ours:
    """The options were set before connect."""
    end = Ours()
    opened = end.config
    opened.keepalive_time_ns = idle_s * S
    opened.keepalive_intvl_ns = interval_s * S
    opened.keepalive_probes = count
    end.connect()
    end.held().keepalive = True
    end.arrives(SYN | ACK, IRS, ISS + 1)
    end.sent()
    return end


def test_a_silent_peer_is_probed_and_then_given_up() -> None:
    end = beating()
    reset = says(RST | ACK, NXT, SEQ)
    assert timeline(end, 30 * S) == [
        (At(10), PROBE),
        (At(12), PROBE),
        (At(14), PROBE),
        (At(16), reset),
    ]
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_two_hours_and_eleven_minutes_by_default() -> None:
    end = Ours()
    end.connect()
    end.held().keepalive = True
    end.arrives(SYN | ACK, IRS, ISS + 1)
    end.wait(2 * HOUR + 11 * 60 * S)
    assert end.state is State.ESTABLISHED
    end.wait(900 * S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


@pytest.mark.parametrize("text", [b"", b"alive"], ids=["by an ACK", "by text"])
def test_an_answer_begins_the_wait_again(text: bytes) -> None:
    end = beating()
    end.wait(11 * S)
    end.sent()
    end.arrives(ACK, SEQ, NXT, text)
    end.wait(9 * S)
    assert PROBE not in end.sent()
    end.wait(3 * S)
    assert says(ACK, NXT - 1, SEQ + len(text)) in end.sent()


def test_text_of_its_own_takes_the_place_of_the_heartbeat() -> None:
    end = beating()
    end.wait(9 * S)
    end.write(b"x")
    end.sent()
    assert PROBE not in [sent for _, sent in timeline(end, 20 * S)]


def test_user_timeout_takes_the_place_of_the_count() -> None:
    end = beating(count=100)
    end.held().user_timeout_ns = 15 * S
    end.wait(30 * S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_it_was_switched_off_meanwhile() -> None:
    end = beating()
    end.held().keepalive = False
    assert timeline(end, 100 * S) == []
    assert end.next_deadline() is None


def test_an_orphan_whose_probes_are_answered_gives_up_at_the_longest_rto() -> None:
    """Linux tcp_probe_timer: tcp_orphan_retries, which is 0, counts from there on."""
    end = shut_out()
    end.close()
    begun = end.now
    while end.pass_deadline(begun + HOUR):
        if end.sent() and end.state is not State.CLOSED:
            end.arrives(ACK, SEQ, NXT, wnd=0)
    assert end.state is State.CLOSED
    assert 330 <= (end.now - begun) // S <= 340, "the RTO reached two minutes"


def test_without_a_way_no_probe_leaves_and_with_one_the_next_does() -> None:
    end = shut_out()
    end.sent()
    end.ip.interfaces[0].up = False
    end.ip.reroute()
    assert timeline(end, 3 * S) == []
    end.ip.interfaces[0].up = True
    end.ip.reroute()
    assert [sent for _, sent in timeline(end, 10 * S)][:1] == [PROBE]


def test_user_timeout_waits_for_the_second_probe_and_no_longer() -> None:
    end = beating(count=100)
    end.held().user_timeout_ns = 11 * S
    end.wait(11 * S + S // 2)
    assert end.state is State.ESTABLISHED, "one probe is out"
    end.wait(S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)


def test_user_timeout_ends_a_window_that_was_taken_back_by_a_silent_peer() -> None:
    end = taken_back()
    end.held().user_timeout_ns = 3 * S
    end.wait(2 * S)
    assert end.state is State.ESTABLISHED
    end.wait(3 * S)
    assert (end.state, end.error()) == (State.CLOSED, ETIMEDOUT)
