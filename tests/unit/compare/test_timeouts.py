"""The timer of a call, beside those of its connection."""

from tests.unit.compare.changes import alter, found, returns_later
from tests.unit.compare.story import Call, Seg, Story, starts, story

from halfopen.base.units import MS, S
from halfopen.compare.rules import JITTER_NS, TICK_NS
from halfopen.wire.tcp import ACK, PSH, SYN


def test_what_is_sent_meanwhile_does_not_make_a_call_s_own_timer_shorter() -> None:
    """SO_SNDTIMEO runs from the call's entry, while the connection goes on sending."""
    wait = Call(2000 * MS, 2700 * MS, "client", "send", fd=0, result=1000)
    text = Seg(2650 * MS, "client", PSH | ACK, 6, 1, b"x", lost="cable out")
    world: Story = {"client again": starts(2 * S, "client")} | story()
    world |= {"wait": wait, "text": text}
    alter("client starts", at=0)(world)
    limit = JITTER_NS + 2 * TICK_NS + TICK_NS * 700 // 200 + 32 * MS
    assert found(returns_later("wait", limit - MS), world=world) == []
    assert found(returns_later("wait", limit + MS), world=world)


def test_a_connect_of_which_nothing_is_seen_set_the_timer_itself() -> None:
    """The SYN waits for a neighbour that never answers: no packet stands between."""
    world: Story = {
        "client starts": starts(0, "client"),
        "wait": Call(100 * MS, 1000 * MS, "client", "connect", fd=0, errno="EHOSTUNREACH"),
    }
    limit = JITTER_NS + 2 * TICK_NS + TICK_NS * 900 // 200 + 32 * MS
    assert found(returns_later("wait", limit - MS), world=world) == []
    assert found(returns_later("wait", limit + MS), world=world)


def test_a_connect_whose_syn_is_seen_ends_by_the_timer_of_that() -> None:
    """Sent again 200 ms before: what 900 ms would allow is not allowed."""
    world: Story = {
        "client starts": starts(0, "client"),
        "wait": Call(100 * MS, 1000 * MS, "client", "connect", fd=0, errno="ETIMEDOUT"),
        "again": Seg(800 * MS, "client", SYN, 0, lost="cable out"),
    }
    limit = JITTER_NS + 2 * TICK_NS + TICK_NS
    assert found(returns_later("wait", limit - MS), world=world) == []
    assert found(returns_later("wait", limit + MS), world=world)
