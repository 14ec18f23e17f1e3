"""A host's own /etc and its name, for one process on the real kernel.

Both are the process's alone, in namespaces that end with it; on the machine nothing is written.
"""

import _socket
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from halfopen.oracle import namespaces

ETC: Final = "/etc"
#: What of the machine's own the loader and the interpreter need, and no lookup of names does.
_KEPT: Final = ("ld.so.cache", "passwd", "group", "localtime")


def enter(files: Mapping[str, str], name: str) -> None:
    """See these files below /etc, and no others, and call the host so."""
    for path in files:
        assert os.path.normpath(path).startswith(f"{ETC}/"), f"{path} would be the machine's own"
    kept = {each: _read(Path(ETC, each)) for each in _KEPT}
    namespaces.unshare(namespaces.CLONE_NEWNS | namespaces.CLONE_NEWUTS)
    namespaces.mount_over(ETC)
    for each, octets in kept.items():
        if octets is not None:
            Path(ETC, each).write_bytes(octets)
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    _socket.sethostname(name)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
