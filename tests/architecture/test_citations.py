"""House style, rule 16: one spelling of a citation, current RFCs only, kernel functions by name."""

import re
from typing import Final

import pytest
from tests.architecture import sources

OBSOLETE: Final = {
    "793": "9293", "879": "9293", "1323": "7323", "2001": "5681", "2581": "5681",
    "2988": "6298", "3782": "6582", "6093": "9293", "6429": "9293", "6528": "9293",
    "6691": "9293", "8312": "9438", "2460": "8200", "3484": "6724", "1883": "8200",
}  # fmt: skip
#: A mention is any of these; "RFC 9293", then perhaps "3.10.7.3", is the one spelling.
#: (tcp_rfc1337 is a sysctl.)
_MENTION: Final = re.compile(r"\b(?!rfc1337\b)RFCs?[\s\-_#]*\d+", re.IGNORECASE)
_SPELLING: Final = re.compile(r"RFC (\d{3,4})(?!\d)")
_BAD_TAIL: Final = re.compile(r",?\s*(?:§|[Ss]ec(?:tion|t)?\.?\s|[Cc]h(?:apter|ap)?\.?\s\d|#)")
_KERNEL_LINE: Final = re.compile(
    r"\b\w+\.[ch]:\d+|\bLinux [a-z]\w+(?:\(\))?(?::\d+|,? lines? \d+)|\bLinux [a-z]\w*_\w+\(\)"
)


def wrong_citations(text: str) -> list[tuple[int, str]]:
    """Return line number and complaint for every citation that is not spelled our way."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for mention in _MENTION.finditer(line):
            spelled = _SPELLING.match(line, mention.start())
            if not spelled:
                found.append((number, f"{mention.group()!r}: write RFC 9293 3.10.7.3"))
            elif spelled[1] in OBSOLETE:
                current = OBSOLETE[spelled[1]]
                found.append((number, f"RFC {spelled[1]} is obsolete: cite RFC {current}"))
            elif _BAD_TAIL.match(line, spelled.end()):
                found.append((number, f"{mention.group()}: the section follows bare, 3.10.7.3"))
        found += [
            (number, f"{cited.group()!r}: cite the kernel by function, Linux tcp_reset")
            for cited in _KERNEL_LINE.finditer(line)
        ]
    return found


def test_every_citation_has_the_one_spelling() -> None:
    wrong = [
        f"{sources.place(path, number)}: {complaint}"
        for path in sources.prose()
        for number, complaint in wrong_citations(path.read_text())
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "as RFC9293 says",
        "rfc 9293 3.4",
        "RFC-9293",
        "RFC 793 3.9",
        "RFC 1323",
        "RFC 9293, section 3.4",
        "RFC 9293 §3.4",
        "Linux tcp_reset:4321",
        "Linux tcp_reset()",
        "Linux tcp_reset, line 12",
        "net/ipv4/tcp_input.c:4321",
    ],
)
def test_a_wrong_citation_is_seen(line: str) -> None:
    assert wrong_citations(line)


@pytest.mark.parametrize(
    "line",
    [
        "RFC 9293 3.10.7.3, third check",
        "(RFC 7323)",
        "Linux tcp_rcv_synsent_state_process",
        "Linux 6.18",
    ],
)
def test_a_right_citation_passes(line: str) -> None:
    assert not wrong_citations(line)
