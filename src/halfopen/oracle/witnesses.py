"""What the kernel did, kept with the package: one file for each line of the notes.

A file holds the runs of all variants of a line, one behind the other as ``Trace.dumps`` writes
them, packed by gzip without a time or a name: the same runs give the same bytes. Each run's
``meta`` says on which kernel it was made, with which HZ, and when.
"""

import gzip
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from halfopen.base.errors import MisuseError
from halfopen.record.events import Event, Output
from halfopen.record.trace import Trace, loads_all

_FOLDER: Final = "recorded"
_SUFFIX: Final = ".jsonl.gz"
_STDERR: Final = 2
_ERROR: Final = re.compile(r'"errno": "(E[A-Z0-9]+)"')


def recorded(note_id: str, *, folder: Path | None = None) -> dict[str, Trace]:
    """Return what the kernel did in each variant of a line, by the variant's name.

    Empty where nobody has looked yet. Raises MisuseError where the file is damaged.
    """
    found = {}
    for trace in loads_all(_text(note_id, folder)):
        trace.meta["recorded"] = True
        found[str(trace.meta["variant"])] = trace
    return found


def errors_recorded(note_id: str, *, folder: Path | None = None) -> Counter[str]:
    """Count the errors that calls returned in a line's runs, without reading the runs as such.

    Empty where nobody has looked yet. Raises MisuseError where the file is damaged.
    """
    return Counter(_ERROR.findall(_text(note_id, folder)))


def _text(note_id: str, folder: Path | None) -> str:
    path = _path(note_id, folder)
    if not path.is_file():
        return ""
    try:
        return gzip.decompress(path.read_bytes()).decode("ascii")
    except (OSError, EOFError, ValueError) as error:
        msg = f"the recorded witnesses of {note_id} are damaged: {error}"
        raise MisuseError(msg) from error


def record(note_id: str, runs: Mapping[str, Trace], *, folder: Path | None = None) -> Path:
    """Keep what the kernel did in these variants of a line, and nothing else.

    Raises MisuseError where the package's own folder can't be written to.
    """
    text = "".join(_witness(name, trace).dumps() for name, trace in runs.items())
    path = _path(note_id, folder)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))
    except OSError as error:
        msg = f"the witnesses of {note_id} can't be kept in {path.parent}: {error.strerror}"
        raise MisuseError(msg) from error
    return path


def lines_recorded(*, folder: Path | None = None) -> list[str]:
    """List the lines of the notes that have witnesses."""
    paths = _path("N", folder).parent.glob(f"*{_SUFFIX}")
    return sorted(path.name.removesuffix(_SUFFIX).upper() for path in paths)


def _path(note_id: str, folder: Path | None) -> Path:
    if folder is None:
        folder = Path(str(files("halfopen.oracle"))) / _FOLDER
    return folder / f"{note_id.lower()}{_SUFFIX}"


def _witness(name: str, trace: Trace) -> Trace:
    """Copy a run, but for what names the files of the machine that it ran on."""
    kept = Trace({key: known for key, known in trace.meta.items() if key != "recorded"})
    kept.meta["variant"] = name
    kept.ended_ns = trace.ended_ns
    for event in trace.events:
        if not _is_traceback(event):
            kept.take(event)
    return kept


def _is_traceback(event: Event) -> bool:
    return isinstance(event, Output) and event.stream == _STDERR
