"""The whole product State x stimulus.

Nothing raises, every move is legal, everything holds after it.

The states are reached by legal traffic; the sequence numbers of both ends wrap within the cells.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Final, TypeAlias

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Options, Ours, spell_flags
from tests.unit.tcp.soundness import complaints

from halfopen.base.units import S
from halfopen.tcp.skb import LOST
from halfopen.tcp.states import MAY_SEND, TRANSITIONS, State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.seq import WRAP
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

Stimulus: TypeAlias = Callable[[Ours], None]

#: So close to the wrap that a SYN, an octet and a FIN are on both sides of it.
NEAR_WRAP: Final = WRAP - 2

EVERYTHING: Final = Options(wscale=7, sack_ok=True, timestamps=True)
FLAGS: Final = [
    sum(chosen) for chosen in product(*((0, bit) for bit in (FIN, SYN, RST, PSH, ACK, URG)))
]
SEQS: Final = ("past", "one too early", "next", "in the window", "last", "beyond")
ACKS: Final = ("long past", "past", "SND.UNA", "SND.NXT", "unsent")
TEXTS: Final = (0, 60)


def fresh(way: Callable[[End], None], options: Options = EVERYTHING) -> Ours:
    """An end in a state."""
    end = Ours(options, iss=NEAR_WRAP, irs=NEAR_WRAP)
    way(end)
    return end


def numbers(end: Ours) -> tuple[int, int, int]:
    """RCV.NXT, SND.UNA and SND.NXT, as the tables count."""
    tcb = end.any
    if tcb is None or not tcb.irs:
        return IRS + 1, ISS + 1, ISS + 1
    return tcb.rcv_nxt - end.irs + IRS, tcb.snd_una - tcb.iss + ISS, tcb.snd_nxt - tcb.iss + ISS


def segments() -> Iterator[tuple[str, Stimulus]]:
    """Yield every segment, by where its numbers lie."""
    for flags, seq, size in product(FLAGS, SEQS, TEXTS):
        for ack in ACKS if flags & ACK else ("",):
            yield f"{spell_flags(flags)} {seq} {ack} {size}", segment(flags, seq, ack, size)


def segment(flags: int, seq: str, ack: str, size: int) -> Stimulus:
    def arrives(end: Ours) -> None:
        nxt, una, sent = numbers(end)
        at = {
            "past": nxt - 99,
            "one too early": nxt - 1,
            "next": nxt,
            "in the window": nxt + 9,
            "last": EDGE - 1,
            "beyond": EDGE + 1,
        }[seq]
        of = {
            "long past": una - 99_999,
            "past": una - 1,
            "SND.UNA": una,
            "SND.NXT": sent,
            "unsent": sent + 1,
            "": 0,
        }[ack]
        end.arrives(flags, at, of, bytes(size), urg=9)

    return arrives


def send(end: Ours) -> None:
    tcb = end.tcb
    if tcb is not None and tcb.state in MAY_SEND and not tcb.snd_shutdown:
        end.write(bytes(3_000))


def held(call: Callable[[Ours], object]) -> Stimulus:
    """A call that only a user with a descriptor can make."""

    def calls(end: Ours) -> None:
        if end.tcb is not None and not end.tcb.orphan:
            call(end)

    return calls


def hang_up(end: Ours) -> None:
    if end.tcb is not None or (end.listening is not None and not end.listening.closed):
        end.close()


CALLS: Final[tuple[tuple[str, Stimulus], ...]] = (
    ("send", send),
    ("receive", held(Ours.read)),
    ("shut down writing", held(Ours.shutdown_write)),
    ("shut down reading", held(Ours.shutdown_read)),
    ("close", hang_up),
    ("abort", held(Ours.abort)),
    ("keepalive", held(Ours.keepalive)),
)


def judge(end: Ours, stimulus: Stimulus) -> list[str]:
    """Let something happen, then the deadline that follows; list what went wrong."""
    before = end.any.state if end.any is not None else None
    stimulus(end)
    found = _look(end, before)
    if end.pass_deadline():
        found += _look(end, None)
    return found


def _look(end: Ours, before: State | None) -> list[str]:
    tcb = end.any
    if tcb is None:
        return []
    found = complaints(tcb, end.now)
    for move in end.effects.history:
        if move.new not in TRANSITIONS[move.old]:
            found.append(f"{move.old.name} -> {move.new.name} is not a legal move")
    if before is not None and tcb.state is not before and not reachable(before, tcb.state):
        found.append(f"{before.name} became {tcb.state.name}")
    if tcb.state is State.CLOSED and tcb in end.ip.demux.flows.values():
        found.append("a closed connection still has its flow")
    end.effects.history.clear()
    return found


def reachable(old: State, new: State) -> bool:
    """Whether legal moves, one after another, lead from one state to another."""
    seen: list[State] = [old]
    for state in seen:
        if state is not State.CLOSED:  # nothing comes back from there
            seen += [move for move in State if move in TRANSITIONS[state] and move not in seen]
    return new in seen


def busy(end: End) -> None:
    """Text is in flight, more waits for the window; some came in order, some early, unread."""
    reach.established(end)
    end.arrives(ACK, IRS + 1, ISS + 1, b"hello", wnd=20)  # 2560 octets: the window is scaled
    end.arrives(ACK, IRS + 9, ISS + 1, b"early", wnd=20)
    end.write(bytes(9_000))


def recovering(end: End) -> None:
    """A segment was reported lost, and sent again."""
    reach.established(end)
    end.arrives(ACK, IRS + 1, ISS + 1, wnd=500)
    end.write(bytes(12_000))
    end.arrives(ACK, IRS + 1, ISS + 1, wnd=500, sack=((ISS + 1 + 1_448, ISS + 1 + 5 * 1_448),))


def busy_closed(end: End) -> None:
    """The user is gone, and what it wrote is still to be delivered."""
    recovering(end)
    end.close()


BUSY: Final = {
    busy: State.ESTABLISHED,
    recovering: State.ESTABLISHED,
    busy_closed: State.FIN_WAIT_1,
}
WAYS: Final = [pytest.param(way, id=way.__name__) for way in (*reach.WAYS, *BUSY)]


@pytest.mark.parametrize("way", WAYS)
def test_the_way_leads_there(way: Callable[[End], None]) -> None:
    leads_to = (reach.WAYS | BUSY)[way]
    assert fresh(way).state is leads_to
    assert fresh(way, Options()).state is leads_to


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_segment(way: Callable[[End], None]) -> None:
    found = []
    for name, stimulus in segments():
        found += [f"{name}: {what}" for what in judge(fresh(way), stimulus)]
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", [Options(), EVERYTHING], ids=["plain", "all options"])
def test_every_call_and_every_call_after_it(way: Callable[[End], None], options: Options) -> None:
    found = []
    for (first, one), (second, other) in product(CALLS, repeat=2):
        end = fresh(way, options)
        found += [f"{first}: {what}" for what in judge(end, one)]
        found += [f"{first}, {second}: {what}" for what in judge(end, other)]
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", CALLS, ids=[name for name, _ in CALLS])
def test_every_deadline(way: Callable[[End], None], first: tuple[str, Stimulus]) -> None:
    """Each moves time on, and a connection that nobody answers comes to rest."""
    end = fresh(way)
    first[1](end)
    for _ in range(60):
        if not end.pass_deadline():
            break
        if end.any is not None:
            found = complaints(end.any, end.now)
            assert not found, found
    else:
        pytest.fail("sixty deadlines, and no end")


def raises(end: Ours) -> None:
    assert end.any is None, "our bug"


def moves_illegally(end: Ours) -> None:
    _any(end).state = State.LISTEN


def forgets_a_timer(end: Ours) -> None:
    _any(end).xmit_at = None


def stalls(end: Ours) -> None:
    _any(end).delack_at = end.now


def tells_nobody(end: Ours) -> None:
    tcb = _any(end)
    tcb.delack_at = end.now + 1
    tcb.entry_at = end.now + S


def acknowledges_too_much(end: Ours) -> None:
    _any(end).snd_una += 99_999


def loses_text(end: Ours) -> None:
    _any(end).unsent.pop()


def miscounts(end: Ours) -> None:
    _any(end).inflight[0].marks |= LOST


def leaks(end: Ours) -> None:
    _any(end).rmem += 1


def owes(end: Ours) -> None:
    _any(end).snd_queued += 1


def _any(end: Ours) -> Tcb:
    assert end.any is not None
    return end.any


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (moves_illegally, "ESTABLISHED became LISTEN"),
        (forgets_a_timer, "no timer sees to it"),
        (stalls, "a deadline has passed and is still there"),
        (tells_nobody, "nobody was told of the deadline"),
        (acknowledges_too_much, "SND.UNA"),
        (loses_text, "unsent: it ends at"),
        (miscounts, "lost"),
        (leaks, "the receive queues take"),
        (owes, "the send queue costs"),
    ],
    ids=lambda case: case.__name__.replace("_", " ") if callable(case) else " ",
)
def test_a_broken_handler_is_seen(handler: Stimulus, says: str) -> None:
    end = fresh(reach.established)
    end.arrives(ACK, IRS + 1, ISS + 1, wnd=50)  # 50 << 7 octets: the rest is unsent
    end.write(bytes(9_000))
    assert judge(end, lambda _: None) == []
    end = fresh(reach.established)
    end.arrives(ACK, IRS + 1, ISS + 1, wnd=50)
    end.write(bytes(9_000))
    before = _any(end).state
    handler(end)
    assert any(says in what for what in _look(end, before))


def test_a_handler_that_raises_is_seen() -> None:
    with pytest.raises(AssertionError, match="our bug"):
        judge(fresh(reach.established), raises)
