"""RFC 1071: the worked example, and packets captured elsewhere."""

import pytest

from halfopen.wire.checksum import checksum, verifies


def slow_checksum(data: bytes) -> int:
    """RFC 1071 4.1, word by word."""
    total = 0
    padded = data + b"\x00" * (len(data) & 1)
    for at in range(0, len(padded), 2):
        total += padded[at] << 8 | padded[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_worked_example() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x00", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff", b"\x01", b"abc", b"abcd"]
    + [bytes(range(n)) * 7 for n in (1, 2, 3, 100, 255)],
    ids=len,
)
def test_agrees_with_the_sum_word_by_word(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Wikipedia", "45000073000040004011b861c0a80001c0a800c7"),
        ("RFC 1071 in practice", "4500003c1c4640004006b1e6ac100a63ac100a0c"),
    ],
    ids=["UDP", "TCP"],
)
def test_known_ip_headers_verify(name: str, header: str) -> None:
    raw = bytes.fromhex(header)
    assert verifies(raw), name
    assert not verifies(raw[:8] + bytes([raw[8] ^ 1]) + raw[9:])
