"""Words without their endings, joined, and by their other names."""

import pytest

from halfopen.atlas.terms import ALIKE, canonical, error_text, pairs_of, stem, words_of


@pytest.mark.parametrize(
    ("words", "stem_of_all"),
    [
        ("write writes writing", "writ"),
        ("drop drops dropped dropping", "drop"),
        ("kill kills killed killing", "kill"),
        ("retry retries", "retry"),
        ("address addresses", "address"),
        ("need", "need"),
        ("using", "using"),
        ("ip", "ip"),
    ],
)
def test_a_word_is_the_same_in_every_form(words: str, stem_of_all: str) -> None:
    assert {stem(word) for word in words.split()} == {stem_of_all}


def test_a_name_is_known_as_a_whole_and_by_its_parts() -> None:
    assert words_of("the TCP_NODELAY of a") == ["tcpnodelay", "tcp", "nodelay"]
    assert words_of("TCP_NODELAY", {"tcpnodelay"}) == ["tcpnodelay"]
    assert words_of("SO_LINGER") == ["linger"]
    assert words_of("拔网线") == ["拔网", "网线"]


def test_what_the_rows_call_in_english_is_one_word_in_both_languages() -> None:
    assert words_of(canonical("服务器重启后写数据")) == words_of("server reboots, write data")
    assert pairs_of(canonical("客户端崩溃")) == pairs_of("client crashes")
    assert canonical("多线程").strip() == "thread", "the longest first"


def test_neighbours_are_joined_but_not_across_what_says_nothing() -> None:
    assert pairs_of("time out") == words_of("timeout")
    assert pairs_of("keep alive") == words_of("keepalive")
    assert pairs_of("half open connections") == ["halfopen", "openconnection"]
    assert pairs_of("open the door") == []
    assert pairs_of("it is open. Doors close") == ["doorsclos"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Connection refused", "econnrefused"),
        ("connection-refused", "econnrefused"),
        ("连接被拒绝", "econnrefused"),
        ("kill -9", "sigkill"),
        ("Broken pipe", "epipe"),
    ],
)
def test_what_is_one_thing_in_several_words_has_one_name(text: str, named: str) -> None:
    assert canonical(text).strip() == named


def test_what_is_none_stays_as_it_is() -> None:
    assert canonical("half-open of TCP_NODELAY") == "half-open of tcp_nodelay"


def test_an_error_says_what_the_system_says() -> None:
    assert error_text("ECONNREFUSED").startswith("Connection refused 拒绝连接")
    assert error_text("EPERM") == "Operation not permitted"
    assert error_text("ENOSUCHTHING") == ""


def test_other_names_hold_both_ways() -> None:
    assert "cabl" in ALIKE["wifi"]
    assert "wifi" in ALIKE["cabl"]
