"""What may go wrong. A fault is a value; each arm knows how to make it happen."""

from dataclasses import fields
from typing import Any, Final, Literal, TypeAlias

from halfopen.base.value import value


@value
class Kill:
    """End a process at once; no guest code runs. Its host's kernel closes its sockets."""

    process: str
    signal: str = "SIGKILL"


@value
class PowerOff:
    """Take power from a host: processes and kernel vanish, nothing is sent, ever."""

    host: str


@value
class PowerOn:
    """Give power back: the host boots with a kernel that knows none of the old connections."""

    host: str


@value
class CableOut:
    """Let a link carry nothing, in both directions, or only towards ``towards``.

    ``seen_by`` lists the hosts whose interface loses carrier (a near cable); empty: nobody sees it (a far cable).
    """

    link: str
    seen_by: tuple[str, ...] = ()
    towards: str | None = None


@value
class CableIn:
    """Plug a link in again, both directions; carrier returns."""

    link: str


Fault: TypeAlias = Kill | PowerOff | PowerOn | CableOut | CableIn
FaultKind: TypeAlias = Literal["Kill", "PowerOff", "PowerOn", "CableOut", "CableIn"]


def describe_fault(fault: Fault) -> str:
    """Say a fault in a few words, as the ladder and the reports do."""
    match fault:
        case Kill():
            return f"{fault.signal} to {fault.process}"
        case PowerOff():
            return f"power off: {fault.host}"
        case PowerOn():
            return f"power on: {fault.host}"
        case CableOut(towards=None):
            seen = f", carrier lost at {', '.join(fault.seen_by)}" if fault.seen_by else ""
            return f"cable out: {fault.link}{seen}"
        case CableOut():
            return f"cable out: {fault.link}, towards {fault.towards}"
        case CableIn():
            return f"cable in: {fault.link}"


_KINDS: Final[dict[str, Any]] = {
    cls.__name__: cls for cls in (Kill, PowerOff, PowerOn, CableOut, CableIn)
}


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """Write a fault with its kind and its fields by name."""
    return {"kind": type(fault).__name__} | {f.name: getattr(fault, f.name) for f in fields(fault)}


def fault_from_json(body: dict[str, Any]) -> Fault:
    """Read what ``fault_to_json`` wrote.

    Raises KeyError or TypeError where it is no fault of ours.
    """
    named = dict(body)
    kind = _KINDS[named.pop("kind")]
    if "seen_by" in named:
        named["seen_by"] = tuple(named["seen_by"])
    fault: Fault = kind(**named)
    return fault
