"""DNS messages as the resolver makes and reads them (RFC 1035 4)."""

import re
from struct import pack, unpack_from
from typing import Final

from halfopen.base.value import value

A: Final = 1
CNAME: Final = 5
PTR: Final = 12
AAAA: Final = 28
OPT: Final = 41
IN: Final = 1

NOERROR: Final = 0
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5

HEADER: Final = 12
_RD: Final = 0x0100
_AD: Final = 0x0020
_AA: Final = 0x0400
_TC: Final = 0x0200
_RA: Final = 0x0080
_LABEL_MAX: Final = 63
_NAME_MAX: Final = 255
_POINTER: Final = 0xC0
#: What the resolver says that it takes, with EDNS (glibc RESOLV_EDNS_BUFFER_SIZE).
_EDNS_SIZE: Final = 1200
_SPECIAL: Final = b'".;\\@$()'
_HOSTNAME: Final = re.compile(r"[0-9A-Za-z_-]+")


class MalformedError(Exception):
    """What came can't be read."""


@value
class Record:
    """A resource record; ``target`` is the name that a CNAME or a PTR leads to."""

    owner: str
    kind: int
    klass: int
    data: bytes
    target: str = ""


@value
class Message:
    """A response, as far as it can be read: after what is malformed there is nothing more."""

    ident: int
    flags: int
    counts: tuple[int, int, int, int]
    question: tuple[str, int, int]
    answers: tuple[Record, ...]

    @property
    def rcode(self) -> int:
        """What the server says of the query."""
        return self.flags & 0xF

    @property
    def is_broken(self) -> bool:
        """Whether not all of its answers can be read."""
        return len(self.answers) < self.counts[1]

    @property
    def truncated(self) -> bool:
        """Whether it was cut off."""
        return bool(self.flags & _TC)

    @property
    def is_lame(self) -> bool:
        """Whether the server knows nothing and does not ask others either."""
        _, answers, _, additional = self.counts
        silent = self.rcode == NOERROR and not answers and not additional
        return silent and not self.flags & (_AA | _RA)


def labels(name: str) -> list[bytes]:
    """Take a name apart (glibc ns_name_pton).

    Raises MalformedError for an empty label, one that is too long, or a name that is.
    """
    octets = name.encode("latin-1")
    found: list[bytes] = []
    label = bytearray()
    at = 0
    while at < len(octets):
        octet = octets[at]
        at += 1
        if octet == ord("."):
            found.append(bytes(label))
            label.clear()
        elif octet == ord("\\"):
            digits = octets[at : at + 3]
            if len(digits) == 3 and digits.isdigit():
                label.append(int(digits) & 0xFF)
                at += 3
            else:
                label += octets[at : at + 1]
                at += 1
        else:
            label.append(octet)
    if label:
        found.append(bytes(label))
    size = sum(len(each) + 1 for each in found) + 1
    if found == [b""]:
        return []  # the root
    if size > _NAME_MAX or any(not 0 < len(each) <= _LABEL_MAX for each in found):
        raise MalformedError
    return found


def is_hostname(name: str) -> bool:
    """Whether a name can be a host's: letters, digits, - and _ (glibc res_hnok)."""
    if any(not "!" <= char <= "~" for char in name):
        return False
    try:
        parts = labels(name)
    except MalformedError:
        return False
    plain = all(_HOSTNAME.fullmatch(part.decode("latin-1")) for part in parts)
    return plain and not (parts and parts[0].startswith(b"-"))


def query(name: str, kind: int, ident: int, *, edns: bool = False, trust_ad: bool = False) -> bytes:
    """Make a query (glibc res_mkquery). Raises MalformedError for what is no name."""
    flags = _RD | (_AD if trust_ad else 0)
    asked = b"".join(bytes([len(each)]) + each for each in labels(name)) + b"\0"
    head = pack("!6H", ident, flags, 1, 0, 0, int(edns))
    tail = pack("!BHHIH", 0, OPT, _EDNS_SIZE, 0, 0) if edns else b""
    return head + asked + pack("!HH", kind, IN) + tail


def parse(octets: bytes) -> Message:
    """Read a message. Raises MalformedError where not even its question can be read."""
    if len(octets) < HEADER:
        raise MalformedError
    ident, flags, *counts = unpack_from("!6H", octets)
    name, kind, klass, at = "", 0, 0, HEADER
    if counts[0]:
        name, at = _name(octets, HEADER)
        if at + 4 > len(octets):
            raise MalformedError
        kind, klass = unpack_from("!HH", octets, at)
        at += 4
    answers: list[Record] = []
    for _ in range(counts[1]):
        try:
            record, at = _record(octets, at)
        except MalformedError:
            break
        answers.append(record)
    return Message(
        ident=ident,
        flags=flags,
        counts=(counts[0], counts[1], counts[2], counts[3]),
        question=(name, kind, klass),
        answers=tuple(answers),
    )


def _record(octets: bytes, at: int) -> tuple[Record, int]:
    owner, at = _name(octets, at)
    if at + 10 > len(octets):
        raise MalformedError
    kind, klass, _, size = unpack_from("!HHIH", octets, at)
    at += 10
    if at + size > len(octets):
        raise MalformedError
    target = _name(octets, at)[0] if kind in {CNAME, PTR} else ""
    data = octets[at : at + size]
    return Record(owner=owner, kind=kind, klass=klass, data=data, target=target), at + size


def _name(octets: bytes, at: int) -> tuple[str, int]:
    """Read a name, compressed or not, as text; and where it ends."""
    parts: list[str] = []
    end = 0
    size = 0
    while True:
        if at >= len(octets):
            raise MalformedError
        length = octets[at]
        if length >= _POINTER:
            if at + 2 > len(octets):
                raise MalformedError
            end = end or at + 2
            there = (length & ~_POINTER) << 8 | octets[at + 1]
            if there >= at:
                raise MalformedError  # it would lead round in a circle
            at = there
            continue
        at += 1
        if not length:
            return ".".join(parts), end or at
        size += length + 1
        if length > _LABEL_MAX or size >= _NAME_MAX or at + length > len(octets):
            raise MalformedError
        parts.append("".join(map(_shown, octets[at : at + length])))
        at += length


def _shown(octet: int) -> str:
    """Write an octet of a name (glibc ns_name_ntop)."""
    if octet in _SPECIAL:
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 < octet < 0x7F else f"\\{octet:03}"
