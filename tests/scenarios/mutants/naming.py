"""C libraries that do what the notes claim of names."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.guest.libc import nss


def the_hosts_file_is_a_substitute(patch: pytest.MonkeyPatch) -> None:
    """The file counts only where no server answers."""
    patch.setitem(nss._DEFAULTS, "hosts", "dns [!UNAVAIL=return] files")


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N36", "hosts is looked up where there is no DNS", the_hosts_file_is_a_substitute),
)
