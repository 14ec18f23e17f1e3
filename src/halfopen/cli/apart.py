"""Runs in processes of their own: a world keeps its killed programs for as long as its process."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Final, Generic, NoReturn, TypeVar, cast

from halfopen.base.errors import NotPossibleHereError
from halfopen.explore.leash import die_with

T = TypeVar("T")
#: What a process leaves with where it failed: EX_SOFTWARE of sysexits.h.
FAILED: Final = 70


class Apart(Generic[T]):
    """A function under way in a fork of this process.

    Requires: what it returns can be pickled, and it raises nothing that is to be met here.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _be_apart(parent, function, theirs)
        os.close(theirs)
        self._pipe = open(ours, "rb")  # noqa: SIM115  until the result is read

    def fileno(self) -> int:
        """The descriptor that is readable when the result comes, or the end without one."""
        return self._pipe.fileno()

    def result(self) -> T:
        """Wait for what it returned.

        Raises NotPossibleHereError where the fork was ended from outside.
        """
        with self._pipe:
            said = self._pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if status < 0:
            raise NotPossibleHereError(f"a process was ended from outside (status {status})")
        assert status == 0, f"a process apart failed with status {status}"
        return cast(T, pickle.loads(said))

    def kill(self) -> None:
        """End it, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        self._pipe.close()
        os.waitpid(self.pid, 0)


def apart(function: Callable[[], T]) -> T:
    """Call a function in a fork of this process, and give what it returned."""
    return Apart(function).result()


def _be_apart(parent: int, function: Callable[[], object], fd: int) -> NoReturn:
    status = FAILED
    try:
        die_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
        with open(fd, "wb") as pipe:
            pickle.dump(function(), pipe)
        status = 0
    except BaseException:  # noqa: BLE001  this process ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(status)
