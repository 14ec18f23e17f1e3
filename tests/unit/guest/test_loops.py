"""Who waits behind an event loop's poll is told task by task, each at its line."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.unit.guest.guests import Stage

from halfopen.base.units import S
from halfopen.guest import loops
from halfopen.world.process import Waiting


def told(program: Callable[..., object], *, until_ns: int | None = None) -> list[Waiting]:
    stage = Stage()
    stage.start(program)
    stage.run(until_ns)
    return list(loops.waiting(stage.world))


def lines(program: Callable[..., object], *, until_ns: int | None = None) -> list[tuple[str, str]]:
    return [(each.task, each.line) for each in told(program, until_ns=until_ns)]


async def for_ever() -> None:
    await asyncio.Event().wait()


async def beats() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def counts() -> None:
    async for _ in beats():
        pass


async def gathers() -> None:
    await asyncio.gather(for_ever(), counts())


def gathering() -> None:
    asyncio.run(gathers())


def test_tasks_stand_in_place_of_their_thread_each_at_its_innermost_line() -> None:
    found = told(gathering)
    assert [(each.task, each.line, each.own) for each in found] == [
        ("Task-2", "await asyncio.Event().wait()", True),
        ("Task-3", "async for _ in beats():", True),
    ]
    for each in found:
        where = re.fullmatch(r"test_loops\.py:(\d+)", each.where)
        assert where is not None
        assert Path(__file__).read_text().splitlines()[int(where[1]) - 1].strip() == each.line
        assert (each.thread, each.call, each.since_ns) == ("main", "epoll_wait", 0)


async def groups() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(for_ever(), name="one")
        await asyncio.sleep(1)
        await asyncio.wait([group.create_task(for_ever(), name="two")])


def grouping() -> None:
    asyncio.run(groups())


def test_who_waits_for_other_tasks_alone_is_left_out() -> None:
    assert lines(grouping, until_ns=S // 2) == [
        ("one", "await asyncio.Event().wait()"),
        ("Task-1", "await asyncio.sleep(1)"),
    ]
    assert [task for task, _ in lines(grouping)] == ["one", "two"]


async def leaves() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(for_ever())


def leaving() -> None:
    asyncio.run(leaves())


def test_so_is_who_waits_at_the_end_of_a_group() -> None:
    assert [task for task, _ in lines(leaving)] == ["Task-2"]


async def waits_for_itself() -> None:
    me = asyncio.current_task()
    assert me is not None
    await asyncio.wait([me])


def turning() -> None:
    asyncio.run(waits_for_itself())


def test_where_all_wait_for_tasks_all_are_told() -> None:
    assert lines(turning) == [("Task-1", "await asyncio.wait([me])")]


class Own:
    """Something to be awaited that has no frame."""

    def __await__(self) -> "Own":
        return self

    def __iter__(self) -> "Own":
        return self

    def __next__(self) -> object:
        future = asyncio.get_running_loop().create_future()
        future._asyncio_future_blocking = True  # as Future.__await__ sets it
        return future


async def waits_for_own() -> None:
    await Own()  # type: ignore[misc]


def owning() -> None:
    asyncio.run(waits_for_own())


def test_what_has_no_frame_ends_the_chain() -> None:
    assert lines(owning) == [("Task-1", "await Own()  # type: ignore[misc]")]


def idling() -> None:
    asyncio.new_event_loop().run_forever()


def library() -> None:
    loop = asyncio.new_event_loop()
    event = asyncio.Event()
    task = loop.create_task(event.wait())
    loop.run_forever()
    del task


def test_a_loop_without_tasks_is_its_thread() -> None:
    (waits,) = told(idling)
    assert (waits.task, waits.line) == ("", "asyncio.new_event_loop().run_forever()")


def test_a_task_without_a_line_of_the_program_is_shown_in_the_library() -> None:
    (waits,) = told(library)
    assert (waits.task, waits.own) == ("Task-1", False)
    assert waits.where.startswith("locks.py:")


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.close()


async def serves() -> None:
    server = await asyncio.start_server(answers, "127.0.0.1", 80)
    reader, writer = await asyncio.open_connection("127.0.0.1", 80)
    for_data = asyncio.create_task(reader.read(1), name="reads")
    await server.serve_forever()
    await for_data
    writer.close()


def serving() -> None:
    asyncio.run(serves())


async def fills() -> None:
    listener = socket.create_server(("127.0.0.1", 81))
    _, writer = await asyncio.open_connection("127.0.0.1", 81)
    writer.write(bytes(10_000_000))
    await writer.drain()
    listener.close()


def filling() -> None:
    asyncio.run(fills())


def test_what_asyncio_knows_of_a_wait_is_told() -> None:
    assert [(each.line, each.what) for each in told(serving)] == [
        ("await self._waiter", "data"),
        ("await reader.readline()", "data"),
        ("await server.serve_forever()", "a connection"),
    ]
    (waits,) = told(filling, until_ns=S)
    assert (waits.line, waits.what) == ("await writer.drain()", "room")
    assert {each.what for each in told(gathering)} == {"an event"}


async def blocks() -> None:
    other = asyncio.create_task(for_ever())
    await asyncio.sleep(1)
    socket.create_server(("", 80)).accept()
    await other


def blocking() -> None:
    asyncio.run(blocks())


def test_a_task_that_blocks_its_loop_is_the_threads_own_call() -> None:
    (waits,) = told(blocking)
    assert (waits.task, waits.call) == ("", "accept")
    assert waits.line == 'socket.create_server(("", 80)).accept()'


async def main() -> None:
    async def asks() -> None:
        await asyncio.Event().wait()

    await asks()


def threads() -> None:
    import threading

    threading.Thread(target=lambda: asyncio.run(main()), name="other").start()
    threading.Event().wait()


def test_each_thread_has_its_own_loop() -> None:
    assert [(each.thread, each.task) for each in told(threads)] == [
        ("main", ""),
        ("other", "Task-1"),
    ]
