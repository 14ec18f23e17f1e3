"""A module that can't be had in a world: the program may do without, or can't be run at all."""

from halfopen.guest import fence, places


class Refused(ModuleNotFoundError):
    """Not to be had: an ImportError, for which programs have fallbacks."""


def stop_if_refused(error: BaseException | None) -> None:
    """Stop the world where a program or thread ends by this error for want of a module."""
    cause = error
    while cause is not None and not isinstance(cause, Refused):
        cause = cause.__cause__
    if error is not None and cause is not None:
        fence.stop(str(cause), places.show(*places.innermost_of_error(error)))
