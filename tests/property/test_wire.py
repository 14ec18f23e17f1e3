"""Laws of the wire: what is written is read again; no bytes at all crash a reader."""

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.wire.fields import fields

from halfopen.wire import icmp, ip
from halfopen.wire.address import from_bytes
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram

addresses = st.binary(min_size=4, max_size=4).map(from_bytes)
u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
texts = st.binary(max_size=64)


@st.composite
def segments(draw: st.DrawFn, src: str, dst: str) -> Segment:
    stamped = draw(st.booleans())
    blocks = st.lists(st.tuples(u32, u32), max_size=3 if stamped else 4)
    syn = draw(st.booleans())
    return Segment(
        (src, draw(u16), dst, draw(u16)),
        draw(u32),
        draw(u32),
        draw(u8),
        draw(u16),
        draw(texts),
        mss=draw(st.integers(0, 65535)) if syn else 0,
        wscale=draw(st.integers(-1, 255)) if syn else -1,
        sack_ok=draw(st.booleans()) if syn else False,
        ts_val=draw(u32) if stamped else -1,
        ts_ecr=draw(u32) if stamped else 0,
        sack=() if syn else tuple(draw(blocks)),
        urg=draw(u16),
    )


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    src, dst = draw(addresses), draw(addresses)
    kind = draw(st.sampled_from((1, 6, 17, 132)))
    body: ip.Body
    if kind == 6:
        body = draw(segments(src, dst))
    elif kind == 1:
        body = Icmp(draw(u8), draw(u8), draw(u32), draw(texts))
    elif kind == 17:
        body = Datagram(draw(u16), draw(u16), draw(texts))
    else:
        body = draw(texts)
    return Packet(src, dst, kind, body, draw(u8), draw(u8), draw(u16), draw(st.booleans()))


@given(packets())
def test_a_packet_survives_the_wire(packet: Packet) -> None:
    assert fields(ip.decode(ip.encode(packet))) == fields(packet)


@given(packets())
def test_encoding_is_stable(packet: Packet) -> None:
    raw = ip.encode(packet)
    assert ip.encode(ip.decode(raw)) == raw


@given(packets(), st.data())
def test_a_flipped_bit_is_noticed(packet: Packet, data: st.DataObject) -> None:
    """Checksums find every single bit error; bytes of an unknown protocol have none."""
    if isinstance(packet.body, bytes):
        packet.body = b""
    raw = bytearray(ip.encode(packet))
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at >> 3] ^= 1 << (at & 7)
    assume(packet.proto != 17 or raw[26:28] != b"\x00\x00")  # a UDP checksum of 0 is none
    try:
        ip.decode(bytes(raw))
    except WireError:
        return
    raise AssertionError(f"bit {at} of the packet may be flipped unseen")


@given(st.binary(max_size=96))
def test_no_bytes_crash_the_readers(raw: bytes) -> None:
    for read in (ip.decode, icmp.decode, icmp.decode_quoted):
        try:
            read(raw)
        except WireError:
            continue
