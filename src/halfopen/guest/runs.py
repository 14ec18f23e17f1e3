"""One run of a world with guests: no garbage is collected, and afterwards nobody is either."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Run guests without garbage collection: it would run destructors at instants of its choice.

    What was alive at the end stays so: collecting it later would run the destructors of a world
    that is over.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
