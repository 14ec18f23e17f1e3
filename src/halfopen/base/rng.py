"""Chance: one seed for a world, split for each host and purpose."""

import random
from hashlib import blake2b


class Rng:
    """A repeatable source of numbers. The only user of ``random`` below ``guest``."""

    def __init__(self, seed: int, path: str = "") -> None:
        self.seed = seed
        self.path = path
        digest = blake2b(f"{seed}/{path}".encode(), digest_size=16).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))

    def split(self, *names: str) -> "Rng":
        """Return a source of its own for a host or a purpose.

        It never depends on what others drew.
        """
        return Rng(self.seed, "/".join((self.path, *names)))

    def below(self, limit: int) -> int:
        """Draw an integer from 0 to ``limit`` - 1."""
        return self._random.randrange(limit)

    def chance(self, probability: float) -> bool:
        """Draw true with this probability."""
        return self._random.random() < probability

    def octets(self, count: int) -> bytes:
        """Draw ``count`` bytes."""
        return self._random.randbytes(count)
