"""Explorations and replays as the user's process sees them: a worker does the runs."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator

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
    tally: Tally | None = None
    for message in _messages(request):
        match message:
            case Undisturbed():
                tally = Tally(undisturbed=message)
            case Disturbed():
                assert tally is not None, "a disturbed run came before the undisturbed one"
                tally.disturbed.append(message)
                if progress is not None:
                    progress(message.point, len(message_points(tally)))
            case Failed():
                raise rebuild_error(message)
            case Replayed() | Done():
                pass
    assert tally is not None, "the worker ended without a word"
    return make_report(request, tally, replay)


def message_points(tally: Tally) -> tuple[object, ...]:
    """The points of the undisturbed run."""
    return tally.undisturbed.points


def replay(asked: Replay | str) -> Replayed:
    """Run once more what a token names.

    Raises MisuseError where it is no token of ours, or its target can't be loaded.
    """
    wanted = read_token(asked) if isinstance(asked, str) else asked
    for message in _messages(wanted):
        if isinstance(message, Failed):
            raise rebuild_error(message)
        if isinstance(message, Replayed):
            return message
    msg = "the replay failed; what went wrong stands above, on standard error"
    raise HalfopenError(msg)


def _messages(asked: Request | Replay) -> Iterator[Message]:
    """Start a worker, and yield what it says until it is done."""
    request = asked if isinstance(asked, Request) else asked.request
    worker = subprocess.Popen(
        [sys.executable, "-m", "halfopen.explore.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": str(request.hash_seed)},
    )
    assert worker.stdin is not None, "a pipe was asked for"
    assert worker.stdout is not None, "a pipe was asked for"
    try:
        with worker.stdin:
            pickle.dump(asked, worker.stdin)
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
            worker.kill()
            worker.wait()
