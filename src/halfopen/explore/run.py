"""Explorations and replays as the user's process sees them: a worker does the runs."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress

from halfopen.base.errors import HalfopenError
from halfopen.explore.report import Report, Tally, make_report
from halfopen.explore.request import Replay, Request, read_token
from halfopen.explore.verdict import Disturbed
from halfopen.explore.worker import (
    Done,
    Failed,
    Message,
    Replayed,
    Undisturbed,
    rebuild_error,
)


def explore(request: Request, progress: Callable[[int, int], None] | None = None) -> Report:
    """Let each fault happen at each point of the target's run, and report what came of it.

    ``progress`` is told how many points are done, and of how many. Raises MisuseError where the
    target can't be loaded or named wrongly.
    """
    return make_report(request, gather(request, progress), replay_all)


def gather(request: Request, progress: Callable[[int, int], None] | None = None) -> Tally:
    """Do the runs of an exploration."""
    tally: Tally | None = None
    with closing(_messages(request)) as messages:
        for message in messages:
            match message:
                case Undisturbed():
                    tally = Tally(undisturbed=message)
                case Disturbed():
                    assert tally is not None, "a disturbed run came before the undisturbed one"
                    tally.disturbed.append(message)
                    if progress is not None:
                        progress(message.point, len(tally.undisturbed.points))
                case Failed():
                    raise rebuild_error(message)
                case Replayed() | Done():
                    pass
    assert tally is not None, "the worker ended without a word"
    return tally


def replay(asked: Replay | str) -> Replayed:
    """Run once more what a token names.

    Raises MisuseError where it is no token of ours, or its target can't be loaded.
    """
    wanted = read_token(asked) if isinstance(asked, str) else asked
    return replay_all((wanted,))[0]


def replay_all(asked: Sequence[Replay]) -> tuple[Replayed, ...]:
    """Run several runs of one request once more, each in a process of its own."""
    if not asked:
        return ()
    found = []
    with closing(_messages(tuple(asked))) as messages:
        for message in messages:
            if isinstance(message, Failed):
                raise rebuild_error(message)
            assert isinstance(message, Replayed), "a replay was answered by something else"
            found.append(message)
    assert len(found) == len(asked), "the worker left out a replay"
    return tuple(found)


def _messages(asked: Request | tuple[Replay, ...]) -> Generator[Message, None, None]:
    """Start a worker, and yield what it says until it is done.

    It leads a process group of its own, so that Ctrl-C comes to us alone; whatever ends us, the
    whole group ends with us.
    """
    request = asked if isinstance(asked, Request) else asked[0].request
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "halfopen.explore"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": str(request.hash_seed)},
        process_group=0,
    )
    assert worker.stdin is not None, "a pipe was asked for"
    assert worker.stdout is not None, "a pipe was asked for"
    try:
        with suppress(BrokenPipeError), worker.stdin:
            pickle.dump((os.getpid(), asked), worker.stdin)
        while True:
            try:
                yield pickle.load(worker.stdout)
            except EOFError:
                break
        if worker.wait() != 0:
            msg = f"the worker failed (status {worker.returncode}); its words: standard error"
            raise HalfopenError(msg)
    finally:
        worker.stdout.close()
        if worker.poll() is None:
            worker.kill()  # before its children: it is not to wonder what became of them
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
