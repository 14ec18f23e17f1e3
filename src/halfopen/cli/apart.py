"""Runs in processes of their own: a world keeps its killed programs for as long as its process."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar, cast

from halfopen.base.errors import NotPossibleHereError
from halfopen.explore.forked import FAILED, fork, tell

T = TypeVar("T")


class Apart(Generic[T]):
    """A function under way in a fork of this process.

    Requires: what it returns can be pickled, and it raises nothing that is to be met here.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        forked = fork()
        if isinstance(forked, int):
            _be_apart(function, forked)
        self._forked = forked

    def fileno(self) -> int:
        """The descriptor that is readable when the result comes, or the end without one."""
        return self._forked.fileno()

    def result(self) -> T:
        """Wait for what it returned.

        Raises NotPossibleHereError where the fork was ended from outside.
        """
        said, status = self._forked.read()
        if status < 0:
            raise NotPossibleHereError(f"a process was ended from outside (status {status})")
        assert status == 0, f"a process apart failed with status {status}"
        return cast(T, pickle.loads(said))

    def kill(self) -> None:
        """End it, whatever it does."""
        self._forked.kill()


def apart(function: Callable[[], T]) -> T:
    """Call a function in a fork of this process, and give what it returned."""
    return Apart(function).result()


def _be_apart(function: Callable[[], object], writer: int) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
        tell(writer, pickle.dumps(function()))
    except BaseException:  # noqa: BLE001  this process ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(FAILED)
