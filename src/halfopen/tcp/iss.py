"""What a connection starts from: its initial sequence number and the offset of its timestamps."""

from hashlib import blake2b
from typing import Final

from halfopen.base.rng import Rng
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import Flow

#: The clock behind initial sequence numbers moves on every 64 ns.
_TICK_BITS: Final = 6  # LINUX(iss-clock), not 4 µs


class Secret:
    """One host's secret: who does not know it cannot guess the numbers (RFC 9293 3.4.1)."""

    def __init__(self, rng: Rng) -> None:
        self._key = rng.octets(16)

    def iss(self, flow: Flow, now: int) -> int:
        """Return the initial sequence number of a connection (Linux secure_tcp_seq)."""
        source, sport, destination, dport = flow
        hashed = self._hash(f"seq {source} {sport} {destination} {dport}")
        return wrap(hashed + (now >> _TICK_BITS))

    def ts_offset(self, flow: Flow) -> int:
        """Return what is added to the clock of TSval, one for each pair of hosts.

        RFC 7323 5.4; Linux secure_tcp_ts_off.
        """
        source, _, destination, _ = flow
        return self._hash(f"ts {source} {destination}")

    def cookie(self, flow: Flow, count: int) -> int:
        """Return what hides in a SYN cookie of a connection, anew for each count.

        Linux cookie_hash.
        """
        source, sport, destination, dport = flow
        return self._hash(f"cookie {source} {sport} {destination} {dport} {count}")

    def _hash(self, text: str) -> int:
        digest = blake2b(text.encode(), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest, "big")
