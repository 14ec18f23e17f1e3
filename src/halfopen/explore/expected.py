"""Whether what the user expects is the name of an exception."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from halfopen.base.errors import MisuseError

_NEAREST: Final = 3


def check_expected(names: Iterable[str]) -> None:
    """Find every name among the exceptions that there are.

    Requires: the target's programs have run, and so have what they import. Raises MisuseError,
    naming the nearest, where one is no exception's.
    """
    known = {kind.__name__ for kind in _kinds(BaseException)}
    for name in names:
        if name not in known:
            public = sorted(each for each in known if not each.startswith("_"))
            near = get_close_matches(name.rpartition(".")[2], public, n=_NEAREST)
            nearest = f" Nearest: {', '.join(near)}." if near else ""
            try_ = near[0] if near else "OSError"
            raise MisuseError(
                f"--expect {name}: no exception is called so, of Python or of what the programs"
                f" import by the end of their run without a fault.{nearest}\n"
                f"  Try: --expect {try_}"
            )


def _kinds(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """Walk over an exception and all that derive from it, in whichever process of the world."""
    yield kind
    for derived in type.__subclasses__(kind):
        yield from _kinds(derived)
