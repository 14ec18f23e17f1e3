"""How a call's arguments, result and error are written down: the same words in both arms."""

import _socket
from _socket import gaierror, herror
from errno import errorcode
from typing import Final

from halfopen.record.events import Json

#: Calls that look at descriptors and change nothing; they give nothing where their time was up.
POLLS: Final = frozenset({"poll", "select", "epoll_wait"})

_EAI: Final = {number: name for name, number in vars(_socket).items() if name.startswith("EAI_")}
_HERRNO: Final = {
    -1: "NETDB_INTERNAL",
    0: "NETDB_SUCCESS",
    1: "HOST_NOT_FOUND",
    2: "TRY_AGAIN",
    3: "NO_RECOVERY",
    4: "NO_DATA",
}
_HEAD: Final = 32
_SHOWN_MAX: Final = 60


def result_to_json(call: str, result: object) -> Json:
    """Write what a call returned: bytes by length and head, addresses as lists.

    An accepted connection is ``{"fd": n, "peer": [host, port]}``.
    """
    if call == "accept" and isinstance(result, tuple):
        return {"fd": result[0], "peer": result_to_json("", result[1])}
    if isinstance(result, bytes | bytearray | memoryview):
        return {"len": len(result), "head": bytes(result[:_HEAD]).decode("latin-1")}
    if isinstance(result, tuple | list):
        return [result_to_json("", part) for part in result]
    if isinstance(result, dict):
        return {str(name): result_to_json("", part) for name, part in result.items()}
    if result is None or isinstance(result, bool | int | float | str):
        return result
    return str(result)


def show_args(args: tuple[object, ...]) -> str:
    """Write arguments for people: ``10.0.0.2:80``, ``b'hello'``, ``1048576 bytes``."""
    return ", ".join(_show(arg) for arg in args)


def errno_name(error: BaseException) -> str:
    """Name an error: the errno, ``timeout`` where Python gave up waiting, or its class.

    That of a name is named as in C: EAI_NONAME, or HOST_NOT_FOUND.
    """
    if isinstance(error, gaierror):
        return _EAI.get(error.errno or 0, str(error.errno))
    if isinstance(error, herror):
        return _HERRNO.get(error.errno or 0, str(error.errno))
    if isinstance(error, OSError) and error.errno is not None:
        return errorcode.get(error.errno, str(error.errno))
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__


def show_error(error: BaseException) -> str:
    """Write an exception, ``ValueError: too many``; without a text it is its class alone."""
    name, text = type(error).__name__, str(error)
    return f"{name}: {text}" if text else name


def _show(arg: object) -> str:
    if isinstance(arg, tuple) and len(arg) in {2, 4} and isinstance(arg[0], str):
        host = f"[{arg[0]}]" if ":" in arg[0] else arg[0]
        return f"{host}:{arg[1]}"
    if isinstance(arg, bytes | bytearray | memoryview):
        return repr(bytes(arg)) if len(arg) <= _HEAD else f"{len(arg)} bytes"
    shown = repr(arg) if isinstance(arg, str) else str(arg)
    return shown if len(shown) <= _SHOWN_MAX else shown[: _SHOWN_MAX - 3] + "..."
