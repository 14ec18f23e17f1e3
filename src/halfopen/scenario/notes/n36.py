"""N36: the hosts file and the DNS; which is asked first, and whether the other one is at all."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.record.trace import Trace
from halfopen.scenario.etc import HOSTS, NSSWITCH
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import naming

IN_FILE: Final = "192.0.2.99"
IN_DNS: Final = {"both": "192.0.2.20", "DNS only": "192.0.2.21"}

#: What nsswitch.conf says of hosts; "default": nothing, there is no such file.
ORDERS: Final = (
    "default",
    "files dns",
    "dns files",
    "files",
    "dns",
    "files [NOTFOUND=return] dns",
    "dns [NOTFOUND=return] files",
    "dns [!UNAVAIL=return] files",
)
_NAMES: Final = {
    "both": "both.example.org",
    "file only": "file-only.example.org",
    "DNS only": "dns-only.example.org",
}
NAMES: Final = tuple(_NAMES)
SERVERS: Final = ("answers", "none")

_HOSTS: Final = f"""\
127.0.0.1 localhost
{IN_FILE} both.example.org
{IN_FILE} file-only.example.org nickname  # an alias
"""


def client(lab: Lab) -> None:
    """Ask for the name in both ways that there are."""
    name = _NAMES[lab.settings["name in"]]
    naming.attempt(lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    lab.mark("once more")
    naming.attempt(lambda: socket.gethostbyname(name))
    time.sleep(naming.LONG)


def _variant(settings: Mapping[str, str]) -> Variant:
    order = settings["nsswitch"]
    files: dict[str, str | None] = {
        HOSTS: _HOSTS,
        NSSWITCH: None if order == "default" else f"hosts: {order}\n",
    }
    if settings["server"] == "answers":
        files |= naming.resolv_conf(naming.SERVER_ADDRESS)
    return naming.variant(settings, client=client, files=files)


_VARIANTS: Final = tuple(
    _variant(settings) for settings in each(nsswitch=ORDERS, **{"name in": NAMES}, server=SERVERS)
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what came, and whether a name server was asked for it."""
    first: dict[str, str] = {}
    untouched = fallback = 0
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        (call,) = naming.lookups(trace)
        (again,) = naming.lookups(trace, "gethostbyname")
        came = naming.outcome(call)
        assert (again.errno or again.result) == came, f"{variant.name}: both ways give the same"
        asked = bool(naming.queries(trace))
        order, where = settings["nsswitch"], settings["name in"]
        if where == "both" and settings["server"] == "answers":
            first[order] = "file" if came == IN_FILE else "DNS"
            if first[order] == "file":
                assert not asked, f"{variant.name}: who finds it in the file asks nobody"
                untouched += 1
        if where == "file only" and order in {"dns files", "dns [!UNAVAIL=return] files"}:
            fallback += came == IN_FILE
        if where == "file only" and first[order] == "file":
            assert came == IN_FILE, f"{variant.name}: the file is enough, without any server"
    by_default, reversed_ = first["default"], first["dns files"]
    assert first["files dns"] == by_default, "the default is files dns"
    assert {by_default, reversed_} == {"file", "DNS"}, "nsswitch.conf turns the order round"
    cut = _outcome(runs, "files [NOTFOUND=return] dns", "DNS only", "answers")
    kept = _outcome(runs, "dns [NOTFOUND=return] files", "file only", "answers")
    down = _outcome(runs, "dns [!UNAVAIL=return] files", "file only", "none")
    here = _outcome(runs, "default", "file only", "none")
    nowhere = _outcome(runs, "default", "DNS only", "none")
    assert here == down == IN_FILE, (here, down)
    assert by_default == "file", "the file comes before the DNS, and is no substitute for it"
    return Answer(
        verdict="qualified",
        text=(
            "The hosts file is looked up with and without DNS: by default (files dns) it comes "
            f"first, and a name that stands there is never asked for ({untouched} runs without one "
            "packet). A name that is not there goes to the DNS; without a server that ends with "
            f"{nowhere}. nsswitch.conf sets the order: with 'dns files' the DNS is first, and the "
            f"file is what is left ({fallback} runs)."
        ),
        zh=(
            "有没有 DNS 都会查 /etc/hosts：默认顺序（files dns）先读它，文件里有的名字不会再去询问 "
            f"DNS（{untouched} 次运行一个包也没有发）。文件里没有的名字才去问 DNS；没有服务器时结果"
            f"是 {nowhere}。顺序由 nsswitch.conf 决定：写成 dns files，就先问 DNS，查不到才看文件"
            f"（{fallback} 次运行）。"
        ),
        more=(
            f"With [NOTFOUND=return] the first source's answer is final ({cut} for a name of the "
            f"DNS alone, {kept} the other way round), with [!UNAVAIL=return] the file counts only "
            "where no server answers at all."
        ),
        more_zh=(
            "有 [NOTFOUND=return] 时，第一个来源的“没有”就是最后的结果（只在 DNS 里的名字得到 "
            f"{cut}，反过来是 {kept}）；有 [!UNAVAIL=return] 时，只有完全没有服务器应答才看文件。"
        ),
    )


def _outcome(runs: Mapping[str, Trace], order: str, where: str, server: str) -> str:
    settings = {"nsswitch": order, "name in": where, "server": server}
    trace = next(runs[v.name] for v in _VARIANTS if v.settings == settings)
    return naming.outcome(naming.lookups(trace)[0])


NOTE: Final = Note(
    id="N36",
    question="Without DNS, is /etc/hosts looked up? Which comes first?",
    question_zh="没有 DNS 时会查 /etc/hosts 吗？哪一个在先？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 1123 6.1.3.5",
        "Linux getaddrinfo (glibc get_nss_addresses)",
        "glibc nss_database_select_default",
        "glibc _nss_files_gethostbyname4_r",
    ),
    words=(
        *("hosts", "/etc/hosts", "nsswitch", "nsswitch.conf", "DNS", "getaddrinfo"),
        *("gethostbyname", "files dns", "order"),
    ),
)
