"""CLOSED (RFC 9293 3.10.7.1): no connection at all, and one that is over but still held."""

from errno import ECONNRESET

from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    Cell,
    Table,
    abort,
    case,
    cells,
    check,
    close,
    read,
    row,
    says,
    seg,
    shutdown_read,
    shutdown_write,
)
from tests.unit.tcp.ends import IRS, ISS

from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

CLOSED = State.CLOSED

#: Whoever sends to a port where nobody is learns it by an RST, which has the number that it
#: expects.
SEGMENTS = (
    row("SYN", SYN, IRS, None, CLOSED, says(RST | ACK, 0, IRS + 1)),
    row("SYN with text", SYN, IRS, None, CLOSED, says(RST | ACK, 0, IRS + 6), text=b"hello"),
    row("SYN,FIN", SYN | FIN, IRS, None, CLOSED, says(RST | ACK, 0, IRS + 2)),
    row("FIN without ACK", FIN, IRS, None, CLOSED, says(RST | ACK, 0, IRS + 1)),
    row("text without ACK", PSH, IRS, None, CLOSED, says(RST | ACK, 0, IRS + 2), text=b"hi"),
    row("no flag at all", 0, IRS, None, CLOSED, says(RST | ACK, 0, IRS)),
    row("ACK", ACK, IRS, ISS + 1, CLOSED, says(RST, ISS + 1)),
    row("SYN,ACK", SYN | ACK, IRS, ISS + 1, CLOSED, says(RST, ISS + 1)),
    row("FIN,ACK", FIN | ACK, IRS, ISS + 1, CLOSED, says(RST, ISS + 1)),
    row("text with ACK", PSH | ACK, IRS, ISS + 7, CLOSED, says(RST, ISS + 7), text=b"hi"),
    row("URG,ACK", URG | ACK, IRS, ISS + 1, CLOSED, says(RST, ISS + 1), urg=1),
    row("RST", RST, IRS, None, CLOSED),
    row("RST,ACK", RST | ACK, IRS, ISS + 1, CLOSED),
    row("SYN,RST", SYN | RST, IRS, None, CLOSED),
    case(
        "SYN with a TOS, which the RST has as well",
        (seg(SYN, IRS, tos=0x4A),),
        CLOSED,
        says(RST | ACK, 0, IRS + 1, tos=0x48),
    ),
)

#: The user holds what was a connection; nothing that it does is heard outside.
CALLS = (
    case("receive", (read(),), CLOSED),
    case("shut down writing", (shutdown_write,), CLOSED),
    case("shut down reading", (shutdown_read,), CLOSED),
    case("close", (close,), CLOSED),
    case("abort", (abort,), CLOSED),
)

#: What was received stays readable after an RST.
UNREAD: tuple[Cell, ...] = (
    case(
        "RST behind unread text",
        (
            seg(PSH | ACK, IRS + 1, ISS + 1, b"last words"),
            seg(RST, IRS + 11, None),
        ),
        CLOSED,
        says(ACK, ISS + 1, IRS + 11),
        error=ECONNRESET,
        gives=b"last words",
    ),
)

TABLES = (
    Table("nobody there", reach.nothing, SEGMENTS),
    Table("over", reach.closed, SEGMENTS),
    Table("over", reach.closed, CALLS),
    Table("reset", reach.established, UNREAD),
)


@cells(*TABLES)
def test_closed(table: Table, cell: Cell) -> None:
    check(table, cell)
