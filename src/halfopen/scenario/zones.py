"""What a name server of a scenario answers: octets to octets, without a socket or a clock.

Not part of a note's file, so that dnspython is loaded once and not by every process of a world.
"""

from collections.abc import Mapping
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

#: What is loaded at its first use otherwise, which would be within a run.
for _kind in ("A", "AAAA", "CNAME", "PTR", "TXT", "OPT"):
    dns.rdata.get_rdata_class(  # type: ignore[no-untyped-call]  # dnspython's own
        dns.rdataclass.IN, dns.rdatatype.from_text(_kind)
    )

#: What fits into a datagram without EDNS (RFC 1035 4.2.1).
DATAGRAM_MAX: Final = 512
_ALIASES_MAX: Final = 8


class Zone:
    """Records by name and type, all of one server; below ``origins`` it knows all there is.

    ``records``: a line each, as in a zone file: ``www.example.org A 192.0.2.1``.
    ``rcodes``: names for which it answers with an error alone.
    """

    def __init__(
        self, origins: tuple[str, ...], records: str, rcodes: Mapping[str, str] | None = None
    ) -> None:
        self.origins = tuple(dns.name.from_text(each) for each in origins)
        self.sets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self.rcodes = {
            dns.name.from_text(name): dns.rcode.from_text(code)
            for name, code in (rcodes or {}).items()
        }
        by_set: dict[tuple[str, str], list[str]] = {}
        for line in records.splitlines():
            if line.strip():
                name, kind, rest = line.split(maxsplit=2)
                by_set.setdefault((name, kind), []).append(_absolute(kind, rest))
        for (name, kind), texts in by_set.items():
            found = dns.rrset.from_text_list(dns.name.from_text(name), 60, "IN", kind, texts)
            self.sets[found.name, found.rdtype] = found
        self.names = {name for name, _ in self.sets}

    def answer(self, octets: bytes, *, over_tcp: bool = False, fits: int = DATAGRAM_MAX) -> bytes:
        """Answer a query; what is longer than a datagram takes is cut off, and says so."""
        query = dns.message.from_wire(octets)
        response = dns.message.make_response(query, recursion_available=True)
        (question,) = query.question
        rcode = self.rcodes.get(question.name)
        if rcode is not None:
            response.set_rcode(rcode)
        elif not any(question.name.is_subdomain(origin) for origin in self.origins):
            response.set_rcode(dns.rcode.REFUSED)
        else:
            response.flags |= dns.flags.AA
            self._fill(response, question.name, question.rdtype)
        size = 65535 if over_tcp else max(fits, query.payload)
        return response.to_wire(max_size=size, prefer_truncation=True, want_shuffle=False)

    def _fill(
        self,
        response: dns.message.Message,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
    ) -> None:
        """Add the records, and those that lead to them."""
        if name not in self.names:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        for _ in range(_ALIASES_MAX):
            alias = self.sets.get((name, dns.rdatatype.CNAME))
            if alias is None:
                break
            response.answer.append(alias)
            name = alias[0].target
        found = self.sets.get((name, kind))
        if found is not None:
            response.answer.append(found)


def asked(octets: bytes) -> tuple[str, str]:
    """Say which name a query asks for, and which type."""
    (question,) = dns.message.from_wire(octets).question
    return question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)


def _absolute(kind: str, text: str) -> str:
    return f"{text.removesuffix('.')}." if kind in {"CNAME", "PTR"} else text
