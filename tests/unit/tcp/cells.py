"""Cells of the state machine as rows that read aloud: a state, what happens in it, what follows.

A row's name is its id. The same rows are judged on the real kernel (``test_on_linux.py``).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pytest
from tests.unit.tcp.ends import WINDOW, End, Options, Ours, Sent

from halfopen.base.units import S
from halfopen.tcp.jiffies import JIFFY
from halfopen.tcp.states import State

Step: TypeAlias = Callable[[End], None]
#: What a SACK option reports: the first number, and the one behind the last.
Block: TypeAlias = tuple[int, int]
#: Of the error queue: errno, ICMP type and code, whose message.
Report: TypeAlias = tuple[int, int, int, str]

PLAIN = Options()
STAMPED = Options(timestamps=True)
SACKING = Options(sack_ok=True)


class Cell(NamedTuple):
    """One row."""

    name: str
    steps: tuple[Step, ...]
    then: State
    sends: tuple[Sent, ...]
    error: int = 0  # what SO_ERROR gives afterwards
    gives: bytes = b""  # what the user can read afterwards
    linux: str = ""  # why the row is not for the real kernel: it would wait too long
    urgent: bytes | int | None = None  # what recv(MSG_OOB) gives or fails with; None: not asked
    reports: tuple[Report, ...] | None = None  # the error queue; the error is then also a soft one


Rows: TypeAlias = tuple[Cell, ...]


class Observed(NamedTuple):
    """What an end did."""

    then: State
    sends: tuple[Sent, ...]
    error: int
    gives: bytes
    urgent: bytes | int | None = None
    reports: tuple[Report, ...] | None = None


class Table(NamedTuple):
    """Rows for one state, the way to it, and what the peer offered on that way."""

    name: str  # in front of each row's, where a state has several tables
    reach: Step
    rows: tuple[Cell, ...]
    options: Options = PLAIN
    sysctl: dict[str, int | str] = {}  # noqa: RUF012  read only


def says(
    flags: int,
    seq: int,
    ack: int = 0,
    size: int = 0,
    urg: int = 0,
    *,
    sack: tuple[Block, ...] = (),
    closed: bool = False,
    tos: int = 0,
) -> Sent:
    """What an end says, in the tables' numbers."""
    return Sent(flags, seq, ack, size, urg, sack, closed, tos)


def sacks(sent: Sent, *blocks: Block) -> Sent:
    """The same segment, which also reports what came early, or twice."""
    return sent._replace(sack=blocks)


def sacked(rows: Rows, told: dict[str, tuple[tuple[Block, ...], ...]]) -> Rows:
    """The same rows where the peer offered SACK: what each segment reports, by the row's name."""
    assert told.keys() <= {row.name for row in rows}, "a row that is not there"
    return tuple(
        row._replace(
            sends=tuple(
                sacks(sent, *blocks) for sent, blocks in zip(row.sends, told[row.name], strict=True)
            )
        )
        if row.name in told
        else row
        for row in rows
    )


def seg(
    flags: int,
    seq: int,
    ack: int | None = None,
    text: bytes = b"",
    *,
    wnd: int = WINDOW,
    ts: int | None = None,
    ecr: int = 0,
    urg: int = 0,
    sack: tuple[tuple[int, int], ...] = (),
    tos: int = 0,
) -> Step:
    """A step: a segment of the peer arrives."""

    def arrives(end: End) -> None:
        end.arrives(flags, seq, ack, text, wnd=wnd, ts=ts, ecr=ecr, urg=urg, sack=sack, tos=tos)

    return arrives


def complaint(kind: int, code: int, seq: int, rest: int = 0) -> Step:
    """A step: an ICMP error arrives, about a segment of ours."""

    def complains(end: End) -> None:
        end.complains(kind, code, seq, rest)

    return complains


def row(
    name: str,
    flags: int,
    seq: int,
    ack: int | None,
    then: State,
    *sends: Sent,
    text: bytes = b"",
    wnd: int = WINDOW,
    ts: int | None = None,
    ecr: int = 0,
    urg: int = 0,
    error: int = 0,
    gives: bytes = b"",
    urgent: bytes | int | None = None,
) -> Cell:
    """A row for one segment."""
    step = seg(flags, seq, ack, text, wnd=wnd, ts=ts, ecr=ecr, urg=urg)
    return Cell(name, (step,), then, sends, error, gives, urgent=urgent)


def case(
    name: str,
    steps: tuple[Step, ...],
    then: State,
    *sends: Sent,
    error: int = 0,
    gives: bytes = b"",
    linux: str = "",
    urgent: bytes | int | None = None,
    reports: tuple[Report, ...] | None = None,
) -> Cell:
    """A row for several steps, or for a call; what is sent on the way counts too."""
    return Cell(name, steps, then, sends, error, gives, linux, urgent, reports)


def wait(duration_ns: int) -> Step:
    """A step: time passes."""

    def passes(end: End) -> None:
        end.wait(duration_ns)

    return passes


def write(data: bytes) -> Step:
    """A step: the user sends."""

    def writes(end: End) -> None:
        end.write(data)

    return writes


def read(size: int = 1 << 20) -> Step:
    """A step: the user receives."""

    def reads(end: End) -> None:
        end.read(size)

    return reads


def close(end: End) -> None:
    """A step: the last descriptor is closed."""
    end.close()


def abort(end: End) -> None:
    """A step: the user lets go with SO_LINGER 0."""
    end.abort()


def fix_rcvbuf(octets: int) -> Step:
    """A step: the user sets SO_RCVBUF."""

    def sets(end: End) -> None:
        end.fix_rcvbuf(octets)

    return sets


def rcvlowat(octets: int) -> Step:
    """A step: the user wants to be told of so much only."""

    def sets(end: End) -> None:
        end.rcvlowat(octets)

    return sets


def write_urgent(data: bytes) -> Step:
    """A step: the user sends, and the last octet is urgent."""

    def writes(end: End) -> None:
        end.write_urgent(data)

    return writes


def recverr(end: End) -> None:
    """A step: the user wants to hear of errors at once."""
    end.recverr()


def read_urgent(end: End) -> None:
    """A step: the user receives the urgent octet."""
    end.read_urgent()


def inline(end: End) -> None:
    """A step: urgent data stays in the stream from now on."""
    end.inline(on=True)


def apart(end: End) -> None:
    """A step: urgent data does not stay in the stream any more."""
    end.inline(on=False)


def shutdown_write(end: End) -> None:
    """A step: the user sends no more."""
    end.shutdown_write()


def shutdown_read(end: End) -> None:
    """A step: the user receives no more."""
    end.shutdown_read()


def observe(end: End, table: Table, cell: Cell) -> Observed:
    """Bring an end into the state, let the row happen, and look."""
    table.reach(end)
    end.sent()
    for step in cell.steps:
        step(end)
    sends = tuple(end.sent())
    then = end.state
    if cell.reports is not None:
        error = end.soft_error()
        return Observed(then, sends, error, end.read(), reports=tuple(end.reports()))
    error = end.error()
    if cell.urgent is None:
        return Observed(then, sends, error, end.read())
    urgent = end.read_urgent()
    reads = [end.read() for _ in range(3)]
    return Observed(then, sends, error, b"|".join(data for data in reads if data), urgent)


def promised(cell: Cell) -> Observed:
    """What a row says."""
    return Observed(cell.then, cell.sends, cell.error, cell.gives, cell.urgent, cell.reports)


def check(table: Table, cell: Cell) -> None:
    """Hold a row against the stack."""
    assert observe(Ours(table.options, sysctl=table.sysctl), table, cell) == promised(cell)


def cells(*tables: Table) -> pytest.MarkDecorator:
    """Make a test of every row; its id is its name."""
    params = [
        pytest.param(
            table,
            cell,
            id=f"{table.name}: {cell.name}" if table.name else cell.name,
        )
        for table in tables
        for cell in table.rows
    ]
    return pytest.mark.parametrize(("table", "cell"), params)


class At:
    """An instant that is named by its seconds; the kernel's timers come later by an eighth at most.

    Their wheel is made so (``jiffies.fires_at``), and a chain of timers is late as a whole.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __eq__(self, other: object) -> bool:
        due = round(self.seconds * S)
        return isinstance(other, int) and due <= other <= due + max(due >> 3, 4 * JIFFY)

    def __hash__(self) -> int:
        return hash(self.seconds)

    def __repr__(self) -> str:
        return f"{self.seconds:g} s"


def timeline(end: Ours, duration_ns: int) -> list[tuple[Any, Sent]]:
    """Let time pass, and list what is sent, and after how many ns."""
    begun = end.now
    seen: list[tuple[Any, Sent]] = []
    while end.pass_deadline(begun + duration_ns):
        seen += [(end.now - begun, sent) for sent in end.sent()]
    end.now = begun + duration_ns
    return seen
