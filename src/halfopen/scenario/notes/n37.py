"""N37: gethostname; where the name comes from, and whether two calls get into each other's way."""

import os
import socket
import time
from collections.abc import Mapping
from threading import Thread
from typing import Final

from halfopen.record.events import Output
from halfopen.record.trace import Trace
from halfopen.scenario import libc
from halfopen.scenario.etc import HOSTNAME, HOSTS
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import naming

_NAMES: Final = {"short": "pebble", "with a domain": "pebble.example.org"}
_LONGEST: Final = 64
_HOSTS: Final = """\
127.0.0.1 localhost
10.0.0.1 pebble.example.org pebble
"""
_NEW: Final = "boulder"
_LONG: Final = f"{'y' * 31}.{'z' * 32}"


def client(lab: Lab) -> None:
    """Print the name as every call gives it, before and after it is changed."""
    name = lab.settings["changed to"]
    _tell()
    place = libc.malloc(libc.ROOM)
    libc.gethostname(place, libc.ROOM)
    if name != "nothing":
        new = "x" * (_LONGEST + 1) if name == "one too long" else name
        try:
            socket.sethostname(new)
        except OSError as error:
            print("sethostname", os.strerror(error.errno or 0))
    _tell()
    second = libc.malloc(libc.ROOM)
    libc.gethostname(second, libc.ROOM)
    print("two calls", libc.string(place), libc.string(second))
    for size in (len(libc.string(second)), 3):
        status = libc.gethostname(place, size)
        print("too little room", os.strerror(status), libc.peek(place, size).decode())
    together = [Thread(target=_ask, args=(libc.malloc(libc.ROOM),)) for _ in range(2)]
    for thread in together:
        thread.start()
        thread.join()
    lab.mark("told")
    time.sleep(naming.LONG)


def _tell() -> None:
    """By Python's call, by uname, and what the name leads to in full."""
    print("name", socket.gethostname(), os.uname().nodename, socket.getfqdn())


def _ask(place: int) -> None:
    status = libc.gethostname(place, libc.ROOM)
    print("thread", status, libc.string(place))


def _variant(settings: Mapping[str, str]) -> Variant:
    files = {HOSTNAME: f"{_NAMES[settings['/etc/hostname']]}\n", HOSTS: _HOSTS}
    return naming.alone(settings, client, files)


_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in each(
        **{
            "/etc/hostname": tuple(_NAMES),
            "changed to": ("nothing", _NEW, _LONG, "one too long"),
        }
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read what each call gave."""
    assert len(_LONG) == _LONGEST, "the longest that is taken"
    full = set()
    for variant in _VARIANTS:
        settings = variant.settings
        lines = _said(runs[variant.name])
        booted = _NAMES[settings["/etc/hostname"]]
        new = settings["changed to"]
        now = booted if new in {"nothing", "one too long"} else new
        before, after = lines["name"]
        assert before[:2] == [booted, booted], "as the kernel says, which has it from boot"
        assert after[:2] == [now, now], "a change counts at once, whatever the file says"
        full.add(before[2])
        refused = lines.get("sethostname", [])
        assert bool(refused) == (new == "one too long"), f"{variant.name}: {refused}"
        assert lines["two calls"] == [[booted, now]], "each lies in its caller's room"
        short = [now, now[:3]]
        cut = [line[-1] for line in lines["too little room"]]
        assert cut == short, f"as much as there is room for: {cut}"
        assert {tuple(line[:-1]) for line in lines["too little room"]} == {
            ("File", "name", "too", "long")
        }, "and an error"
        assert lines["thread"] == [["0", now]] * 2, "every thread gets the same"
    assert full == {"pebble.example.org"}, full
    (domain,) = full
    return Answer(
        verdict="qualified",
        text=(
            "It gives what hostname(1) prints: the kernel's own name (that of uname), which "
            "/etc/hostname is only at boot; after sethostname the new name came at once. But it is "
            "reentrant: the name is copied into room of the caller's, and two calls around a "
            "change left the old name in one place and the new one in the other. The full name is "
            f"another matter: it is looked up ({domain})."
        ),
        zh=(
            "它给出的就是 hostname(1) 打印的：内核里的名字（uname 的那个），/etc/hostname 只在启动"
            "时起作用，sethostname 之后马上就是新名字。但它是可重入的：名字被拷贝到调用者自己的内存"
            "里，改名前后的两次调用，一处留着旧名字，一处是新名字。完整的域名是另一回事：它是查出来"
            f"的（{domain}）。"
        ),
        more=(
            f"A name of {_LONGEST} bytes is the longest; with too little room the call fails with "
            "ENAMETOOLONG."
        ),
        more_zh=(f"名字最长 {_LONGEST} 字节；内存不够时以 ENAMETOOLONG 失败。"),
    )


def _said(trace: Trace) -> dict[str, list[list[str]]]:
    """What was printed, by its first words."""
    text = "".join(e.text for e in trace.events if isinstance(e, Output) and e.stream == 1)
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        for start in ("name", "sethostname", "two calls", "too little room", "thread"):
            if line.startswith(f"{start} "):
                found.setdefault(start, []).append(line.removeprefix(start).split())
    return found


NOTE: Final = Note(
    id="N37",
    question="Does gethostname return what hostname(1) prints? Is it reentrant?",
    question_zh="gethostname 返回的就是 hostname(1) 打印的吗？它可重入吗？",
    variants=_VARIANTS,
    answer=answer,
    why=("POSIX gethostname", "Linux sys_newuname", "Linux sys_sethostname", "glibc gethostname"),
    words=("gethostname", "sethostname", "hostname", "uname", "nodename", "reentrant", "getfqdn"),
    tells=(("client", "prints two calls"),),
)
