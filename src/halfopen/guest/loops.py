"""What waits behind an event loop's poll: asyncio's tasks, each at a line of its own.

A loop's thread waits in one poll for all its tasks, disturbed or not. So in its place stand here
those tasks that are not done. They are found in the guest's own ``asyncio``; nothing of the guest
runs for it. Other loops (trio, a selector in the program's own hands) are one wait, as threads.
"""

import linecache
import os
from collections.abc import Iterator
from dataclasses import replace
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from halfopen.guest import places
from halfopen.guest.tasks import Thread
from halfopen.world.process import Waiting
from halfopen.world.world import World

_LIBRARY: Final = os.path.dirname(os.__file__)
_SELECTORS: Final = os.path.join(_LIBRARY, "selectors.py")
_ASYNCIO: Final = os.path.join(_LIBRARY, "asyncio")
_LOOP: Final = os.path.join(_ASYNCIO, "base_events.py")
_ROUND: Final = "_run_once"  # of BaseEventLoop: it polls, and then runs what is ready
_FUTURES: Final = os.path.join(_ASYNCIO, "futures.py")
_GROUPS: Final = os.path.join(_ASYNCIO, "taskgroups.py")
_TASKS: Final = os.path.join(_ASYNCIO, "tasks.py")
_SLEEP: Final = "sleep"
#: What a task waits for, by the function of asyncio's that it waits in.
_FOR: Final = {
    "_wait_for_data": "data",
    "sock_recv": "data",
    "_drain_helper": "room",
    "sock_sendall": "room",
    "serve_forever": "a connection",
    "sock_accept": "a connection",
    "sleep": "time",
}
_TASK: Final = "Task"
_GATHERED: Final = "_GatheringFuture"


def waiting(world: World) -> tuple[Waiting, ...]:
    """List who waits, as ``World.waiting``, but tasks in place of a thread that polls for them."""
    found: list[Waiting] = []
    for host in world.hosts.values():
        for process in host.processes:
            for waiter in process.waiters:
                waits = waiter.task.describe()
                if waits is None:
                    continue
                tasks = _behind(waiter.task, waits) if isinstance(waiter.task, Thread) else []
                found += tasks or [waits]
    return tuple(found)


def _behind(thread: Thread, waits: Waiting) -> list[Waiting]:
    """List the tasks for which a thread polls. Their order is that of lines, then of names."""
    loop = _loop_of(thread.frame())
    if loop is None:
        return []
    own: Any = thread.image.table.modules["asyncio.tasks"]
    told = [(_waits(task, waits), _waits_for_tasks(task)) for task in own.all_tasks(loop)]
    # Who waits for other tasks goes on when they do.
    last = [task for task, for_tasks in told if not for_tasks] or [task for task, _ in told]
    return sorted(last, key=lambda task: (task.where, len(task.task), task.task))


def _loop_of(frame: FrameType | None) -> object:
    """Find the loop in whose own poll a thread is; None where it is in none."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path == _LOOP and frame.f_code.co_name == _ROUND:
            return frame.f_locals["self"]
        if path != _SELECTORS and not places.is_ours(path):
            break  # a task's call, or no loop's
        frame = frame.f_back
    return None


def _waits(task: Any, thread: Waiting) -> Waiting:  # noqa: ANN401  the guest's own asyncio.Task
    """Say where in the program a task waits; what it waits in is its thread's call."""
    path, number, own = "", 0, False
    for frame in _frames(task.get_coro()):
        of_program = places.is_program(frame.f_code.co_filename)
        if of_program or not own:
            path, number, own = frame.f_code.co_filename, frame.f_lineno, of_program
    return replace(
        thread,
        task=task.get_name(),
        what=_what(task) or thread.what,
        where=places.show(path, number),
        line=linecache.getline(path, number).strip(),
        own=own,
    )


def _waits_for_tasks(task: Any) -> bool:  # noqa: ANN401  as above
    """Whether it waits for other tasks of its loop, and for nothing else."""
    waiter = type(task._fut_waiter).__name__  # noqa: SLF001  all that tells
    if waiter in {_TASK, _GATHERED}:
        return True
    path, name = _innermost(task)
    return path == _GROUPS or (path == _TASKS and name != _SLEEP)


def _what(task: Any) -> str:  # noqa: ANN401  as above
    """Say what it waits for where asyncio knows; "" where only the program does."""
    path, name = _innermost(task)
    return _FOR.get(name, "") if path.startswith(_ASYNCIO) else ""


def _innermost(task: Any) -> tuple[str, str]:  # noqa: ANN401  as above
    """Name the file and the function in which it waits for its future."""
    found = ("", "")
    for frame in _frames(task.get_coro()):
        found = frame.f_code.co_filename, frame.f_code.co_name
    return found


def _frames(awaited: object) -> Iterator[FrameType]:
    """Walk along the chain of awaits, from a task's own frame inwards."""
    while awaited is not None:
        frame: FrameType | None
        match awaited:
            case CoroutineType():
                frame, awaited = awaited.cr_frame, awaited.cr_await
            case GeneratorType():
                frame, awaited = awaited.gi_frame, awaited.gi_yieldfrom
            case _:
                return
        if frame is None or frame.f_code.co_filename == _FUTURES:
            return  # where every wait ends
        yield frame
