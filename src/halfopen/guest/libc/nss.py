"""/etc/nsswitch.conf: which sources of names are asked, in which order, and where that ends."""

import re
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.base.value import value
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.words import Status
from halfopen.scenario.etc import NSSWITCH

#: What holds where the file says nothing (Linux glibc nss_database_select_default).
_DEFAULTS: Final = {"hosts": "files dns"}
_STATUSES: Final[tuple[Status, ...]] = ("SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN")
_PART: Final = re.compile(r"\[([^\]]*)\]|([^\s\[]+)")


@value
class Source:
    """A source of names. ``ends``: with which outcomes no further one is asked."""

    name: str
    ends: frozenset[Status]


def sources(etc: Etc, database: str) -> list[Source]:
    """List the sources of a database, in their order."""
    line = _DEFAULTS.get(database, "files")
    for text in etc.lines(NSSWITCH) or []:
        name, colon, rest = text.partition("#")[0].partition(":")
        if colon and name.strip() == database:
            line = rest
    found: list[Source] = []
    for actions, name in _PART.findall(line):
        if name:
            found.append(Source(name=name, ends=frozenset({"SUCCESS"})))
        elif found:
            last = found[-1]
            found[-1] = Source(name=last.name, ends=_act(last.ends, actions))
    return found


def _act(ends: frozenset[Status], actions: str) -> frozenset[Status]:
    """Read ``NOTFOUND=return !UNAVAIL=continue``."""
    for action in actions.lower().split():
        status, _, what = action.partition("=")
        named = {each for each in _STATUSES if each.lower() == status.lstrip("!")}
        touched = set(_STATUSES) - named if status.startswith("!") else named
        if not named or what not in {"return", "continue"}:
            msg = f"[{action}] in {NSSWITCH} is not simulated"
            raise NotSimulatedError(msg)
        ends = ends | touched if what == "return" else ends - touched
    return ends
