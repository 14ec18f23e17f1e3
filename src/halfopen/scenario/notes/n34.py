"""N34: gethostbyname and gethostbyaddr; there and back, and where their results lie."""

import socket
import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Final

from halfopen.base.units import S
from halfopen.record.events import Mark, Output
from halfopen.record.trace import Trace
from halfopen.scenario import libc
from halfopen.scenario.etc import HOSTS
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import naming
from halfopen.scenario.notes.naming import CLIENT

_HOSTS: Final = """\
127.0.0.1 localhost
192.0.2.70 first.example.org first one
192.0.2.71 first.example.org uno
192.0.2.72 second.example.org second
2001:db8::70 six-only.example.org
"""
_PAIRS: Final = {
    "file": ("first.example.org", "second.example.org"),
    "DNS": ("www.example.org", "two.example.org"),
}
_BACK: Final = {
    "file": ("192.0.2.70", "192.0.2.72"),
    "DNS": ("192.0.2.10", "192.0.2.72"),
}
FORMS: Final = ("plain", "_r")
#: Two threads call at once; the server takes its time for the first name.
_SLOW: Final = ("slow.example.org", "two.example.org")


def by_name(form: str, name: str) -> tuple[int, int]:
    """Look a name up: the result, h_errno."""
    if form == "plain":
        pointer = libc.gethostbyname(name)
        return pointer, 0 if pointer else libc.h_errno()
    _, pointer, told = libc.gethostbyname_r(name, libc.malloc(libc.ROOM), libc.ROOM)
    return pointer, told


def by_address(form: str, address: str) -> tuple[int, int]:
    """Look an address up: the result, h_errno."""
    if form == "plain":
        pointer = libc.gethostbyaddr(address)
        return pointer, 0 if pointer else libc.h_errno()
    _, pointer, told = libc.gethostbyaddr_r(address, libc.malloc(libc.ROOM), libc.ROOM)
    return pointer, told


def both(lab: Lab) -> None:
    """Look two names up and two addresses, and read all results in the end."""
    form, source = lab.settings["form"], lab.settings["from"]
    for look, asked in ((by_name, _PAIRS[source]), (by_address, _BACK[source])):
        (first, _), (second, _) = (look(form, each_) for each_ in asked)
        what = look.__name__
        print(f"{what} places:", "one" if first == second else "two")
        print(f"{what} first:", libc.hostent(first))
        print(f"{what} second:", libc.hostent(second))


def threads(lab: Lab) -> None:
    """Two threads in the call at once; each says what it has once both are back."""
    form = lab.settings["form"]
    found: dict[str, int] = {}

    def look(name: str) -> None:
        found[name], _ = by_name(form, name)
        lab.mark(name)

    started = [Thread(target=look, args=(name,)) for name in _SLOW]
    for thread in started:
        thread.start()
        time.sleep(0.05)
    for thread in started:
        thread.join()
    for name in _SLOW:
        print(f"{name}:", libc.hostent(found[name])[0])


def others(lab: Lab) -> None:
    """What is not found, what is no name, and what Python makes of it all."""
    form = lab.settings["form"]
    for name in (
        *("nosuch.example.org", "mail.example.org", "servfail.example.org", "v6.example.org"),
        *(
            "six-only.example.org",
            "192.0.2.5",
            "192.518",
            "256.1.1.1",
            "2001:db8::5",
            "first",
            "www.example.org.",
        ),
    ):
        pointer, told = by_name(form, name)
        print(f"{name}:", libc.hostent(pointer) if pointer else told)
    for address in ("192.0.2.5", "2001:db8::10", "2001:db8::70", "127.0.0.1"):
        pointer, told = by_address(form, address)
        print(f"{address}:", libc.hostent(pointer) if pointer else told)
    for name in ("first.example.org", "www.example.org", "nosuch.example.org", "second"):
        naming.attempt(lambda: socket.gethostbyname_ex(name))  # noqa: B023  called at once
        naming.attempt(lambda: socket.gethostbyaddr(name))  # noqa: B023  called at once


_ABOUT: Final[Mapping[str, Callable[[Lab], None]]] = {
    "two results": both,
    "two threads": threads,
    "the rest": others,
}


def server(lab: Lab) -> None:
    """Answer, and let nobody wait for what is slow."""
    datagrams = naming.bound(lab.address(naming.SERVER))
    lab.mark("serving")
    naming.answer_all(datagrams, None, naming.ZONE, aside=True)


def client(lab: Lab) -> None:
    """Do what the variant is about."""
    _ABOUT[lab.settings["about"]](lab)
    lab.mark("told")
    time.sleep(naming.LONG)


def _variant(settings: Mapping[str, str]) -> Variant:
    files = {HOSTS: _HOSTS} | naming.resolv_conf(naming.SERVER_ADDRESS)
    return naming.variant(settings, client=client, files=files, server=server, horizon_ns=S)


_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in (
        *each(about=("two results",), **{"from": tuple(_PAIRS)}, form=FORMS),
        *each(about=("two threads", "the rest"), **{"from": ("DNS",)}, form=FORMS),
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read where two results lay, what was left of the first, and who waited for whom."""
    of = {tuple(v.settings.values()): runs[v.name] for v in _VARIANTS}
    said = {key: _said(trace) for key, trace in of.items()}
    for source in _PAIRS:
        plain, reentrant = (said["two results", source, form] for form in FORMS)
        for what in ("by_name", "by_address"):
            assert (plain[f"{what} places"], reentrant[f"{what} places"]) == ("one", "two")
            assert plain[f"{what} first"] == plain[f"{what} second"] != reentrant[f"{what} first"]
            assert plain[f"{what} second"] == reentrant[f"{what} second"], "else they are alike"
    lost = said["two results", "DNS", "plain"]["by_name first"]
    kept = said["two results", "DNS", "_r"]["by_name first"]
    slow, quick = _SLOW
    plain, reentrant = (said["two threads", "DNS", form] for form in FORMS)
    assert (plain[slow], plain[quick]) == (quick, quick), "one thread has the other's result"
    assert (reentrant[slow], reentrant[quick]) == (slow, quick), "each has its own"
    waits = {form: _moment(of["two threads", "DNS", form], quick) for form in FORMS}
    slows = {form: _moment(of["two threads", "DNS", form], slow) for form in FORMS}
    assert waits["plain"] > slows["plain"], "and the second waited for the first"
    assert waits["_r"] < slows["_r"], "nobody waits for another"
    rest, same = (said["the rest", "DNS", form] for form in FORMS)
    assert rest == same, "what is found, and what is not, is the same"
    return Answer(
        verdict="confirmed",
        text=(
            "Not reentrant: the result lies in one place for each of the two, and the next call "
            f"writes over it. After a second lookup the first one's result was {_name(lost)} "
            f"instead of {_name(kept)}; with two threads one of them read the other's name. With "
            "gethostbyname_r and gethostbyaddr_r each has room of its own: both results stayed. "
            "Both turn names into addresses and back, from the hosts file or the DNS, of IPv4 only."
        ),
        zh=(
            "不可重入：两个函数的结果各放在一个固定的地方，下一次调用就覆盖它。第二次查询之后，第一"
            f"次的结果变成了 {_name(lost)}，而不是 {_name(kept)}；有两个线程时，一个线程读到的是另"
            "一个的名字。用 gethostbyname_r 和 gethostbyaddr_r，各有各的内存：两个结果都在。两者从 "
            "hosts 文件或 DNS 把名字变成地址，再变回来；只认得 IPv4。"
        ),
        more=(
            "Two threads get in each other's way although the second call waits for the first: the "
            "lock is held only until the answer has come. With the _r versions nobody waited. A "
            f"name with nothing but an IPv6 address ended with h_errno {rest['v6.example.org']}, "
            f"one that does not exist with {rest['nosuch.example.org']}."
        ),
        more_zh=(
            "两个线程会互相干扰，尽管后调用的等到了先调用的结束：锁只持有到回答来为止。用 _r 版本谁"
            f"也不用等谁。只有 IPv6 地址的名字得到 h_errno {rest['v6.example.org']}，不存在的名字得"
            f"到 {rest['nosuch.example.org']}。"
        ),
    )


def _name(shown: str) -> str:
    """The name in a struct hostent, as it was printed."""
    return shown.split("'")[1]


def _moment(trace: Trace, mark: str) -> int:
    return next(e.t_ns for e in trace.events if isinstance(e, Mark) and e.name == mark)


def _said(trace: Trace) -> dict[str, str]:
    """What the client printed."""
    text = "".join(
        e.text
        for e in trace.events
        if isinstance(e, Output) and (e.process, e.stream) == (CLIENT, 1)
    )
    return dict(line.split(": ", 1) for line in text.splitlines())


NOTE: Final = Note(
    id="N34",
    question="Are gethostbyname and gethostbyaddr reentrant, and their _r versions?",
    question_zh="gethostbyname、gethostbyaddr 可重入吗？它们的 _r 版本呢？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "POSIX.1-2001 gethostbyname",
        "RFC 3493 6.1",
        "glibc nss/getXXbyYY.c",
        "glibc gethostbyname_r",
    ),
    words=(
        *("gethostbyname", "gethostbyaddr", "gethostbyname_r", "gethostbyaddr_r", "reentrant"),
        *("static buffer", "thread", "h_errno", "PTR", "hostent"),
    ),
    tells=(
        ("client", "prints by_name first"),
        ("client", "prints slow.example.org"),
    ),
)
