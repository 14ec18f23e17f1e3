"""Segments to bytes, laid out as Linux does (tcp_options_write)."""

import pytest

from halfopen.wire import tcp
from halfopen.wire.address import to_bytes
from halfopen.wire.checksum import checksum
from halfopen.wire.errors import WireError
from halfopen.wire.tcp import ACK, FIN, PSH, SYN, Segment

FLOW = ("10.0.0.1", 40000, "10.0.0.2", 80)


def options_of(seg: Segment) -> str:
    """The options as they lie on the wire."""
    data = tcp.encode(seg)
    return data[20 : (data[12] >> 4) * 4].hex(" ")


@pytest.mark.parametrize(
    ("name", "seg", "laid_out"),
    [
        (
            "SYN with everything",
            Segment(FLOW, 1, 0, SYN, 64240, mss=1460, wscale=7, sack_ok=True, ts_val=0x01020304),
            "02 04 05 b4 04 02 08 0a 01 02 03 04 00 00 00 00 01 03 03 07",
        ),
        (
            "SYN without timestamps",
            Segment(FLOW, 1, 0, SYN, 64240, mss=1460, wscale=7, sack_ok=True),
            "02 04 05 b4 01 01 04 02 01 03 03 07",
        ),
        (
            "SYN without SACK",
            Segment(FLOW, 1, 0, SYN, 64240, mss=536, wscale=0, ts_val=0, ts_ecr=5),
            "02 04 02 18 01 01 08 0a 00 00 00 00 00 00 00 05 01 03 03 00",
        ),
        ("SYN with the MSS alone", Segment(FLOW, 1, 0, SYN, 100, mss=1460), "02 04 05 b4"),
        (
            "data with timestamps",
            Segment(FLOW, 1, 2, ACK | PSH, 502, b"x", ts_val=7, ts_ecr=9),
            "01 01 08 0a 00 00 00 07 00 00 00 09",
        ),
        (
            "ACK with one block",
            Segment(FLOW, 1, 2, ACK, 502, ts_val=7, ts_ecr=9, sack=((16, 32),)),
            "01 01 08 0a 00 00 00 07 00 00 00 09 01 01 05 0a 00 00 00 10 00 00 00 20",
        ),
        (
            "ACK with two blocks, no timestamps",
            Segment(FLOW, 1, 2, ACK, 502, sack=((1, 2), (3, 4))),
            "01 01 05 12 00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 04",
        ),
        ("no options", Segment(FLOW, 1, 2, ACK, 502, b"hello"), ""),
    ],
    ids=lambda case: case if isinstance(case, str) and case[:1].isalpha() else "",
)
def test_options_lie_as_linux_lays_them(name: str, seg: Segment, laid_out: str) -> None:
    assert options_of(seg) == laid_out, name


def patched(data: bytes, at: int, octets: bytes) -> bytes:
    """Change octets and mend the checksum, so that the fault meant is the one that is found."""
    data = data[:at] + octets + data[at + len(octets) :]
    data = data[:16] + b"\x00\x00" + data[18:]
    pseudo = to_bytes(FLOW[0]) + to_bytes(FLOW[2]) + b"\x00\x06" + len(data).to_bytes(2, "big")
    return data[:16] + checksum(pseudo + data).to_bytes(2, "big") + data[18:]


SYN_BYTES = tcp.encode(Segment(FLOW, 1, 0, SYN, 64240, mss=1460, wscale=7, sack_ok=True, ts_val=3))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(SYN_BYTES[:19], "at least 20", id="cut off in the header"),
        pytest.param(patched(SYN_BYTES, 12, b"\x40"), "data offset 4", id="a data offset of 4"),
        pytest.param(
            patched(SYN_BYTES, 12, b"\xf0"), "data offset 15", id="a data offset behind the end"
        ),
        pytest.param(SYN_BYTES[:-1] + b"\xff", "checksum", id="a wrong checksum"),
        pytest.param(patched(SYN_BYTES, 20, b"\x02\x00"), "length 0", id="an option of length 0"),
        pytest.param(patched(SYN_BYTES, 20, b"\x02\x01"), "length 1", id="an option of length 1"),
        pytest.param(
            patched(SYN_BYTES, 37, b"\x03\x04"), "option 3 of length", id="an option behind the end"
        ),
        pytest.param(
            patched(SYN_BYTES, 36, b"\x01\x01\x01\x03"), "length 0", id="an option without length"
        ),
    ],
)
def test_malformed(data: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        tcp.decode(data, FLOW[0], FLOW[2])


def test_options_of_unknown_kind_or_odd_length_are_passed_over() -> None:
    # kind 30 (MPTCP), then an MSS of length 3, then the end of options before a valid MSS
    data = patched(SYN_BYTES, 20, bytes.fromhex("1e04aabb 020305 01 00 020405b4 000000 01030307"))
    seg = tcp.decode(data, FLOW[0], FLOW[2])
    assert (seg.mss, seg.wscale, seg.ts_val, seg.sack_ok) == (0, -1, -1, False)


def test_seq_len_counts_syn_and_fin() -> None:
    assert Segment(FLOW, 1, 0, SYN, 1).seq_len() == 1
    assert Segment(FLOW, 1, 0, FIN | ACK, 1, b"abc").seq_len() == 4
