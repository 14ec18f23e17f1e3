"""A state is said beside a call or a segment of its own connection, and of no other."""

from tests.unit.atlas.traces import Made

from halfopen.atlas.connections import connections_of_calls
from halfopen.atlas.ladder import ladder
from halfopen.base.units import MS, S
from halfopen.record.events import CallEntry, Json
from halfopen.wire.tcp import ACK

OLD, NEW = 40000, 40001  # the client's ports
OWN = {port: f"10.0.0.1:{port} > 10.0.0.2:80" for port in (OLD, NEW)}
THEIRS = {port: f"10.0.0.2:80 > 10.0.0.1:{port}" for port in (OLD, NEW)}


def opened(*, fd: int = 4, until: int | None = 20 * MS) -> Made:
    """The client has a connection already, and opens a second one as another descriptor."""
    made = Made()
    made.call("client", "connect", "10.0.0.2:80", 0, until=0, fd=3)
    made.state(0, "client", "CLOSED", "SYN-SENT", port=OLD)
    made.call("client", "connect", "10.0.0.2:80", MS, until=until, fd=fd)
    made.state(MS, "client", "CLOSED", "SYN-SENT", port=NEW)
    return made


def drawn(made: Made) -> list[str]:
    return [line[12:].strip() for line in ladder(made.done(S))[1:]]


def of_calls(made: Made) -> list[tuple[str, tuple[str, ...]]]:
    found = connections_of_calls(made.trace)
    entries = [event for event in made.trace.events if isinstance(event, CallEntry)]
    return [(entry.call, found.get(entry.call_id, ())) for entry in entries]


def test_state_of_another_connection_is_not_that_of_the_call_that_returns() -> None:
    made = opened()
    made.state(20 * MS, "client", "LAST-ACK", "CLOSED", port=OLD)
    assert drawn(made)[-2:] == ["| CLOSED", "connect -> ok after 19 ms"]


def test_state_of_the_calls_own_connection_stands_beside_it() -> None:
    made = opened()
    made.state(20 * MS, "client", "SYN-SENT", "CLOSED", port=NEW)
    assert drawn(made)[1:] == [
        "connect(10.0.0.2:80) ... (SYN-SENT)",
        "connect -> ok after 19 ms (CLOSED)",
    ]


def test_state_of_another_connection_is_not_that_of_a_segment() -> None:
    made = Made()
    made.send(0, "client", ACK, 1, 1)
    made.state(10 * MS, "server", "LAST-ACK", "CLOSED", port=NEW)
    made.send(10 * MS, "server", ACK, 1, 1)
    assert drawn(made)[1:] == ["CLOSED", "<------------------ ACK seq 1 ack 1 win 502"]


def accepting(result: Json) -> Made:
    made = Made()
    for port in (OLD, NEW):
        made.state(0, "server", "LISTEN", "SYN-RECEIVED", port=port)
    made.call("server", "accept", "", MS, until=2 * MS, result=result)
    return made


def test_accept_is_on_the_connection_that_it_gives_and_its_descriptor_too() -> None:
    made = accepting({"fd": 5, "peer": ["10.0.0.1", NEW]})
    made.call("server", "recv", "9", 3 * MS, until=4 * MS, fd=5)
    made.call("server", "close", "", 5 * MS, until=5 * MS, fd=5)
    made.call("server", "recv", "9", 6 * MS, until=6 * MS, fd=5, errno="EBADF")
    mine = (THEIRS[NEW],)
    made.done(S)
    assert of_calls(made) == [("accept", mine), ("recv", mine), ("close", mine), ("recv", ())]


def test_mapped_peer_is_the_ipv4_address_that_it_stands_for() -> None:
    made = accepting({"fd": 5, "peer": ["::ffff:10.0.0.1", NEW, 0, 0]})
    made.done(S)
    assert of_calls(made) == [("accept", (THEIRS[NEW],))]


def test_accept_of_a_connection_that_is_no_more_is_in_doubt() -> None:
    made = accepting({"fd": 5, "peer": ["10.0.0.1", NEW]})
    made.state(MS, "server", "ESTABLISHED", "CLOSED", port=NEW)
    made.done(S)
    assert of_calls(made) == [("accept", ())]


def test_new_socket_has_no_connection_whoever_had_its_descriptor() -> None:
    made = opened()
    made.call("client", "socket", "2, 1, 0", 30 * MS, until=30 * MS, result={"fd": 4}, fd=None)
    made.call("client", "recv", "9", 40 * MS, until=40 * MS, fd=4, errno="ENOTCONN")
    made.done(S)
    assert of_calls(made)[2:] == [("socket", ()), ("recv", ())]


def test_poll_is_on_what_it_finds_ready() -> None:
    made = opened()
    looks: tuple[tuple[str, Json], ...] = (
        ("poll", [[3, 1]]),
        ("epoll_wait", [[4, 1], [9, 1]]),
        ("select", [[], [4, 3], []]),
        ("poll", []),
    )
    for name, result in looks:
        made.call("client", name, "", 30 * MS, until=40 * MS, result=result, fd=None)
    made.done(S)
    assert of_calls(made)[2:] == [
        ("poll", (OWN[OLD],)),
        ("epoll_wait", (OWN[NEW],)),
        ("select", (OWN[NEW], OWN[OLD])),
        ("poll", ()),
    ]


def test_process_that_is_over_has_no_descriptors() -> None:
    made = opened()
    made.end(50 * MS, "client", "exit 0")
    made.call("client", "recv", "9", 60 * MS, fd=3)
    made.done(S)
    assert of_calls(made)[-1] == ("recv", ())


def test_host_with_one_connection_leaves_no_doubt_but_for_lookups() -> None:
    made = Made()
    made.state(0, "client", "SYN-SENT", "ESTABLISHED")
    made.call("client", "recv", "9", 0, until=0, fd=7)
    made.call("client", "getaddrinfo", "'server'", 0, until=0, fd=None)
    made.call("client", "poll", "9", 0, fd=None)
    made.done(S)
    assert of_calls(made) == [
        ("recv", (OWN[OLD],)),
        ("getaddrinfo", ()),
        ("poll", (OWN[OLD],)),
    ]
