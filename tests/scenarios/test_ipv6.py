"""IPv6 on both arms: the same programs, and no difference. The kernel is the witness."""

from collections.abc import Mapping

import pytest
from tests.scenarios import six
from tests.scenarios.alike import alike

from halfopen.base.units import MS, S
from halfopen.guest.arm import run_variant as in_world
from halfopen.oracle.arm import run_variants
from halfopen.record.events import ArpSent
from halfopen.record.faults import (
    AddressGone,
    Fault,
    Forge,
    Impair,
    InterfaceDown,
    InterfaceUp,
    Lose,
    PowerOff,
    Unreachable,
)
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Lan, Link, OnMark, Process, Program, Step, Variant
from halfopen.scenario.notes.reading import segments_from
from halfopen.wire import icmp6
from halfopen.wire.tcp import SYN

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(180)]

BOTH = {"a": ("10.0.0.1", "2001:db8::1"), "b": ("10.0.0.2", "2001:db8::2")}


def variant(
    client: Program,
    server: Program | None = None,
    *,
    settings: Mapping[str, str],
    faults: tuple[tuple[int, Fault], ...] = (),
    sysctl: Mapping[str, int | str] | None = None,
    lan: bool = False,
    horizon_ns: int | None = None,
) -> Variant:
    """Two hosts with addresses of both families; faults happen after a mark of the client."""
    # Alone, the client is told at once, and has ended before anything comes back.
    alone = server is None
    hosts = tuple(
        Host(name=name, addresses=own, sysctl=dict(sysctl or {})) for name, own in BOTH.items()
    )
    processes: tuple[Process, ...] = (Process(host="a", name="client", program=client),)
    if server is not None:
        started = OnMark(process="server", name="listening", delay_ns=20 * MS)
        processes = (
            Process(host="b", name="server", program=server),
            Process(host="a", name="client", program=client, start=started),
        )
    return Variant(
        settings=settings,
        hosts=hosts,
        links=() if lan else (Link(a="a", b="b", delay_ns=S if alone else 10 * MS),),
        lans=(Lan(hosts=("a", "b")),) if lan else (),
        processes=processes,
        steps=tuple(
            Step(when=OnMark(process="server", name="listening", delay_ns=after), fault=fault)
            for after, fault in faults
        ),
        horizon_ns=horizon_ns or (500 * MS if alone else 3 * S),
    )


def synacks(trace: Trace) -> int:
    """How many connections the server began: each has a number of its own."""
    begun = {seen.seg.seq for seen in segments_from(trace, "b") if seen.seg.flags & SYN}
    return len(begun)


def test_names_and_options() -> None:
    traces = alike(
        *(
            variant(program, settings={"socket": socket})
            for program in (six.binds, six.connects, six.options)
            for socket in ("TCP", "UDP")
        )
    )
    for trace in traces:
        assert {call.errno for call in calls(trace)} > {None}


def test_where_datagrams_may_go() -> None:
    (trace,) = alike(variant(six.sends, six.takes, settings={"socket": "UDP"}))
    assert {call.errno for call in calls(trace)} >= {None, "EAFNOSUPPORT", "ENETUNREACH"}


def test_two_sockets_and_one_port() -> None:
    alike(
        *(
            variant(six.conflicts, settings={"socket": socket, "share": share})
            for socket in ("TCP", "UDP")
            for share in ("no", "SO_REUSEADDR", "listening")
        )
    )


def test_sysctls() -> None:
    alike(
        *(
            variant(
                program,
                settings={"socket": "TCP", "sysctl": sysctl},
                sysctl={f"net.ipv6.{sysctl}": 1},
            )
            for program in (six.binds, six.connects)
            for sysctl in ("bindv6only", "conf.all.disable_ipv6", "conf.lo.disable_ipv6")
        )
    )


def test_a_talk() -> None:
    alike(
        *(
            variant(six.talks, six.serves, settings={"over": over, "marked": marked})
            for over in ("IPv6", "link-local")
            for marked in ("no", "yes")
        )
    )


def test_who_refuses_and_who_is_in_time_wait_have_no_socket_to_ask() -> None:
    """Linux tcp_v6_send_reset, tcp_v6_timewait_ack: a class, and the usual hop limit."""
    last_ack = Lose(link="a-b", towards="b")
    alike(
        variant(six.is_refused, six.serves, settings={"over": "IPv6", "to": "nobody"}),
        variant(
            six.talks,
            six.serves,
            settings={"over": "IPv6", "marked": "yes", "lost": "the last ACK"},
            faults=((110 * MS, last_ack),),
        ),
    )


def test_ipv4_reaches_a_socket_of_both_families() -> None:
    traces = alike(
        *(variant(six.talks, six.serves, settings={"over": over}) for over in ("IPv4", "mapped"))
    )
    for trace in traces:
        (accept, *_) = calls(trace, call="accept")
        assert isinstance(accept.result, dict)
        assert str(accept.result["peer"]).startswith("['::ffff:10.0.0.1'")


def test_datagrams() -> None:
    traces = alike(
        *(
            variant(six.datagrams, six.answers, settings={"over": over})
            for over in ("IPv6", "link-local", "mapped")
        )
    )
    for trace in traces:
        assert "ECONNREFUSED" in {call.errno for call in calls(trace)}


def test_a_talk_that_begins_with_a_syn_cookie() -> None:
    sysctl = {"net.ipv4.tcp_syncookies": 2}
    alike(
        *(
            variant(six.talks, six.serves, settings={"over": over}, sysctl=sysctl)
            for over in ("IPv6", "mapped")
        )
    )


def test_a_port_that_nobody_has() -> None:
    (trace,) = alike(variant(six.tries, six.takes, settings={"over": "IPv6"}))
    assert {call.errno for call in calls(trace, call="connect")} == {"ECONNREFUSED"}


ERRORS = [
    *((icmp6.DEST_UNREACH, code) for code in range(8)),
    *((icmp6.TIME_EXCEEDED, code) for code in (0, 1)),
    *((icmp6.PARAMETER_PROBLEM, code) for code in (0, 1, 2)),
]


def router_says(kind: int, code: int, **more: object) -> Unreachable:
    return Unreachable(link="a-b", towards="b", kind=kind, code=code, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("program", [six.tries, six.hears_of_errors])
def test_what_a_router_says(program: Program) -> None:
    pick = "SYN" if program is six.tries else "text"
    alike(
        *(
            variant(
                program,
                six.serves,
                settings={"over": "IPv6", "ICMPv6": f"{kind}/{code}", "pick": pick},
                faults=((0, router_says(kind, code, pick=pick)),),
            )
            for kind, code in ERRORS
        )
    )


def test_what_a_router_says_to_a_listener() -> None:
    """About its SYN,ACK: it forgets the connection, or goes on trying (Linux tcp_req_err)."""
    asked = []
    for kind, code in ERRORS:
        fault = Unreachable(link="a-b", towards="a", kind=kind, code=code, pick="SYN,ACK")
        settings = {"over": "IPv6", "ICMPv6": f"{kind}/{code}"}
        asked.append(variant(six.tries, six.serves, settings=settings, faults=((0, fault),)))
    for run in run_variants(asked):
        assert run.trace is not None, run.failed
        assert synacks(in_world(run.variant)) == synacks(run.trace)
        assert {call.errno for call in calls(run.trace, call="connect")} == {None}


def test_a_packet_that_is_too_big() -> None:
    alike(
        *(
            variant(
                six.sends_a_segment,
                six.swallows,
                settings={"over": "IPv6", "mtu": str(mtu)},
                faults=((0, router_says(icmp6.PACKET_TOO_BIG, 0, mtu=mtu, pick="text")),),
            )
            for mtu in (1_400, 1_280, 1_279, 600, 9_000)
        )
    )


FAULTS: dict[str, tuple[tuple[int, Fault], ...]] = {
    "lost": ((0, Lose(link="a-b", towards="b", count=2, pick="text")),),
    "reset": ((200 * MS, Forge(link="a-b", towards="a", flags="RST")),),
    "host off": ((100 * MS, PowerOff(host="b")),),
    "slow": ((0, Impair(link="a-b", towards="b", rate_bps=2_000_000, queue=20)),),
    "interface down": ((100 * MS, InterfaceDown(host="a")),),
    "interface down and up": (
        (100 * MS, InterfaceDown(host="a")),
        (200 * MS, InterfaceUp(host="a")),
    ),
    "address gone": ((100 * MS, AddressGone(host="a", address="2001:db8::1")),),
    "peer's address gone": ((100 * MS, AddressGone(host="b", address="2001:db8::2")),),
}


def test_faults() -> None:
    alike(
        *(
            variant(
                six.sends_a_segment,
                six.swallows,
                settings={"over": "IPv6", "fault": name},
                faults=faults,
            )
            for name, faults in FAULTS.items()
        )
    )


def test_a_talk_on_a_lan() -> None:
    ways = ("IPv6", "link-local", "mapped")
    traces = alike(
        *(
            variant(six.talks, six.serves, settings={"over": over, "on": "LAN"}, lan=True)
            for over in ways
        )
    )
    for over, trace in zip(ways, traces, strict=True):
        asked = [event.text for event in trace.events if isinstance(event, ArpSent)]
        assert asked
        assert all(text.startswith("ARP" if over == "mapped" else "ND") for text in asked)


def test_a_host_without_power_on_a_lan() -> None:
    off = ((0, PowerOff(host="b")),)
    settings = {"over": "IPv6", "on": "LAN"}
    asked = variant(
        six.tries_long, six.serves, settings=settings, faults=off, lan=True, horizon_ns=6 * S
    )
    world = in_world(asked)
    (run,) = run_variants([asked])
    assert run.trace is not None, run.failed
    for trace in (world, run.trace):
        (connect,) = calls(trace, call="connect")
        assert connect.errno == "EHOSTUNREACH"
        assert len([event for event in trace.events if isinstance(event, ArpSent)]) == 3
        assert connect.returned_ns is not None
        assert 3 * S < connect.returned_ns - connect.t_ns < 4 * S
