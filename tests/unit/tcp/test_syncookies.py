"""SYN cookies (RFC 4987 3.6): a listener whose SYN queue is full answers all the same.

What it answers holds what it would have kept.
"""

from typing import Final

import pytest
from tests.unit.tcp.cells import (
    Cell,
    Step,
    Table,
    case,
    cells,
    check,
    row,
    says,
    seg,
    wait,
    write,
)
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours

from halfopen.base.units import MS, S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

LISTEN, SYN_RECEIVED, ESTABLISHED = State.LISTEN, State.SYN_RECEIVED, State.ESTABLISHED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
OURS = says(SYN | ACK, ISS, SEQ)


def crowded(*, backlog: int = 1, others: int = 2) -> Step:
    """The SYNs of so many others wait; they will not go on."""

    def reaches(end: End) -> None:
        end.listen(backlog)
        end.crowd(others)

    return reaches


def answered(end: End) -> None:
    """The SYN queue is full, and a cookie was sent."""
    crowded()(end)
    end.arrives(SYN, IRS)


def accept(end: End) -> None:
    end.accept()


def others_join(end: End) -> None:
    """Two others wait for accept: the queue is full."""
    end.crowd(2, join=True)


SYNS = (
    row("SYN: answered, and not kept", SYN, IRS, None, LISTEN, OURS),
    case("SYN again: the same answer", (seg(SYN, IRS), seg(SYN, IRS)), LISTEN, OURS, OURS),
    case("the answer is not repeated", (seg(SYN, IRS), wait(1_200 * MS)), LISTEN, OURS),
)
ACKS = (
    row("ACK", ACK, SEQ, NXT, ESTABLISHED),
    row("ACK, its window at an end", ACK, SEQ, NXT, ESTABLISHED, wnd=0),
    row("RST", RST, SEQ, None, LISTEN),
    row("RST,ACK", RST | ACK, SEQ, NXT, LISTEN),
    row("SYN,ACK", SYN | ACK, IRS, NXT, LISTEN, says(RST, NXT)),
    row("FIN without ACK", FIN, SEQ, None, LISTEN),
    row("FIN,ACK", FIN | ACK, SEQ, NXT, State.CLOSE_WAIT),
    row("ACK of another number", ACK, SEQ, NXT + 1_000, LISTEN, says(RST, NXT + 1_000)),
    row("ACK with another number", ACK, SEQ + 1_000, NXT, LISTEN, says(RST, NXT)),
    row(
        "ACK of the next number, which tells no MSS", ACK, SEQ, NXT + 1, LISTEN, says(RST, NXT + 1)
    ),
    case(
        "ACK with text",
        (seg(PSH | ACK, SEQ, NXT, b"hello"), accept),
        ESTABLISHED,
        says(ACK, NXT, SEQ + 5),
        gives=b"hello",
    ),
    case(
        "the first RTO is 3 s",
        (seg(ACK, SEQ, NXT), accept, write(b"x"), wait(1_500 * MS)),
        ESTABLISHED,
        says(PSH | ACK, NXT, SEQ, 1),
    ),
    case("ACK where nobody more can wait for accept", (others_join, seg(ACK, SEQ, NXT)), LISTEN),
)
NO_COOKIES = (row("SYN: dropped", SYN, IRS, None, LISTEN),)
ROOM = (row("SYN: kept", SYN, IRS, None, SYN_RECEIVED, OURS),)
ALWAYS = (
    row("SYN", SYN, IRS, None, LISTEN, OURS),
    case("SYN, ACK", (seg(SYN, IRS), seg(ACK, SEQ, NXT)), ESTABLISHED, OURS),
)
STRAY = (row("ACK of what was never sent", ACK, SEQ, NXT, LISTEN, says(RST, NXT)),)

OFF: Final[dict[str, int | str]] = {"net.ipv4.tcp_syncookies": 0}
SMALL: Final = OFF | {"net.ipv4.tcp_max_syn_backlog": 8}
FULL_OPTIONS = Options(wscale=7, sack_ok=True, timestamps=True)

TABLES = (
    Table("full", crowded(), SYNS),
    Table("full, a peer with options", crowded(), SYNS, FULL_OPTIONS),
    Table("answered", answered, ACKS),
    Table("nobody was answered", crowded(others=0), STRAY),
    Table("tcp_syncookies 0", crowded(), NO_COOKIES, sysctl=OFF),
    Table("tcp_syncookies 2", crowded(others=0), ALWAYS, sysctl={"net.ipv4.tcp_syncookies": 2}),
    Table("more than a quarter is left", crowded(backlog=20, others=6), ROOM, sysctl=SMALL),
    Table("the last quarter", crowded(backlog=20, others=7), NO_COOKIES, sysctl=SMALL),
)


@cells(*TABLES)
def test_syncookies(table: Table, cell: Cell) -> None:
    check(table, cell)


#: What a cookie must tell of its peer.
PEERS: Final = (
    Options(),
    Options(mss=0),
    Options(mss=1_400),
    Options(mss=9_000),
    Options(wscale=7, sack_ok=True),
    Options(timestamps=True),
    Options(mss=1_459, sack_ok=True, timestamps=True),
    Options(wscale=2, timestamps=True),
    Options(mss=600, wscale=0, sack_ok=True, timestamps=True),
    FULL_OPTIONS,
)


def story(end: End) -> list[object]:
    """Let a peer connect by a cookie, and see what was agreed on.

    What the answer offers; the sizes of full segments, and the window in them; how much goes into
    a window of 20; what is reported of a gap.
    """
    answered(end)
    synack = end.segments[-1]
    offered = [synack.mss, synack.wscale, synack.sack_ok, synack.ts_val >= 0, synack.wnd]
    end.arrives(ACK, SEQ, NXT)
    end.accept()
    end.sent()
    end.write(bytes(2_000))
    sizes = [sent.size for sent in end.sent()]
    text = end.segments[-1]
    end.arrives(ACK, SEQ, NXT + 2_000, wnd=20)
    end.nodelay()
    end.write(bytes(4_000))
    into = [sent.size for sent in end.sent()]
    end.arrives(PSH | ACK, SEQ + 100, NXT + 2_000, b"early", wnd=20)
    end.sent()
    return [offered, sizes, text.wnd, text.ts_val >= 0, into, len(end.segments[-1].sack)]


@pytest.mark.parametrize(
    ("options", "sizes", "into", "blocks"),
    [
        pytest.param(Options(mss=1_400), [1_300, 700], [], 0, id="the next lower MSS"),
        pytest.param(Options(mss=400), [536, 536, 536, 392], [], 0, id="536 is the lowest"),
        pytest.param(Options(wscale=7, sack_ok=True), [1_460, 540], [], 0, id="no timestamps"),
        pytest.param(
            Options(wscale=7, timestamps=True), [1_448, 552], [1_448, 1_112], 0, id="no SACK"
        ),
        pytest.param(
            FULL_OPTIONS, [1_448, 552], [1_448, 1_112], 1, id="timestamps tell the others"
        ),
    ],
)
def test_what_is_agreed_on(
    options: Options, sizes: list[int], into: list[int], blocks: int
) -> None:
    _, seen, _, _, went, reported = story(Ours(options))
    assert (seen, went, reported) == (sizes, into, blocks)


@pytest.mark.parametrize(
    ("waits", "good"),
    [
        pytest.param(0, True, id="at once"),
        pytest.param(70, True, id="in the next minute"),
        pytest.param(115, False, id="two minutes on the clock"),
        pytest.param(125, False, id="two minutes"),
    ],
)
def test_a_cookie_grows_old(waits: int, good: bool) -> None:
    """Ten seconds of a minute had passed."""
    end = Ours()
    answered(end)
    end.sent()
    end.wait(waits * S)
    end.arrives(ACK, SEQ, NXT)
    assert end.state is (ESTABLISHED if good else LISTEN)
    assert end.sent() == ([] if good else [says(RST, NXT)])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("net.ipv4.tcp_sack", Options(sack_ok=True, timestamps=True)),
        ("net.ipv4.tcp_window_scaling", Options(wscale=7, timestamps=True)),
    ],
)
def test_an_echo_that_tells_of_what_is_off_is_refused(name: str, options: Options) -> None:
    """It was not sent by this host (Linux cookie_timestamp_decode)."""
    end = Ours(options, sysctl={name: 0, "net.ipv4.tcp_timestamps": 1})
    answered(end)
    end.sent()
    told = {"net.ipv4.tcp_sack": 16, "net.ipv4.tcp_window_scaling": -1}[name]
    end.arrives(ACK, SEQ, NXT, ecr=told)
    assert (end.state, end.sent()) == (LISTEN, [says(RST, NXT)])


def test_without_tcp_timestamps_nothing_is_told() -> None:
    end = Ours(FULL_OPTIONS, sysctl={"net.ipv4.tcp_timestamps": 0})
    answered(end)
    synack = end.segments[-1]
    assert (synack.wscale, synack.sack_ok, synack.ts_val) == (-1, False, -1)
    end.arrives(ACK, SEQ, NXT)
    assert end.state is ESTABLISHED


def test_a_cookie_of_a_host_that_runs_for_long() -> None:
    end = Ours()
    end.wait(1_000 * S)
    answered(end)
    end.arrives(ACK, SEQ, NXT)
    assert end.state is ESTABLISHED


@pytest.mark.parametrize(
    ("waits_ms", "good"),
    [pytest.param(120_000, True, id="two minutes"), pytest.param(120_001, False, id="more")],
)
def test_a_listener_forgets_that_it_sent_cookies(waits_ms: int, good: bool) -> None:
    """Counted from the first of a second (Linux tcp_synq_overflow), whose minute ends in it."""
    end = Ours()
    end.listen(1)
    end.crowd(2)
    end.wait(49_500 * MS)
    begun = end.now
    end.crowd(1)
    end.wait(900 * MS)
    end.arrives(SYN, IRS)
    end.wait(begun + waits_ms * MS - end.now)
    end.arrives(ACK, SEQ, NXT)
    assert end.state is (ESTABLISHED if good else LISTEN)
