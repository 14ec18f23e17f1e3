"""N39: service names and ports; the file that they are read from, and where a result lies."""

import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.record.events import Output
from halfopen.record.trace import Trace
from halfopen.scenario import libc
from halfopen.scenario.etc import NSSWITCH, SERVICES
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import naming

CLAIMED: Final = "/etc/service"
_TEXT: Final = """\
# name port/protocol aliases
pebble 4321/tcp stone   # of ours
pebble 4322/udp
gravel 4321/tcp
lonely 4323/udp
bare  4324
wrong  4325 tcp
http 80/tcp www
domain 53/udp
"""
_FILES: Final[Mapping[str, dict[str, str | None]]] = {
    SERVICES: {SERVICES: _TEXT},
    CLAIMED: {CLAIMED: _TEXT, SERVICES: None},
    "both": {CLAIMED: _TEXT, SERVICES: "pebble 9/tcp\n"},
    "neither": {SERVICES: None},
}
_SOURCES: Final = ("files", "none", "not said")


def client(lab: Lab) -> None:
    """Ask for names and ports in every way, and print what comes."""
    for name in ("pebble", "stone", "Pebble", "lonely", "bare", "wrong", "http", "nosuch"):
        for protocol in ("tcp", "udp", "sctp"):
            _tell(f"{name} {protocol}", lambda: socket.getservbyname(name, protocol))  # noqa: B023  called at once
        _tell(f"{name} any", lambda: socket.getservbyname(name))  # noqa: B023  called at once
    for port in (4321, 4322, 80, 53, 1):
        for protocol in ("tcp", "udp"):
            _tell(f"{port} {protocol}", lambda: socket.getservbyport(port, protocol))  # noqa: B023  called at once
        _tell(f"{port} any", lambda: socket.getservbyport(port))  # noqa: B023  called at once
    naming.attempt(lambda: socket.getaddrinfo("127.0.0.1", "pebble", 0, socket.SOCK_STREAM))
    naming.attempt(lambda: socket.getnameinfo(("127.0.0.1", 4321), socket.NI_NUMERICHOST))
    _pointers()
    lab.mark("told")
    time.sleep(naming.LONG)


def _pointers() -> None:
    """Ask C twice, and read both results in the end."""
    first, second = libc.getservbyname("pebble", "tcp"), libc.getservbyname("pebble", "udp")
    port = libc.getservbyport(4321, "tcp")
    if not (first and second and port):
        print("place: NULL")
        return
    print("place:", "one" if first == second else "two", libc.servent(first)[2])
    print("by port:", "one" if first == port else "another")


def _tell(what: str, look: Callable[[], object]) -> None:
    try:
        print(f"{what}: {look()}")
    except OSError:
        print(f"{what}: none")


def _variant(settings: Mapping[str, str]) -> Variant:
    files: dict[str, str | None] = dict(_FILES[settings["file"]])
    source = settings["nsswitch"]
    if source != "files":
        files[NSSWITCH] = "services: nosuch\n" if source == "none" else None
    return naming.alone(settings, client, files)


_VARIANTS: Final = tuple(
    _variant(settings) for settings in each(file=tuple(_FILES), nsswitch=_SOURCES)
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read what was printed: which file was read, and what of it."""
    said = {(v.settings["file"], v.settings["nsswitch"]): _said(runs[v.name]) for v in _VARIANTS}
    right = said[SERVICES, "files"]
    port = right["pebble any"]
    assert {right["pebble tcp"], right["stone any"]} == {port}, "a name, or its alias"
    assert (right["pebble sctp"], right["Pebble any"]) == ("none", "none"), "case and protocol"
    assert right["wrong any"] == "none", "a port has its protocol behind a slash"
    assert right["4321 any"] == "pebble", "the first line counts"
    nothing = {place: set(said[place, "files"].values()) for place in (CLAIMED, "neither")}
    assert nothing[CLAIMED] == nothing["neither"] == {"none", "NULL"}, "the other file is not read"
    both = said["both", "files"]["pebble any"]
    assert both == "9", "also where both are there"
    assert said[SERVICES, "not said"] == right, "files is the default"
    assert set(said[SERVICES, "none"].values()) == {"none", "NULL"}, "nsswitch.conf decides"
    assert right["by port"] == "another", "each call has a place of its own"
    where, there = right["place"].split()
    assert (where, there) == ("one", right["pebble udp"]), "the second result took its place"
    lookups = {
        v.settings["file"]: naming.lookups(runs[v.name])[0].errno
        for v in _VARIANTS
        if v.settings["nsswitch"] == "files"
    }
    assert lookups[SERVICES] is None, "getaddrinfo reads it too"
    return Answer(
        verdict="refuted",
        text=(
            f"The file is /etc/services, with an s: a service that stood in {CLAIMED} alone was "
            f"not found, and where both were there /etc/services counted. It gave port {port} for "
            "a name or an alias, in its very spelling, and the first line's name for a port; "
            "without a protocol any will do. Where nsswitch.conf names another source the file is "
            "not read."
        ),
        zh=(
            f"文件是 /etc/services，末尾有 s：只写在 {CLAIMED} 里的服务查不到，两个文件都有时算数的"
            f"是 /etc/services。按名字或别名（大小写须一致）得到端口 {port}，按端口得到第一行的名"
            "字；不给协议时任何协议都算。nsswitch.conf 写了别的来源时，就不读这个文件。"
        ),
        more=(
            f"getaddrinfo and getnameinfo read it too ({lookups[CLAIMED]} without it). The result "
            "lies in one place for each of the two calls: the second lookup by name had changed "
            f"the first one's port to {there}."
        ),
        more_zh=(
            f"getaddrinfo 和 getnameinfo 也读它（没有它时是 {lookups[CLAIMED]}）。两个函数的结果各"
            f"放在一个固定的地方：第二次按名字查询之后，第一次结果里的端口变成了 {there}。"
        ),
    )


def _said(trace: Trace) -> dict[str, str]:
    text = "".join(e.text for e in trace.events if isinstance(e, Output) and e.stream == 1)
    return dict(line.split(": ", 1) for line in text.splitlines())


NOTE: Final = Note(
    id="N39",
    question="Do getservbyname and getservbyport read the file /etc/service?",
    question_zh="getservbyname 和 getservbyport 查的是文件 /etc/service 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=("RFC 6335 5", "glibc _nss_files_getservbyname_r", "glibc getservbyport"),
    words=(
        *("getservbyname", "getservbyport", "/etc/services", "/etc/service", "port", "service"),
        *("nsswitch", "static", "reentrant"),
    ),
    tells=(
        ("client", "prints pebble any"),
        ("client", "prints stone any"),
        ("client", "prints 4321 any"),
        ("client", "getaddrinfo"),
    ),
)
