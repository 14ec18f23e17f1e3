"""A process's standard streams: what it writes goes to the trace, what it reads is at its end."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from halfopen.record.events import Output

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from halfopen.guest.image import Image

STDOUT: Final = 1
STDERR: Final = 2

#: Sees every output as it happens, beside the trace.
Echo = Callable[[Output], None]


class Stream(io.RawIOBase):
    """Standard output or error, unbuffered."""

    def __init__(self, image: "Image", number: int) -> None:
        super().__init__()
        self._image = image
        self._number = number

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def fileno(self) -> int:
        """Its descriptor, by POSIX."""
        return self._number

    def write(self, data: "Buffer") -> int:
        """Write to the trace."""
        text = bytes(data)
        self._image.libc.wrote()
        self._image.output(self._number, text.decode("utf-8", "backslashreplace"))
        return len(text)


class Input(io.RawIOBase):
    """Standard input, at its end from the beginning."""

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def fileno(self) -> int:
        """Its descriptor, by POSIX."""
        return 0

    def readinto(self, buffer: "Buffer") -> int:  # noqa: ARG002  as its base has it
        """Read nothing."""
        return 0


def streams(image: "Image") -> dict[str, io.TextIOWrapper]:
    """Make the three streams, buffered by lines; the buffers of a killed process are lost."""
    stdin = io.TextIOWrapper(io.BufferedReader(Input()), encoding="utf-8")
    stdout = _writer(Stream(image, STDOUT), "strict")
    stderr = _writer(Stream(image, STDERR), "backslashreplace")
    return {
        "stdin": stdin,
        "stdout": stdout,
        "stderr": stderr,
        "__stdin__": stdin,
        "__stdout__": stdout,
        "__stderr__": stderr,
    }


def _writer(stream: Stream, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(stream), encoding="utf-8", errors=errors, line_buffering=True
    )
