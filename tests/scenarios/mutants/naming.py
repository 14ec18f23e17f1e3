"""C libraries that do what the notes claim of names."""

from collections.abc import Iterator
from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.guest.libc import hosts, nss, tables
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.hosts import Hostent
from halfopen.guest.standins.libc import Libc
from halfopen.scenario.etc import HOSTS, RESOLV_CONF


def the_hosts_file_is_a_substitute(patch: pytest.MonkeyPatch) -> None:
    """The file counts only where no server answers."""
    patch.setitem(nss._DEFAULTS, "hosts", "dns [!UNAVAIL=return] files")


def resolv_conf_holds_names(patch: pytest.MonkeyPatch) -> None:
    """What stands in resolv.conf as in a hosts file is found."""
    really = hosts.entries

    def entries(etc: Etc, family: int) -> Iterator[Hostent]:
        yield from really(etc, family) or ()
        text = etc.files.get(RESOLV_CONF, "")
        yield from really(Etc("", {HOSTS: text}), family) or ()

    patch.setattr(hosts, "entries", entries)


def the_name_lies_in_one_place(patch: pytest.MonkeyPatch) -> None:
    """Whatever room the caller gives, it reads what the last call has written."""
    really = Libc.gethostname

    def gethostname(self: Libc, place: int, size: int) -> int:
        given = self.__dict__.setdefault("given", [])
        given.append(place)
        status = really(self, place, size)
        for each in given:
            self._memory[each] = self._memory[place]
        return status

    patch.setattr(Libc, "gethostname", gethostname)


def all_results_lie_in_one_place(patch: pytest.MonkeyPatch) -> None:
    """A second getaddrinfo writes over the first one's list."""
    really = Libc.getaddrinfo

    def getaddrinfo(
        self: Libc,
        name: str | None,
        service: str | None,
        family: int = 0,
        type_: int = 0,
        flags: int = 0,
    ) -> tuple[int, int]:
        code, place = really(self, name, service, family, type_, flags)
        return code, self._kept("getaddrinfo", self._memory.pop(place))

    patch.setattr(Libc, "getaddrinfo", getaddrinfo)
    patch.setattr(Libc, "freeaddrinfo", lambda *_: None)


def services_stand_in_etc_service(patch: pytest.MonkeyPatch) -> None:
    """The file has no s."""
    patch.setattr(tables, "SERVICES", "/etc/service")


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N35", "names are looked up in resolv.conf", resolv_conf_holds_names),
    ("N36", "hosts is looked up where there is no DNS", the_hosts_file_is_a_substitute),
    ("N37", "gethostname is not reentrant", the_name_lies_in_one_place),
    ("N38", "getaddrinfo is not reentrant", all_results_lie_in_one_place),
    ("N39", "services are read from /etc/service", services_stand_in_etc_service),
)
