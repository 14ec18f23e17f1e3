"""N40: protocol names and numbers, and the file that they are read from."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.record.events import Output
from halfopen.record.trace import Trace
from halfopen.scenario import libc
from halfopen.scenario.etc import NSSWITCH, PROTOCOLS
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import naming

#: What is looked up: TCP under its own name, and one that is nobody's.
_TEXT: Final = """\
# name number aliases
ip 0 IP
tcp 6 TCP   # transmission control
udp 17 UDP
pebble 253 PEBBLE stone
gravel 253
"""
_FILES: Final[Mapping[str, dict[str, str | None]]] = {
    "as usual": {PROTOCOLS: _TEXT},
    "TCP missing": {PROTOCOLS: _TEXT.replace("tcp", "pct").replace("TCP", "PCT")},
    "no file": {PROTOCOLS: None},
}
_NAMES: Final = ("tcp", "TCP", "Tcp", "udp", "pebble", "stone", "gravel", "nosuch")
_NUMBERS: Final = (0, 6, 17, 253, 254, -1)


def client(lab: Lab) -> None:
    """Ask for names and numbers, print what comes; then use a protocol whatever the file says."""
    for name in _NAMES:
        try:
            print(f"{name}: {socket.getprotobyname(name)}")
        except OSError:
            print(f"{name}: none")
    for number in _NUMBERS:
        there = libc.getprotobynumber(number)
        print(f"{number}: {libc.protoent(there)[0] if there else 'none'}")
    first, second = libc.getprotobynumber(17), libc.getprotobynumber(253)
    named = libc.getprotobyname("udp")
    if first and second and named:
        where = "one" if first == second else "two"
        print(f"place: {where} {libc.protoent(first)[0]}")
        print(f"by name: {'one' if first == named else 'another'}")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 6)
    print(f"socket: {sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)}")
    sock.close()
    lab.mark("told")
    time.sleep(naming.LONG)


def _variant(settings: Mapping[str, str]) -> Variant:
    files: dict[str, str | None] = dict(_FILES[settings["/etc/protocols"]])
    if settings["nsswitch"] == "none":
        files[NSSWITCH] = "protocols: nosuch\n"
    return naming.alone(settings, client, files)


_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in each(**{"/etc/protocols": tuple(_FILES), "nsswitch": ("files", "none")})
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read what was printed: what the file said, and what did not depend on it."""
    said = {
        (v.settings["/etc/protocols"], v.settings["nsswitch"]): _said(runs[v.name])
        for v in _VARIANTS
    }
    usual, other = said["as usual", "files"], said["TCP missing", "files"]
    assert (usual["tcp"], usual["TCP"], usual["Tcp"]) == ("6", "6", "none"), "in its spelling"
    assert (usual["6"], usual["253"], usual["-1"]) == ("tcp", "pebble", "none"), "the first line"
    assert (usual["stone"], usual["gravel"]) == ("253", "253"), "aliases, and a second name"
    assert (other["tcp"], other["6"]) == ("none", "pct"), "what the file does not say is not known"
    for key in (("no file", "files"), ("as usual", "none"), ("no file", "none")):
        known = {said[key][str(each_)] for each_ in (*_NAMES, *_NUMBERS)}
        assert known == {"none"}, f"{key}: {known}"
    assert {each_["socket"] for each_ in said.values()} == {"6"}, "a socket needs no names"
    where, there = usual["place"].split()
    assert (where, there, usual["by name"]) == ("one", "pebble", "another"), "static, for each call"
    return Answer(
        verdict="confirmed",
        text=(
            f"Both read /etc/protocols: number 6 gave {usual['6']}, and {other['6']} where the "
            "file said so; a name must be spelt as it stands there, as name or alias, and of two "
            "names of a number the first is given. Without the file, or where nsswitch.conf names "
            "another source, nothing is known; sockets are made by number and work all the same. "
            "The result lies in one place for each call: the next one changes it "
            f"({there} stood there in the end)."
        ),
        zh=(
            f"两者都读 /etc/protocols：6 号给出 {usual['6']}，文件改了就给出 {other['6']}；"
            "名字（或别名）的大小写须与文件一致，一个号有两个名字时给第一个。"
            "没有这个文件，或者 nsswitch.conf 写了别的来源，就什么也查不到；"
            "套接字按号创建，照样能用。结果放在各函数固定的一个地方，"
            f"下一次调用会改掉它（最后那里是 {there}）。"
        ),
    )


def _said(trace: Trace) -> dict[str, str]:
    text = "".join(e.text for e in trace.events if isinstance(e, Output) and e.stream == 1)
    return dict(line.split(": ", 1) for line in text.splitlines())


NOTE: Final = Note(
    id="N40",
    question="Do getprotobynumber and getprotobyname read /etc/protocols?",
    question_zh="getprotobynumber 和 getprotobyname 查的是 /etc/protocols 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=("RFC 5237 2", "glibc _nss_files_getprotobynumber_r"),
    words=("getprotobynumber", "getprotobyname", "/etc/protocols", "protocol", "number", "static"),
    tells=(
        ("client", "prints tcp"),
        ("client", "prints TCP"),
        ("client", "prints 6"),
        ("client", "prints socket"),
    ),
)
