"""Many rows on every core: workers that are forked, and run whole rows, each in a fork again."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import TimeoutError as NothingYetError
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Final, TypeAlias

from halfopen.atlas.runs import Arms, RowRun, run_row
from halfopen.base.errors import NotPossibleHereError
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note

if TYPE_CHECKING:
    from multiprocessing.pool import IMapIterator, Pool

#: Fewer variants are run sooner than workers are made.
ALONE_MAX: Final = 200
#: How often somebody looks whether a worker is gone, whose row would be waited for without end.
LOOK_S: Final = 1

Notes: TypeAlias = Mapping[str, Note | None]


class Runner:
    """Runs rows, one after another or side by side."""

    def __init__(self, arms: Arms | None, notes: Notes, seed: int, pool: "Pool | None") -> None:
        self._arms = arms
        self._notes = notes
        self._seed = seed
        self._pool = pool
        self._workers = () if pool is None else active_children()

    def run(self, lines: Sequence[Line], done: Callable[[int], None]) -> list[RowRun]:
        """Run rows; ``done`` is told how many variants have run."""
        if self._pool is None:
            return [
                run_row(line, self._notes[line.id], self._arms, seed=self._seed, done=done)
                for line in lines
            ]
        longest_first = sorted(lines, key=lambda line: -_size(self._notes[line.id]))
        found = {}
        rows = self._pool.imap_unordered(_run_one, longest_first)
        for _ in lines:
            row = self._next(rows)
            found[row.line.id] = row
            done(_size(row.note))
        return [found[line.id] for line in lines]

    def _next(self, rows: "IMapIterator[RowRun]") -> RowRun:
        """Wait for a row. Raises NotPossibleHereError where a worker is gone."""
        while True:
            try:
                return rows.next(LOOK_S)
            except NothingYetError:
                for worker in self._workers:
                    if worker.exitcode is not None:
                        msg = f"a worker was ended from outside (status {worker.exitcode})"
                        raise NotPossibleHereError(msg) from None


@contextmanager
def runner(arms: Arms | None, notes: Notes, seed: int) -> Iterator[Runner]:
    """Make the workers that so many variants are worth, and end them with their work.

    Requires: no other thread runs, for it would be missing in the workers.
    """
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or sum(map(_size, notes.values())) <= ALONE_MAX:
        yield Runner(arms, notes, seed, None)
        return
    context = get_context("fork")
    with context.Pool(cores, _begin, (os.getpid(), arms, notes, seed)) as pool:
        yield Runner(arms, notes, seed, pool)
        pool.close()
        pool.join()


def _size(note: Note | None) -> int:
    return len(note.variants) if note is not None else 0


#: What a worker runs with.
_given: list[tuple[Arms | None, Notes, int]] = []


def _begin(parent: int, arms: Arms | None, notes: Notes, seed: int) -> None:
    from halfopen.explore.leash import die_with  # needed here alone

    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _given.append((arms, notes, seed))


def _run_one(line: Line) -> RowRun:
    from halfopen.cli.apart import apart

    ((arms, notes, seed),) = _given
    return apart(lambda: run_row(line, notes[line.id], arms, seed=seed))
