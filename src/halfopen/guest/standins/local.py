"""``_thread._local``: attributes of which every thread of a process has its own."""

from collections.abc import Callable
from typing import Final, Self
from weakref import ref

from halfopen.guest import tasks


class _Own:
    """What one object holds: its threads' attributes, and how it was made."""

    __slots__ = ("args", "by_thread", "named", "present")

    def __init__(self, args: tuple[object, ...], named: dict[str, object]) -> None:
        self.args = args
        self.named = named
        self.by_thread: dict[int, dict[str, object]] = {}
        self.present = 0  # the thread whose attributes are in the object's __dict__


class Local:
    """As in C: ``__init__`` is called anew in each thread that looks, with the same arguments."""

    __slots__ = ("__dict__", "__weakref__", "_own")

    def __new__(cls, /, *args: object, **named: object) -> Self:
        """Make one, in the thread that runs."""
        if (args or named) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        own = _Own(args, named)
        object.__setattr__(self, "_own", own)
        _begin(self, own, object.__getattribute__(self, "__dict__"))
        return self

    def __getattribute__(self, name: str) -> object:
        _enter(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "__dict__":
            msg = f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            raise AttributeError(msg)
        _enter(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name == "__dict__":
            msg = f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            raise AttributeError(msg)
        _enter(self)
        object.__delattr__(self, name)


_OWN: Final = Local._own  # type: ignore[attr-defined]  # noqa: SLF001  its slot


def _enter(local: Local) -> None:
    """Put the attributes of the thread that runs into place."""
    own: _Own = _OWN.__get__(local)
    thread = tasks.running_or_none()
    if thread is None or thread.ident == own.present:
        return
    there = own.by_thread.get(thread.ident)
    if there is not None:
        own.present = thread.ident
        object.__setattr__(local, "__dict__", there)
        return
    there = {}
    object.__setattr__(local, "__dict__", there)
    _begin(local, own, there)
    type(local).__init__(local, *own.args, **own.named)


def _begin(local: Local, own: _Own, there: dict[str, object]) -> None:
    """Note the attributes of a thread; they go with it."""
    thread = tasks.running_or_none()
    if thread is None:
        return
    own.present = thread.ident
    own.by_thread[thread.ident] = there
    thread.at_end.append(_forget(ref(local), thread.ident))


def _forget(held: "ref[Local]", ident: int) -> Callable[[], None]:
    def forget() -> None:
        local = held()
        if local is None:
            return
        own: _Own = _OWN.__get__(local)
        if own.present == ident:
            own.present = 0
            object.__setattr__(local, "__dict__", {})
        del own.by_thread[ident]

    return forget
