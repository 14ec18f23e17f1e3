"""``_random``: what the program does not seed draws from the process's own chance."""

import _random as real
from types import ModuleType
from typing import TYPE_CHECKING

from halfopen.guest.standins.assemble import assemble

if TYPE_CHECKING:
    from halfopen.guest.image import Image

_SEED_OCTETS = 32


def make(image: "Image") -> ModuleType:
    """Make the module; its class belongs to one process."""
    rng = image.rng.split("random")

    class Random(real.Random):
        """The Mersenne Twister."""

        def __new__(cls, *args: object, **named: object) -> "Random":  # noqa: ARG004, PYI034  seeded below
            return super().__new__(cls, 0)  # type: ignore[call-arg]

        def __init__(self, seed: object = None) -> None:
            self.seed(seed)

        def seed(self, n: object = None, /) -> None:
            """Begin anew; None begins where the process's chance stands."""
            if n is None:
                n = int.from_bytes(rng.octets(_SEED_OCTETS), "big")
            super().seed(n)

    Random.__module__ = real.Random.__module__
    Random.__qualname__ = "Random"
    return assemble(real, {"Random": Random})
