"""Laws of the wire: what is written is read again; no bytes at all crash a reader."""

from socket import AF_INET6, inet_ntop

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.wire.fields import fields

from halfopen.wire import icmp, ip
from halfopen.wire.address import from_bytes, to_bytes
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram

octets = st.binary(min_size=16, max_size=16)
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


def extension(kind: int, words: int) -> tuple[int, bytes]:
    """An extension header of so many words of eight octets, filled with padding."""
    return kind, bytes((0, words)) + b"\x01\x04" + bytes(4 + 8 * words)


#: Each names what follows in its first octet; what stands there here is written anew.
extensions = st.lists(
    st.builds(extension, st.sampled_from((0, 43, 60)), st.integers(0, 2)), max_size=2
).map(tuple)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    v6 = draw(st.booleans())
    src, dst = (from_bytes(draw(octets)[: 16 if v6 else 4]) for _ in range(2))
    icmp_kind = 58 if v6 else 1
    kind = draw(st.sampled_from((icmp_kind, 6, 17, 132)))
    body: ip.Body
    if kind == 6:
        body = draw(segments(src, dst))
    elif kind == icmp_kind:
        body = Icmp(draw(u8), draw(u8), draw(u32), draw(texts))
    elif kind == 17:
        body = Datagram(draw(u16), draw(u16), draw(texts))
    else:
        body = draw(texts)
    if v6:
        label, more = draw(st.integers(0, 0xFFFFF)), draw(extensions)
        return Packet(src, dst, kind, body, draw(u8), draw(u8), label=label, extensions=more)
    return Packet(src, dst, kind, body, draw(u8), draw(u8), draw(u16), draw(st.booleans()))


@given(packets())
def test_a_packet_survives_the_wire(packet: Packet) -> None:
    back = ip.decode(ip.encode(packet))
    assert [kind for kind, _ in back.extensions] == [kind for kind, _ in packet.extensions]
    back.extensions = packet.extensions
    assert fields(back) == fields(packet)


@given(packets())
def test_encoding_is_stable(packet: Packet) -> None:
    raw = ip.encode(packet)
    assert ip.encode(ip.decode(raw)) == raw


@given(packets().filter(lambda packet: ":" not in packet.src), st.data())
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


#: Groups of which many are 0, so that there are runs of them.
groups = st.lists(st.sampled_from((0, 0, 1, 0xABC, 0xFFFF)), min_size=8, max_size=8)


@given(octets | groups.map(lambda found: b"".join(group.to_bytes(2, "big") for group in found)))
def test_an_ipv6_address_is_written_as_glibc_writes_it(address: bytes) -> None:
    assert from_bytes(address) == inet_ntop(AF_INET6, address)
    assert to_bytes(from_bytes(address)) == address
