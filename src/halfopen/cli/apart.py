"""Runs in processes of their own: a world keeps its killed programs for as long as its process."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar, cast

from halfopen.base.errors import NotPossibleHereError
from halfopen.explore.leash import die_with

T = TypeVar("T")
#: What a process leaves with where it failed: EX_SOFTWARE of sysexits.h.
FAILED: Final = 70


def apart(function: Callable[[], T]) -> T:
    """Call a function in a fork of this process, and give what it returned.

    Requires: that can be pickled, and the function raises nothing that is to be met here. Raises
    NotPossibleHereError where the fork is ended from outside.
    """
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_apart(parent, function, theirs)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        raise NotPossibleHereError(f"a worker was ended from outside (status {status})")
    assert status == 0, f"a process apart failed with status {status}"
    return cast(T, pickle.loads(said))


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
