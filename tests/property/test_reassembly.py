"""Text comes in any order, doubled and overlapping: it is given once and in order.

RFC 9293 3.10.7.4.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.tcp import reach
from tests.unit.tcp.ends import IRS, ISS, Options, Ours
from tests.unit.tcp.soundness import complaints

from halfopen.wire.seq import unwrap
from halfopen.wire.tcp import ACK, FIN

#: Every octet says where it belongs.
TEXT = bytes(range(1, 121))

#: One that begins at the end is the FIN alone.
pieces = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.integers(1, 40)).map(
        lambda piece: (piece[0], min(piece[0] + piece[1], len(TEXT)))
    ),
    max_size=25,
)
options = st.sampled_from(
    (Options(), Options(sack_ok=True), Options(sack_ok=True, timestamps=True))
)


def opened(offered: Options) -> Ours:
    end = Ours(offered, irs=0xFFFFFFC0)  # the numbers wrap within the text
    reach.established(end)
    return end


def give(end: Ours, start: int, stop: int) -> None:
    """Let a piece of the text arrive; the last one carries the FIN."""
    flags = ACK | (FIN if stop == len(TEXT) else 0)
    end.arrives(flags, IRS + 1 + start, ISS + 1, TEXT[start:stop])
    assert end.any is not None
    assert not complaints(end.any, end.now)


@given(options, pieces)
@example(Options(sack_ok=True), [(118, 120), (118, 120), (119, 120)])
@example(Options(sack_ok=True), [(120, 120), (120, 120)])
@example(Options(sack_ok=True), [(110, 120), (120, 120), (115, 120)])
@example(Options(sack_ok=True), [(120, 120), (110, 120), (120, 120)])
@settings(max_examples=60)
def test_text_is_given_once_and_in_order(offered: Options, order: list[tuple[int, int]]) -> None:
    end = opened(offered)
    read = b""
    came: set[int] = set()
    for start, stop in order:
        give(end, start, stop)
        came |= set(range(start, stop))
        whole = next(at for at in range(len(TEXT) + 1) if at not in came)
        read += end.read()
        assert read == TEXT[:whole]
    for start in range(0, len(TEXT), 7):  # and what was lost comes again
        give(end, start, min(start + 7, len(TEXT)))
    assert read + end.read() == TEXT
    assert end.held().fin_received
    assert end.held().rmem == 0


@given(pieces.filter(bool))
@settings(max_examples=60)
def test_sack_blocks_tell_what_came_the_latest_first(order: list[tuple[int, int]]) -> None:
    """RFC 2018 4: disjoint, ahead of the ACK, and the first holds what came just now."""
    end = opened(Options(sack_ok=True))
    came: set[int] = set()
    for start, stop in order:
        numbers = range(start, stop + (stop == len(TEXT)))  # the FIN has one, too
        fresh = not set(numbers) <= came
        give(end, start, stop)
        came |= set(numbers)
        if end.held().fin_received:
            return
        end.wait(1_000_000_000)  # a delayed ACK goes too
        ack = end.segments[-1]
        base = unwrap(ack.ack, end.irs) - end.irs - 1
        told = [tuple(unwrap(edge, end.irs) - end.irs - 1 for edge in block) for block in ack.sack]
        blocks = [set(range(left, right)) for left, right in told]
        if blocks and (max(blocks[0]) < base or any(blocks[0] <= other for other in blocks[1:])):
            del blocks[0]  # a D-SACK comes first: what came twice (RFC 2883 4)
        for block in blocks:
            assert block <= came
            assert min(block) > base
        assert sum(map(len, blocks)) == len(set().union(*blocks))
        if fresh and start > base:
            assert set(numbers) <= blocks[0]
