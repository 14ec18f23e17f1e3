"""What packets are called, from the packets alone."""

import pytest
from tests.unit.atlas.traces import ADDRESS, ISS, Made

from halfopen.atlas.annotate import annotate, flag_names, icmp_name, ordinal
from halfopen.base.units import MS
from halfopen.record.events import PacketSent
from halfopen.wire import icmp, ip
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN
from halfopen.wire.udp import Datagram


def opened(*, server_wscale: int = 7) -> Made:
    made = Made()
    made.send(0, "client", SYN, 0, wnd=64240, wscale=7)
    made.send(1, "server", SYN | ACK, 0, 1, wnd=65160, wscale=server_wscale)
    made.send(2, "client", ACK, 1, 1)
    return made


def notes(made: Made) -> list[str]:
    return [seen.note for seen in annotate(made.done(MS))]


def summaries(made: Made) -> list[str]:
    return [seen.summary for seen in annotate(made.done(MS))]


def test_numbers_count_from_the_syn_and_windows_are_scaled_after_it() -> None:
    assert summaries(opened()) == [
        "SYN seq 0 win 64240",
        "SYN,ACK seq 0 ack 1 win 65160",
        "ACK seq 1 ack 1 win 64256",
    ]


def test_numbers_go_on_where_the_raw_ones_wrap() -> None:
    made = opened()
    made.send(3, "server", PSH | ACK, 1, 1, bytes(1000))
    made.send(4, "server", PSH | ACK, 1001, 1, b"x")
    made.send(5, "client", ACK, 1, 1002)
    assert ISS["server"] + 1001 > 1 << 32
    assert [seen.seq for seen in annotate(made.done(MS))] == [0, 0, 1, 1, 1001, 1]
    assert annotate(made.trace)[-1].ack == 1002


def test_reset_out_of_nothing_shows_its_plain_number() -> None:
    made = Made()
    made.send(0, "client", SYN, 0)
    made.send(1, "server", RST | ACK, 0, 1, plain_numbers=True)
    assert summaries(made)[1] == "RST,ACK seq 0 ack 1"


def test_connection_seen_from_its_middle_starts_at_1() -> None:
    made = Made()
    made.send(0, "client", PSH | ACK, 5000, 700, b"abc")
    made.send(1, "server", ACK, 700, 5003)
    assert summaries(made) == ["PSH,ACK seq 1 ack 1 len 3 win 502", "ACK seq 1 ack 4 win 502"]


def test_second_connection_on_the_same_ports_counts_anew() -> None:
    made = opened()
    made.send(3, "client", SYN, 5_000_000, wnd=64240, wscale=7)
    assert summaries(made)[3] == "SYN seq 0 win 64240"
    assert notes(made)[3] == ""


def test_repeated_syn_and_data_and_fin_are_numbered() -> None:
    made = Made()
    for at in range(4):
        made.send(at, "client", SYN, 0)
    made.send(10, "server", SYN | ACK, 0, 1)
    made.send(11, "client", PSH | ACK, 1, 1, b"abc")
    made.send(12, "client", PSH | ACK, 1, 1, b"abc")
    made.send(13, "client", FIN | ACK, 4, 1)
    made.send(14, "client", FIN | ACK, 4, 1)
    made.send(15, "client", FIN | PSH | ACK, 1, 1, b"abc")
    assert notes(made) == [
        *["", "again", "again, 2nd", "again, 3rd"],
        *["", "", "again", "", "again", "again, 2nd"],
    ]


def test_keepalive_probes_are_counted_until_they_are_answered() -> None:
    made = opened()
    for at in (10, 20, 30):
        made.send(at, "client", ACK, 0, 1)
    made.send(31, "server", ACK, 1, 1)
    made.send(40, "client", ACK, 0, 1)
    assert notes(made)[3:] == [
        "keepalive probe",
        "keepalive probe, 2nd",
        "keepalive probe, 3rd",
        "answers the probe",
        "keepalive probe",
    ]


def test_probe_of_a_closed_window_is_no_keepalive() -> None:
    made = opened()
    made.send(3, "client", PSH | ACK, 1, 1, b"abc")
    made.send(4, "server", ACK, 1, 4, wnd=0)
    made.send(5, "client", ACK, 3, 1)
    made.send(6, "server", ACK, 1, 4, wnd=0)
    made.send(7, "client", ACK, 3, 1)
    made.send(8, "server", ACK, 1, 4, wnd=0)
    made.send(9, "server", ACK, 1, 4, wnd=50)
    assert notes(made)[4:] == [
        "window closed",
        "window probe",
        "window closed",
        "window probe",
        "window closed",
        "window update",
    ]


def test_equal_acks_are_counted_while_data_is_outstanding() -> None:
    made = opened()
    for n in range(4):
        made.send(3 + n, "client", PSH | ACK, 1 + n, 1, b"x")
    for n in range(4):
        made.send(10 + n, "server", ACK, 1, 2)
    assert notes(made)[7:] == ["", "same ACK", "same ACK, 2nd", "same ACK, 3rd"]


def test_a_port_used_anew_counts_anew_and_the_old_connection_as_before() -> None:
    made = opened()
    again = 5_000_000
    made.send(3, "client", SYN, again)
    made.send(4, "server", ACK, 1, 1)
    made.send(5, "client", RST, 1)
    made.send(6, "client", SYN, again)
    made.send(7, "server", SYN | ACK, 9_000_000, again + 1)
    made.send(8, "client", ACK, again + 1, 9_000_001)
    shown = [(seen.seq, seen.ack) for seen in annotate(made.done(MS))]
    assert shown[3:] == [(0, None), (1, 1), (1, None), (0, None), (0, 1), (1, 1)]


def test_forwarded_copy_is_not_taken_for_a_retransmission() -> None:
    made = Made()
    made.send(0, "client", SYN, 0)
    (first,) = [event for event in made.trace.events if isinstance(event, PacketSent)]
    made.packet(1, "router", "server", first.raw)
    copy = annotate(made.done(MS))[1]
    assert copy.forwarded
    assert copy.note == ""
    assert copy.seq == 0


def test_other_protocols_are_named() -> None:
    made = Made()
    src, dst = ADDRESS["client"], ADDRESS["server"]
    made.packet(0, "client", "server", ip.encode(ip.Packet(src, dst, 17, Datagram(53, 54, b"abc"))))
    message = icmp.Icmp(3, 3, 0, bytes(28))
    made.packet(1, "client", "server", ip.encode(ip.Packet(src, dst, 1, message)))
    made.packet(2, "client", "server", ip.encode(ip.Packet(src, dst, 89, b"hello")))
    made.packet(3, "client", "server", b"no packet")
    shown = [(seen.protocol, seen.src, seen.summary) for seen in annotate(made.done(MS))]
    assert shown[:3] == [
        ("udp", "10.0.0.1:53", "UDP len 3"),
        ("icmp", "10.0.0.1", "ICMP port unreachable"),
        ("ip", "10.0.0.1", "IP protocol 89"),
    ]
    assert shown[3][2].startswith("unreadable: ")


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, said: str) -> None:
    assert ordinal(number) == said


def test_flags_are_written_in_one_order() -> None:
    assert flag_names(ACK | SYN) == "SYN,ACK"
    assert flag_names(0) == "none"


def test_icmp_is_named_by_code() -> None:
    assert icmp_name(icmp.Icmp(3, 1, 0, b"")) == "host unreachable"
    assert icmp_name(icmp.Icmp(3, 77, 0, b"")) == "unreachable, code 77"
    assert icmp_name(icmp.Icmp(11, 0, 0, b"")) == "time exceeded"
