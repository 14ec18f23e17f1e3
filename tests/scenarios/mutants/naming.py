"""C libraries that do what the notes claim of names."""

from collections.abc import Iterator
from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.guest.libc import hosts, nss, resolvconf
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.hosts import Hostent


def the_hosts_file_is_a_substitute(patch: pytest.MonkeyPatch) -> None:
    """The file counts only where no server answers."""
    patch.setitem(nss._DEFAULTS, "hosts", "dns [!UNAVAIL=return] files")


def resolv_conf_holds_names(patch: pytest.MonkeyPatch) -> None:
    """What stands in resolv.conf as in a hosts file is found."""
    really = hosts.entries

    def entries(etc: Etc, family: int) -> Iterator[Hostent]:
        yield from really(etc, family) or ()
        text = etc.files.get(resolvconf.RESOLV_CONF, "")
        yield from really(Etc("", {hosts.HOSTS: text}), family) or ()

    patch.setattr(hosts, "entries", entries)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N35", "names are looked up in resolv.conf", resolv_conf_holds_names),
    ("N36", "hosts is looked up where there is no DNS", the_hosts_file_is_a_substitute),
)
