"""What is to be explored, and a point of it as a token: all that a run depends on, in one word."""

import base64
import binascii
import json
import zlib
from typing import Final

from halfopen.base.errors import MisuseError
from halfopen.base.units import HOUR
from halfopen.base.value import value
from halfopen.explore.advice import Remedy
from halfopen.record.faults import Fault, fault_from_json, fault_to_json

#: A disturbed run is watched so long beyond the end of the undisturbed one, and the fault. Linux
#: gives up an unanswered write after 15 min, an idle peer with SO_KEEPALIVE after 2 h 11 min.
HORIZON_NS: Final = 3 * HOUR

TOKEN_VERSION: Final = 1


@value
class Request:
    """A target and everything that its runs depend on."""

    target: str  # "client.py:world"
    seed: int | None = None  # None: the one that the world names
    hash_seed: int = 0
    horizon_ns: int = HORIZON_NS
    expected: tuple[str, ...] = ()  # exceptions by which a program may end
    faults: tuple[Fault, ...] | None = None  # None: each process, host and link of the target
    jobs: int = 2
    digests: bool = False  # whether each outcome carries a digest of its trace


@value
class Replay:
    """One disturbed run of a target. ``point`` 0: the undisturbed one.

    ``digest`` is that of the run which a token was written for; a remedy is never in a token.
    """

    request: Request
    point: int
    fault: Fault | None
    digest: str = ""
    remedy: Remedy | None = None


def write_token(replay: Replay) -> str:
    """Write a run as one word."""
    request = replay.request
    body = {
        "v": TOKEN_VERSION,
        "target": request.target,
        "seed": request.seed,
        "hash": request.hash_seed,
        "horizon": request.horizon_ns,
        "expected": list(request.expected),
        "point": replay.point,
        "fault": None if replay.fault is None else fault_to_json(replay.fault),
        "run": replay.digest,
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return _as_word(zlib.compress(text.encode()))


def read_token(token: str) -> Replay:
    """Read what ``write_token`` wrote.

    Raises MisuseError where there is none, where it is damaged, or written by another version.
    """
    if not token.strip():
        raise MisuseError("no token was given: a finding's last line has one")
    try:
        body = json.loads(_unpacked(token))
        if body["v"] != TOKEN_VERSION:
            msg = f"the token was written by another version of halfopen ({body['v']})"
            raise MisuseError(msg)
        return Replay(
            request=Request(
                target=body["target"],
                seed=body["seed"],
                hash_seed=body["hash"],
                horizon_ns=body["horizon"],
                expected=tuple(body["expected"]),
            ),
            point=body["point"],
            fault=None if body["fault"] is None else fault_from_json(body["fault"]),
            digest=body["run"],
        )
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError) as error:
        msg = f"not a replay token, or one that was changed or cut short: {token[:20]}..."
        raise MisuseError(msg) from error


def _as_word(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unpacked(token: str) -> bytes:
    """Take a word apart; nothing may stand in it or behind it that has no meaning."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    packed = zlib.decompressobj()
    text = packed.decompress(raw)
    if not packed.eof or packed.unused_data or _as_word(raw) != token:
        raise ValueError("not as it was written")
    return text
