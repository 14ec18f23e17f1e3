"""The comparison sees each kind of difference, and none where only what is drawn differs."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.compare.changes import Change, add, alter, both, drop, found, shift
from tests.unit.compare.story import (
    KERNEL,
    VARIANT,
    WORLD,
    Call,
    Drawn,
    Raw,
    Seg,
    Story,
    ends,
    fault,
    mark,
    prints,
    starts,
    story,
    tell,
)

from halfopen.base.units import MS, S
from halfopen.compare.traces import differences
from halfopen.record.events import Json
from halfopen.record.faults import CableIn, CableOut, Kill
from halfopen.wire.icmp import Icmp
from halfopen.wire.tcp import ACK, FIN, PSH, RST, URG
from halfopen.wire.udp import Datagram


def test_the_same_story_gives_no_difference() -> None:
    assert found(drop(), drawn=WORLD) == []


def test_ports_descriptors_and_numbers_are_drawn() -> None:
    assert found(drop()) == []


CALLS = [
    ("result", alter("send", result=3), "send(b'hello') gives 5 in the world and 3"),
    ("length", alter("recv", result={"len": 4, "head": "hell"}), "5 bytes in the world and 4"),
    ("content", alter("recv", result={"len": 5, "head": "jello"}), "recv(100) gives 5 bytes"),
    ("errno instead", alter("recv", result=None, errno="ECONNRESET"), "and ECONNRESET on"),
    ("never returns", alter("recv again", until=None), "gives 0 bytes in the world only"),
    ("returns", alter("poll", until=4 * S, result=[]), "gives [] on the kernel only"),
    ("missing", drop("close"), "calls close() in the world, and nothing more on the kernel"),
    (
        "extra",
        add("more", Call(4 * S, 4 * S, "client", "close", fd=0)),
        "calls close() on the kernel, and nothing more in the world",
    ),
    ("another call", alter("send", name="sendall"), "and sendall(b'hello') on the kernel"),
    ("another descriptor", alter("recv", fd=0), "recv(100) in the world and recv(100) on the"),
    ("no descriptor", alter("recv", fd=None), "recv(100) in the world and recv(100) on the"),
    (
        "another peer",
        alter("accept", result={"fd": KERNEL.fd + 1, "peer": ["10.0.0.9", KERNEL.port]}),
        "accept() gives",
    ),
    (
        "a fixed port",
        alter("accept", result={"fd": KERNEL.fd + 1, "peer": ["10.0.0.1", 1023]}),
        "accept() gives",
    ),
    ("another thread", alter("send", thread="worker"), "client calls send"),
]


@pytest.mark.parametrize(
    ("change", "words"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS]
)
def test_a_call_that_differs_is_seen(change: Change, words: str) -> None:
    seen = [difference for difference in found(change) if difference.kind == "call"]
    assert seen
    assert words in seen[0].text


def test_an_errno_is_told_from_another() -> None:
    world = story()
    alter("recv again", result=None, errno="ETIMEDOUT")(world)
    change = alter("recv again", errno="ECONNRESET")
    (seen,) = found(change, world=world)
    assert seen.kind == "call"
    assert seen.text == (
        "at 430 ms: server's recv(100) gives ETIMEDOUT in the world and ECONNRESET on the kernel"
    )


SEGMENTS = [
    ("missing last", drop("ACK of FIN"), "server sends ACK seq 1 ack 7 in the world, and nothing"),
    ("missing between", drop("hello again"), "(flags: PSH,ACK, FIN,ACK"),
    (
        "extra",
        add("RST", Seg(4 * S, "client", RST, 7)),
        "client sends RST seq 7 on the kernel, and nothing more in the",
    ),
    ("flags", alter("hello", flags=ACK), "flags: PSH,ACK, ACK"),
    ("seq", alter("FIN", seq=7), "seq: 6, 7"),
    ("ack", alter("ACK of hello", ack=5), "ack: 6, 5"),
    ("length", alter("hello", text=b"hell"), "length: 5, 4"),
    ("text", alter("hello", text=b"jello"), "text: b'hello', b'jello'"),
    ("sack", alter("ACK of both", sack=()), "sack: ((1, 6),), ()"),
    ("sack's edge", alter("ACK of both", sack=((1, 5),)), "sack: ((1, 6),), ((1, 5),)"),
    ("window", alter("ACK", options={"wnd": 0}), "window: 502, 0"),
    ("window by one", alter("ACK", options={"wnd": 503}), "window: 502, 503"),
    ("mss", alter("SYN", options={"mss": 536, "wscale": 10, "sack_ok": True}), "mss: 1460, 536"),
    ("wscale", alter("SYN", options={"mss": 1460, "wscale": 7, "sack_ok": True}), "wscale: 10, 7"),
    ("sack permitted", alter("SYN", options={"mss": 1460, "wscale": 10}), "sack permitted: True,"),
    ("timestamps", alter("ACK", options={"ts": -1}), "timestamps: True, False"),
    (
        "urgent",
        alter("hello", flags=PSH | ACK | URG, options={"urg": 1}),
        "flags: PSH,ACK, PSH,ACK,URG; urgent: None, 1",
    ),
    ("ttl", alter("ACK", head={"ttl": 63}), "ttl: 64, 63"),
    ("tos", alter("ACK", head={"tos": 8}), "tos: 0, 8"),
    ("fragments", alter("ACK", head={"df": False}), "DF: True, False"),
    ("lost", alter("hello", lost="cable out"), "arrives in the world and is lost (cable out)"),
    (
        "lost otherwise",
        alter("ACK of hello", lost="cable out"),
        "lost on the way) in the world and",
    ),
    ("under way", alter("hello", trip=None), "arrives in the world and is under way on"),
    ("made by another", alter("FIN", by="forger"), "made by: , forger"),
    ("another order", shift(110 * MS, "hello again"), "seq: 1, 6"),
]


@pytest.mark.parametrize(
    ("change", "words"), [row[1:] for row in SEGMENTS], ids=[row[0] for row in SEGMENTS]
)
def test_a_segment_that_differs_is_seen(change: Change, words: str) -> None:
    seen = [difference for difference in found(change) if difference.kind == "segment"]
    assert seen
    assert words in seen[0].text


@pytest.mark.parametrize(
    ("text", "where", "there"),
    [
        (bytes(1400) + b"!" + bytes(47), 1400, (bytes(16), bytes(8) + b"!" + bytes(7))),
        (bytes(1440), 1440, (bytes(16), bytes(8))),
        (b"!" + bytes(1447), 0, (bytes(8), b"!" + bytes(7))),
    ],
    ids=["amid", "shorter", "at first"],
)
def test_of_a_long_text_what_differs_is_shown(
    text: bytes, where: int, there: tuple[bytes, bytes]
) -> None:
    world = story()
    alter("hello", text=bytes(1448))(world)
    seen = [d for d in found(alter("hello", text=text), world=world) if d.kind == "segment"]
    assert seen[0].text.endswith(
        f"text: 1448 and {len(text)} octets, first unlike at offset {where}; from offset "
        f"{max(where - 8, 0)} {there[0]!r}, {there[1]!r})"
    )


def query(number: bytes, text: bytes = b"www") -> Callable[[Drawn], Datagram]:
    return lambda drawn: Datagram(drawn.port, 53, number + text)


def quoting(drawn: Drawn) -> Icmp:
    """Quote a segment from the drawn port."""
    ports = drawn.port.to_bytes(2, "big") + b"\0P" + drawn.iss["client"].to_bytes(4, "big")
    return Icmp(3, 1, 0, bytes.fromhex("4500002800000000400600000a0000010a000002") + ports)


OTHERS = [
    ("a datagram's text", Datagram(7, 7, b"one"), Datagram(7, 7, b"two"), "text: b'one', b'two'"),
    ("a datagram's length", Datagram(7, 7, b"one"), Datagram(7, 7, b"on"), "length: 3, 2"),
    ("a query's text", query(b"\x12\x34"), query(b"\x12\x34", b"ftp"), "text: b'www', b'ftp'"),
    ("a query's number", query(b"\x12\x34"), query(b"\x43\x21"), ""),
    ("another port", Datagram(7, 7, b"one"), Datagram(7, 8, b"one"), "nothing more"),
    ("type", Icmp(3, 1, 0, b""), Icmp(11, 1, 0, b""), "type: 3, 11"),
    ("code", Icmp(3, 1, 0, b""), Icmp(3, 3, 0, b""), "code: 1, 3"),
    ("MTU", Icmp(3, 4, 1400, b""), Icmp(3, 4, 576, b""), "mtu: 1400, 576"),
    ("quoted less", Icmp(3, 1, 0, bytes(20)), Icmp(3, 1, 0, bytes(12)), "length: 20, 12"),
    ("quoted from a drawn port", quoting, quoting, ""),
    ("quoted another", quoting, Icmp(3, 1, 0, bytes(28)), "about:"),
    ("a number of an echo", Icmp(8, 0, 1, b"abc"), Icmp(8, 0, 2, b"abc"), ""),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "words"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_a_datagram_or_message_that_differs_is_seen(ours: Any, theirs: Any, words: str) -> None:
    world = story() | {"more": Raw(2 * S, "client", ours)}
    seen = found(add("more", Raw(2 * S, "client", theirs)), world=world)
    assert bool(seen) == bool(words)
    if words:
        assert seen[0].kind == "segment"
        assert words in seen[0].text


EVENTS = [
    ("mark", alter("accepted", make=mark(0, "server", "here").make), "mark", 'marks "accepted"'),
    ("no mark", drop("accepted"), "mark", "and nothing on the kernel"),
    ("one mark more", add("m", mark(S, "client", "x")), "mark", 'nothing in the world and "x"'),
    (
        "killed otherwise",
        alter("server ends", make=ends(0, "server", "SIGSEGV").make),
        "process",
        "server ends (SIGKILL) in the world and ends (SIGSEGV) on the kernel",
    ),
    ("never ends", drop("server ends"), "process", "and does not end on the kernel"),
    ("ends", add("e", ends(S, "third", "exit 0")), "process", "third does not end in the world"),
    (
        "no effect",
        alter("cable", make=fault(0, CableOut(link="client-server"), effect=False).make),
        "fault",
        "and cable out: client-server, without effect on the kernel",
    ),
    ("no fault", drop("cable"), "fault", "and nothing on the kernel"),
    ("another fault", alter("cable", make=fault(0, Kill(process="x")).make), "fault", "SIGKILL to"),
    ("one fault more", add("f", fault(S, Kill(process="x"))), "fault", "is nothing in the world"),
    ("prints", alter("prints", make=prints(0, "client", "no\n").make), "process", "prints some"),
    ("prints nothing", drop("prints"), "process", "prints something else"),
]


@pytest.mark.parametrize(
    ("change", "kind", "words"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS]
)
def test_other_events_that_differ_are_seen(change: Change, kind: str, words: str) -> None:
    (seen,) = found(change)
    assert (seen.kind, words in seen.text) == (kind, True), seen.text


def test_what_a_program_says_on_standard_error_may_differ() -> None:
    assert found(add("warning", prints(S, "client", "/its/own/path", stream=2))) == []


def test_differences_come_in_the_order_of_time() -> None:
    seen = found(both(alter("FIN", seq=7), alter("recv", result=None), alter("send", result=4)))
    times = [difference.t_ns for difference in seen]
    assert len(times) == 3
    assert times == sorted(times)


def test_a_stream_is_compared_up_to_its_first_difference() -> None:
    seen = found(both(drop("SYN"), drop("hello again")))
    assert sum("client sends" in difference.text for difference in seen) == 1


def test_connections_alike_are_held_apart_by_their_order() -> None:
    """Two from drawn ports: a segment that went to the wrong one of them is seen."""

    def two(steps: Story, drawn: Drawn, *, late: int) -> Story:
        for number in (0, 1):
            port = drawn.port + 1 + number
            steps[f"UDP {number}"] = Raw(S, "client", Datagram(port, 7, b"one"))
        steps["late"] = Raw(2 * S, "client", Datagram(drawn.port + 1 + late, 7, b"two"))
        return steps

    world = tell(two(story(), WORLD, late=1), WORLD)
    assert differences(VARIANT, world, tell(two(story(), KERNEL, late=1), KERNEL)) == []
    assert differences(VARIANT, world, tell(two(story(), KERNEL, late=0), KERNEL))


def test_descriptors_are_learned_anew_in_a_process_that_starts_again() -> None:
    """A reboot: the same program, the same thread, other descriptors."""
    again: Story = {
        "server starts again": starts(4100 * MS, "server"),
        "listen again": Call(4100 * MS, 4100 * MS, "server", "listen", fd=1, args="5"),
    }
    world = story() | again
    moved = Call(4100 * MS, 4100 * MS, "server", "listen", fd=4, args="5")
    assert found(add("listen again", moved), world=world) == []


def test_a_descriptor_is_free_again_once_it_is_closed() -> None:
    """The kernel gives the number again, the world the next one."""
    world = story() | {
        "recv of next": Call(4 * S, 4 * S, "client", "recv", fd=5, args="1", errno="EBADF")
    }
    the_same = Call(4 * S, 4 * S, "client", "recv", fd=0, args="1", errno="EBADF")
    assert found(add("recv of next", the_same), world=world) == []
    alter("close", name="shutdown")(world)
    assert found(add("recv of next", the_same), world=world)


def two_threads(call: str, *given: str, then: str = "") -> Story:
    """Two threads of the server that make one call at once, and what each of them is given."""
    steps: Story = {}
    for number, head in enumerate(given):
        until = (2000 + 100 * int(head == "two")) * MS
        result: Json = {"len": len(head), "head": head}
        steps[f"thread {number}"] = Call(
            (1000 + 50 * number) * MS,
            until,
            "server",
            call,
            fd=1,
            args="100",
            result=result,
            thread=f"t{number}",
        )
        if then and not number:
            steps["then"] = Call(3 * S, 3 * S, "server", then, fd=1, thread="t0")
    return steps


@pytest.mark.parametrize(
    ("call", "then", "given", "seen"),
    [
        ("recv", "", ("one", "two"), False),
        ("recv", "", ("two", "one"), False),
        ("recv", "", ("two", "two"), True),
        ("recv", "", ("two", "six"), True),
        ("recv", "close", ("two", "one"), True),
        ("accept", "", ("two", "one"), True),
        ("recv", "", ("one",), True),
    ],
)
def test_which_of_two_threads_is_served_first_is_not_compared(
    call: str, then: str, given: tuple[str, ...], *, seen: bool
) -> None:
    """Where both wait in one and the same call, make no other, and Linux wakes both."""
    world = story() | two_threads(call, "one", "two", then=then)
    kernel = story() | two_threads(call, *given, then=then)
    assert bool(differences(VARIANT, tell(world, WORLD), tell(kernel, KERNEL))) == seen


def test_who_calls_when_the_other_has_been_served_waits_for_something_else() -> None:
    def one_after_another(*given: str) -> Story:
        """Two calls of two threads, each given its own at once."""
        return {
            f"thread {number}": Call(
                (1000 + number) * MS,
                (1000 + number) * MS,
                "server",
                "recv",
                fd=1,
                args="100",
                result={"len": 3, "head": head},
                thread=f"t{number}",
            )
            for number, head in enumerate(given)
        }

    world = story() | one_after_another("one", "two")
    kernel = story() | one_after_another("two", "one")
    assert differences(VARIANT, tell(world, WORLD), tell(kernel, KERNEL))


CARRIER = CableOut(link="client-server", seen_by=("client",))


@pytest.mark.parametrize(
    ("at", "seen"), [(2500 * MS, False), (1500 * MS, True), (3500 * MS, True)], ids=str
)
def test_what_a_host_sends_without_its_carrier_is_not_compared(at: int, seen: bool) -> None:
    """Its queue discipline drops it somewhere inside; with the carrier back, it counts again."""
    world = story() | {
        "near cable": fault(2 * S, CARRIER),
        "back": fault(3 * S, CableIn(link="client-server")),
    }
    assert bool(found(add("more", Seg(at, "client", FIN | ACK, 6, 1)), world=world)) == seen


@pytest.mark.parametrize("back", [True, False])
def test_a_hosts_other_cables_are_compared_all_the_same(back: bool) -> None:
    world = story() | {"near cable": fault(2 * S, CableOut(link="aside", seen_by=("client",)))}
    if back:
        world["back"] = fault(3 * S, CableIn(link="aside"))
    assert found(add("more", Seg(2500 * MS, "client", FIN | ACK, 6, 1)), world=world)


def test_the_other_host_is_compared_all_the_same() -> None:
    world = story() | {"near cable": fault(2 * S, CARRIER)}
    more = add("more", Seg(2500 * MS, "server", FIN | ACK, 1, 7, lost="cable out"))
    assert found(more, world=world)
