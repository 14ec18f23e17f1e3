"""Many rows on every core, each in a process of its own."""

import os
import selectors
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from halfopen.atlas.runs import Arms, RowRun, run_row
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note

#: Fewer variants are run sooner than processes are made.
ALONE_MAX: Final = 200

Notes: TypeAlias = Mapping[str, Note | None]


def run_rows(
    lines: Sequence[Line],
    notes: Notes,
    arms: Arms | None,
    *,
    seed: int,
    done: Callable[[int], None],
) -> list[RowRun]:
    """Run rows; ``done`` is told how many variants have run.

    Raises NotPossibleHereError where a process is ended from outside.
    """
    cores = len(os.sched_getaffinity(0))
    if cores > 1 and sum(map(_size, notes.values())) > ALONE_MAX:
        return _side_by_side(lines, notes, arms, seed=seed, done=done, most=cores)
    return [run_row(line, notes[line.id], arms, seed=seed, done=done) for line in lines]


def _side_by_side(  # noqa: PLR0913  as above, and how many
    lines: Sequence[Line],
    notes: Notes,
    arms: Arms | None,
    *,
    seed: int,
    done: Callable[[int], None],
    most: int,
) -> list[RowRun]:
    from halfopen.cli.apart import Apart  # needed here alone

    def start(line: Line) -> Apart[RowRun]:
        return Apart(lambda: run_row(line, notes[line.id], arms, seed=seed))

    shortest_first = sorted(lines, key=lambda line: _size(notes[line.id]))
    found: dict[str, RowRun] = {}
    with selectors.DefaultSelector() as under_way:
        try:
            while shortest_first or under_way.get_map():
                while shortest_first and len(under_way.get_map()) < most:
                    under_way.register(start(shortest_first.pop()), selectors.EVENT_READ)
                for key, _ in under_way.select():
                    under_way.unregister(key.fileobj)
                    assert isinstance(key.fileobj, Apart), "as registered"
                    row: RowRun = key.fileobj.result()
                    found[row.line.id] = row
                    done(_size(row.note))
        finally:
            for key in under_way.get_map().values():
                assert isinstance(key.fileobj, Apart), "as registered"
                key.fileobj.kill()
    return [found[line.id] for line in lines]


def _size(note: Note | None) -> int:
    return len(note.variants) if note is not None else 0
