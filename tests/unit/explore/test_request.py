"""Tokens: everything that a run depends on, there and back; what is damaged says so."""

import pytest

from halfopen.base.errors import MisuseError
from halfopen.explore.request import Replay, Request, read_token, write_token
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff, PowerOn

REQUEST = Request(
    target="examples/client.py:world",
    seed=7,
    hash_seed=3,
    horizon_ns=5_000,
    expected=("OSError", "KeyError"),
)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Kill(process="server", signal="SIGSEGV"),
        PowerOff(host="server"),
        PowerOn(host="server"),
        CableOut(link="a-b", seen_by=("a", "b")),
        CableOut(link="a-b", towards="b"),
        CableIn(link="a-b"),
    ],
    ids=str,
)
def test_a_token_names_its_run(fault: Fault | None) -> None:
    replay = Replay(request=REQUEST, point=41, fault=fault, digest="0123456789abcdef")
    token = write_token(replay)
    assert read_token(token) == replay
    assert token.startswith("eJ")
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_leaves_the_seed_to_the_world_where_nobody_named_one() -> None:
    replay = Replay(request=Request(target="client.py"), point=1, fault=None)
    assert read_token(write_token(replay)).request.seed is None


@pytest.mark.parametrize("damage", ["hello", "eJx", "é", "eJyrVkrOSCxRslIyVNJRykzJTFGyMgUAQrkGZA"])
def test_what_is_no_token_is_a_mistake(damage: str) -> None:
    with pytest.raises(MisuseError, match="not a replay token"):
        read_token(damage)


@pytest.mark.parametrize("nothing", ["", " "])
def test_no_token_at_all_is_said_to_be_missing(nothing: str) -> None:
    with pytest.raises(MisuseError, match="no token was given"):
        read_token(nothing)


def test_a_token_that_was_cut_short_is_a_mistake() -> None:
    token = write_token(Replay(request=REQUEST, point=1, fault=None))
    for end in range(1, len(token), 7):
        with pytest.raises(MisuseError):
            read_token(token[:-end])


@pytest.mark.parametrize("added", ["x", "xx", "AAAA", "=", ".", " ", "\n", "x" * 20])
def test_a_token_with_something_added_is_a_mistake(added: str) -> None:
    for word in ("a", "ab", "abc", "abcd"):  # of every length, as base64 counts
        token = write_token(Replay(request=REQUEST, point=1, fault=None, digest=word))
        for damaged in (token + added, f"{token[:9]}{added}{token[9:]}"):
            with pytest.raises(MisuseError, match="not a replay token"):
                read_token(damaged)
