"""What stands for what: ports and descriptors are drawn, everything else must be the same."""

import pytest

from halfopen.compare.names import Names, Renaming
from halfopen.record.events import Json

HELLO: Json = {"len": 5, "head": "hello"}
JELLO: Json = {"len": 5, "head": "jello"}


@pytest.fixture
def known() -> tuple[Names, Renaming]:
    """Descriptors 3 and 4 of the world are 13 and 14 of the kernel, its port 40000 is 50000."""
    names = Names()
    fds = names.fds("client", 1)
    assert fds.same(3, 13)
    assert fds.same(4, 14)
    assert names.same_port(40000, 50000)
    return names, fds


RESULTS: list[tuple[str, str, Json, Json, bool]] = [
    ("accepted", "accept", {"fd": 4, "peer": ["a", 1]}, {"fd": 14, "peer": ["a", 1]}, True),
    ("accepted anew", "accept", {"fd": 5, "peer": ["a", 1]}, {"fd": 9, "peer": ["a", 1]}, True),
    ("another fd", "accept", {"fd": 4, "peer": ["a", 1]}, {"fd": 13, "peer": ["a", 1]}, False),
    ("another peer", "accept", {"fd": 4, "peer": ["a", 1]}, {"fd": 14, "peer": ["b", 1]}, False),
    ("its number", "socket", {"fd": 9}, {"fd": 3}, True),
    ("drawn port", "getsockname", ["a", 40000], ["a", 50000], True),
    ("another drawn port", "getsockname", ["a", 40000], ["a", 50001], False),
    ("stood for another", "getsockname", ["a", 40001], ["a", 50000], False),
    ("fixed port", "getpeername", ["a", 80], ["a", 81], False),
    ("drawn and fixed", "getpeername", ["a", 40000], ["a", 80], False),
    ("not at all", "getpeername", ["a", 40000], None, False),
    ("another host", "getsockname", ["a", 40000], ["b", 50000], False),
    ("scope", "getsockname", ["::1", 40000, 0, 1], ["::1", 50000, 0, 2], False),
    ("a path", "getsockname", "x", "x", True),
    ("from there", "recvfrom", [HELLO, ["a", 40000]], [HELLO, ["a", 50000]], True),
    ("from elsewhere", "recvfrom", [HELLO, ["a", 40000]], [HELLO, ["b", 50000]], False),
    ("so much from there", "recvfrom_into", [5, ["a", 40000]], [5, ["a", 50000]], True),
    ("more from there", "recvfrom_into", [5, ["a", 40000]], [6, ["a", 50000]], False),
    ("another text", "recvfrom", [HELLO, ["a", 40000]], [JELLO, ["a", 50000]], False),
    ("ready", "poll", [[3, 1], [4, 4]], [[13, 1], [14, 4]], True),
    ("more ready", "poll", [[3, 1], [4, 4]], [[13, 1]], False),
    ("another is ready", "poll", [[3, 1]], [[14, 1]], False),
    ("ready for another", "epoll_wait", [[3, 1]], [[13, 4]], False),
    ("readable", "select", [[3], [4], []], [[13], [14], []], True),
    ("another is readable", "select", [[3], [], []], [[14], [], []], False),
    ("one more is readable", "select", [[3], [], []], [[13, 14], [], []], False),
    ("writable instead", "select", [[3], [], []], [[], [13], []], False),
    ("detached", "detach", 3, 13, True),
    ("detached another", "detach", 3, 14, False),
    ("another text still", "recv", HELLO, JELLO, False),
    ("as many", "send", 5, 5, True),
]


@pytest.mark.parametrize(
    ("call", "world", "kernel", "same"),
    [row[1:] for row in RESULTS],
    ids=[row[0] for row in RESULTS],
)
def test_results(
    known: tuple[Names, Renaming], call: str, world: Json, kernel: Json, same: bool
) -> None:
    names, fds = known
    assert names.same_result(call, fds, world, kernel) == same


def test_a_number_that_is_free_again_may_stand_for_another() -> None:
    fds = Renaming()
    assert fds.same(3, 13)
    assert not fds.same(3, 14)
    assert not fds.same(4, 13)
    fds.forget(3)
    assert fds.same(4, 13)
    fds.forget(7)  # never used


def test_each_process_has_its_own_descriptors_in_each_life() -> None:
    names = Names()
    assert names.fds("client", 1).same(3, 13)
    assert names.fds("server", 1).same(3, 14)
    assert names.fds("client", 2).same(3, 15)
    assert not names.fds("client", 1).same(3, 15)
