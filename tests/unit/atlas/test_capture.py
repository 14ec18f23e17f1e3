"""Captures: the blocks that a run becomes."""

import struct

from tests.unit.atlas.traces import Made
from tests.unit.wire.test_pcap import blocks, options

from halfopen.atlas.capture import capture
from halfopen.base.units import MS
from halfopen.record.faults import CableOut, PowerOff
from halfopen.wire import ip
from halfopen.wire.tcp import ACK, SYN, Segment


def made() -> Made:
    run = Made()
    run.send(5 * MS, "client", SYN, 0)
    run.send(15 * MS, "server", SYN | ACK, 0, 1)
    run.fault(20 * MS, CableOut(link="client-server"))
    run.send(25 * MS, "client", ACK, 1, 1, lost="cable out")
    run.fault(30 * MS, PowerOff(host="server"))
    return run


def comments(data: bytes) -> list[list[str]]:
    found = []
    for kind, body in blocks(data):
        if kind == 6:
            (length,) = struct.unpack_from("<I", body, 12)
            rest = body[20 + (length + 3) // 4 * 4 :]
            found.append([text.decode() for code, text in options(rest) if code == 1])
    return found


def test_every_packet_stands_once_at_its_senders_interface() -> None:
    data = capture(made().done(MS))
    kinds = [kind for kind, _ in blocks(data)]
    assert kinds == [0x0A0D0D0A, 1, 1, 4, 6, 6, 6]
    packets = [body for kind, body in blocks(data) if kind == 6]
    assert [struct.unpack_from("<I", body)[0] for body in packets] == [0, 1, 0]
    (length,) = struct.unpack_from("<I", packets[0], 12)
    body = ip.decode(packets[0][20 : 20 + length]).body
    assert isinstance(body, Segment)
    assert body.flags == SYN


def test_names_of_hosts_go_with_their_addresses() -> None:
    (names,) = [body for kind, body in blocks(capture(made().done(MS))) if kind == 4]
    assert b"\x0a\0\0\x01client\0" in names
    assert b"\x0a\0\0\x02server\0" in names


def test_faults_and_losses_are_comments() -> None:
    assert comments(capture(made().done(MS))) == [
        [],
        [],
        [
            "at 20 ms: cable out: client-server",
            "at 30 ms: power off: server",
            "lost: cable out",
        ],
    ]


def test_run_without_a_packet_is_a_capture_without_one() -> None:
    run = Made()
    run.fault(30 * MS, PowerOff(host="server"))
    assert [kind for kind, _ in blocks(capture(run.done(MS)))] == [0x0A0D0D0A, 4]
