"""pcapng, read back block by block by a reader that shares nothing with the writer."""

import struct
from collections.abc import Iterator

from halfopen.wire import pcap


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        yield kind, data[at + 8 : at + length - 4]
        at += length
    assert at == len(data)


def options(body: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while True:
        code, length = struct.unpack_from("<HH", body, at)
        at += 4
        if code == 0:
            assert length == 0
            assert at == len(body), "nothing stands behind the end of the options"
            return found
        found.append((code, body[at : at + length]))
        at += (length + 3) // 4 * 4


def test_section_opens_in_little_endian_order_version_1_0() -> None:
    ((kind, body),) = blocks(pcap.section_header("halfopen"))
    assert kind == 0x0A0D0D0A
    assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
    assert options(body[16:]) == [(4, b"halfopen")]


def test_interface_is_named_and_counts_nanoseconds() -> None:
    ((kind, body),) = blocks(pcap.interface("client", "client on link a-b"))
    assert kind == 1
    assert struct.unpack_from("<HHI", body) == (101, 0, 0)
    assert options(body[8:]) == [(2, b"client"), (3, b"client on link a-b"), (9, b"\x09")]


def test_interface_without_description_has_no_such_option() -> None:
    ((_, body),) = blocks(pcap.interface("client"))
    assert [code for code, _ in options(body[8:])] == [2, 9]


def test_names_end_in_nul_and_are_padded() -> None:
    six = bytes(15) + b"\x01"
    ((kind, body),) = blocks(pcap.names([(b"\x0a\0\0\x01", "client"), (six, "six")]))
    assert kind == 4
    assert struct.unpack_from("<HH", body) == (1, 4 + 7)
    assert body[4:15] == b"\x0a\0\0\x01client\0"
    assert struct.unpack_from("<HH", body, 16) == (2, 16 + 4)
    assert body[20:40] == six + b"six\0"
    assert body[40:] == bytes(4)


def test_packet_has_its_time_in_two_halves_and_every_comment() -> None:
    t_ns = (7 << 32) + 5
    written = pcap.packet(b"\x45hello", interface_id=3, t_ns=t_ns, comments=["again", "lost"])
    ((kind, body),) = blocks(written)
    assert kind == 6
    assert struct.unpack_from("<IIIII", body) == (3, 7, 5, 6, 6)
    assert body[20:28] == b"\x45hello\0\0"
    assert options(body[28:]) == [(2, b"\x02\0\0\0"), (1, b"again"), (1, b"lost")]
