"""What a text is about: its words without their endings, pairs of them, and what means the same."""

import errno
import os
import re
from collections.abc import Container, Mapping
from functools import cache
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
#: Words on either side of it are no neighbours.
_BETWEEN: Final = re.compile(r"[.,;:?!] ")
_JOINT: Final = re.compile(r"[_-]")
#: Chinese has no blanks between words: any two characters in a row may be one.
_CHINESE: Final = re.compile(r"(?=([\u4e00-\u9fff]{2}))")
_SAYS_NOTHING: Final = (
    "a an and any are at be been by can could did do does for from get gets had has have how i if"
    " in into is it its make me my of on or our should so some still that the their them then there"
    " these they this to was we were what when where which while who why will with would you your"
    " 什么 怎么 怎样 会怎 为什 如何 多少 是否 可以 能不 了吗 了会 么办 了怎 没有"
)
STOP: Final = frozenset(_SAYS_NOTHING.split())
#: Words of every question: pronouns, particles, and the verbs of asking and of doing. Where a row
#: happens to know one it counts as any word; where none does, nothing of the question is missed.
_ORDINARY: Final = (
    "about above across actually after again against ago ain't all along already also although"
    " always am among another anybody anyone anything appear aren't around as ask away back bad"
    " became because become before behind being believe below beside between beyond bit both but"
    " call came can't case cause come couldn't day describe didn't doesn't doing don't done down"
    " during each either else even eventually ever every everybody everyone everything exactly"
    " except explain far few find first found gave getting give given go goes going gone good got"
    " gotten guess hadn't happen hasn't haven't having he help her him his however i'd i'll i'm"
    " i've indeed instead isn't it's itself just keep kept kind knew know known later least less"
    " let like likely look lot made making many matter may maybe mean meant might mine more most"
    " much must myself near nearly need neither never next no nobody none nor not nothing now"
    " often ok okay once one only onto other otherwise ours out over own perhaps please possible"
    " problem put question quite ran rather really reason right run said same saw say see seeing"
    " seem seen self shall she shouldn't show shown simply since somebody somehow someone"
    " something sometimes somewhere soon sort stuff such suddenly sure take taken tell than thanks"
    " theirs themselves thing think though thought through throughout thus till today together"
    " told too took toward tried try turn under understand understood unless until up upon us use"
    " used using usually very via want wasn't way well went weren't whatever whenever wherever"
    " whether whom whose within without won't wonder work wouldn't wrong yes yet you're yours"
    " yourself"
)
#: Ways to say the same; in a group each stands for each other.
_ALIKE: Final = (
    "send write",
    "recv read receive",
    "crash die died dead dying kill abort",
    "kill sigkill oom",
    "segfault sigsegv segmentationfault",
    "power poweroff powercut blackout outage",
    "cable wire wifi wlan link ethernet network unplug carrier",
    "cut off pull drop unplug",
    "drop lost lose",
    "reboot restart boot",
    "timeout etimedout timedout expire",
    "hang block stuck freeze frozen wait",
    "alive keepalive heartbeat",
    "detect know notice learn tell",
    "refuse econnrefused",
    "reset rst econnreset",
    "eof end",
    "dns resolver nameserver",
    "lookup resolve name",
    "thread threadsafe reentrant concurrent multithread",
    "big size large",
    "slow latency delay",
    "interface nic card eth0",
    "several multiple two multihome",
    "succeed fine ok",
    "full overflow exhaust",
    "ephemeral temporary ephemeralport",
    "queue backlog",
    "silent silence quiet",
    "ip address",
    "source src",
    "retry retransmit resend",
    "close shutdown",
    "small tiny",
    "ipv6 v6only in6addr in6addrany v6",
    "gone away vanish power crash",
    "断网 网线 拔掉",
    "线断 拔掉",
    "掉电 停电 断电",
    "多大 大小",
)
#: One word for what has a name in both languages. By its pairs of characters ``服务器`` would be
#: two words that few rows know, as most say ``server`` in Chinese too; and ``写`` would be none.
_ENGLISH: Final[Mapping[str, str]] = {
    chinese: english
    for english, group in {
        "address": "地址",
        "answer": "回应 响应 应答",
        "bind": "绑定",
        "block": "卡住 挂起 阻塞",
        "buffer": "缓冲区",
        "client": "客户端 客户机",
        "close": "关闭",
        "connection": "连接",
        "crash": "崩溃",
        "data": "数据",
        "default": "缺省 默认",
        "detect": "检测 发现",
        "dns": "域名",
        "drop": "丢弃",
        "happen": "发生",
        "host": "主机 机器",
        "interface": "接口 网卡",
        "keepalive": "心跳",
        "know": "知道",
        "latency": "延迟",
        "listen": "监听",
        "lose": "丢失 丢",
        "lookup": "解析 查询 查名",
        "name": "名字",
        "peer": "对端 对方",
        "port": "端口",
        "process": "进程",
        "program": "程序",
        "queue": "队列",
        "read": "读取 读",
        "reboot": "重启",
        "receive": "接收 收到 收",
        "reentrant": "可重入",
        "reset": "重置",
        "retransmit": "重传",
        "return": "返回",
        "route": "路由",
        "send": "发送 发出 发",
        "server": "服务器 服务端",
        "socket": "套接字",
        "thread": "多线程 线程",
        "timeout": "超时",
        "write": "写入 写",
    }.items()
    for chinese in group.split()
}
#: What the system's errors are called in Chinese.
_ERRORS_ZH: Final[Mapping[str, str]] = {
    "EADDRINUSE": "地址已在使用 地址已被使用 地址被占用 端口被占用 端口已被占用",
    "EADDRNOTAVAIL": "无法指定被请求的地址 无法分配请求的地址",
    "ECONNREFUSED": "拒绝连接 连接被拒绝 连接被拒",
    "ECONNRESET": "连接被对方重置 连接被对方重设 连接被重置 连接重置",
    "EHOSTUNREACH": "没有到主机的路由 主机不可达",
    "ENETUNREACH": "网络不可达",
    "EPIPE": "断开的管道 管道破裂",
    "ETIMEDOUT": "连接超时",
}
#: What is one thing in several words, beside the texts of the errors.
_PHRASES: Final[Mapping[str, str]] = {
    "kill 9": "sigkill",
    "thread safe": "threadsafe",
    "run out": "exhaust",
    "ran out": "exhaust",
}
_TRANSLATED: Final = re.compile("|".join(sorted(_ENGLISH, key=lambda word: -len(word))))
_ENDINGS: Final = ("ing", "ed")
_STEM_MIN: Final = 3
_VOWELS: Final = frozenset("aeiouy")
#: A letter that stands twice before an ending was one, but for these: ``dropped``, not ``killed``.
_DOUBLE: Final = frozenset("lsz")


def stem(word: str) -> str:
    """Take a word's endings away: ``drops``, ``dropped`` and ``dropping`` are ``drop``."""
    if len(word) <= _STEM_MIN:
        return word
    if word.endswith("ies"):
        word = f"{word[:-3]}y"
    elif word.endswith("s") and word[-2] not in "siu":
        word = word[:-1]
    for ending in _ENDINGS:
        begun = word.removesuffix(ending)
        if begun != word and len(begun) >= _STEM_MIN and _VOWELS & set(begun):
            word = begun
            if word[-1] == word[-2] and word[-1] not in _DOUBLE:
                word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > _STEM_MIN else word


def is_ordinary(word: str) -> bool:
    """Whether a stem belongs to every question, so that nothing is missed where no row knows it."""
    return word in _ordinary_stems()


@cache
def _ordinary_stems() -> frozenset[str]:
    return frozenset(map(stem, _WORD.findall(_ORDINARY)))


def words_of(text: str, known: Container[str] = ()) -> list[str]:
    """Split into stems, without what says nothing.

    A name in several parts counts by them too, but where it is known as a whole.
    """
    found: list[str] = []
    for match in _WORD.findall(text.lower()):
        named = [part for part in _JOINT.split(match) if part not in STOP]
        parts, whole = [stem(part) for part in named], stem("".join(named))
        found += parts if len(parts) == 1 else [whole] if whole in known else [whole, *parts]
    return [word for word in found if word] + [
        two for two in _CHINESE.findall(text) if two not in STOP
    ]


def pairs_of(text: str) -> list[str]:
    """Join neighbours: ``half open`` is ``halfopen``, which is what ``half-open`` is."""
    found = []
    for phrase in _BETWEEN.split(text.lower()):
        words = [part for match in _WORD.findall(phrase) for part in _JOINT.split(match)]
        for one, other in pairwise(words):
            if one not in STOP and other not in STOP:
                found.append(stem(one + other))
    return found


def error_text(name: str) -> str:
    """Give what the system says of an error: ``Connection refused``, and in Chinese."""
    number = getattr(errno, name, None)
    english = os.strerror(number) if number is not None else ""
    return f"{english} {_ERRORS_ZH.get(name, '')}".strip()


def canonical(text: str) -> str:
    """Put names for what is said in several words: ``connection refused`` is ``econnrefused``.

    A Chinese word that has an English one is that.
    """
    said = text.lower()
    for phrase, name in _phrases():
        said = phrase.sub(f" {name} ", said)
    return in_english(said)


def in_english(text: str) -> str:
    """Put the English words for the Chinese ones that have one, the longest first."""
    return _TRANSLATED.sub(lambda word: f" {_ENGLISH[word[0]]} ", text)


@cache
def _phrases() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Give each thing that is said in several words, the longest first, with its name."""
    names = dict(_PHRASES)
    for number, name in errno.errorcode.items():
        for phrase in (os.strerror(number).lower(), *_ERRORS_ZH.get(name, "").split()):
            if " " in phrase or not phrase.isascii():  # a word stands for itself
                names.setdefault(phrase, name.lower())
    longest_first = sorted(names, key=lambda phrase: -len(phrase))
    return tuple((_said(phrase), names[phrase]) for phrase in longest_first)


def _said(phrase: str) -> re.Pattern[str]:
    words = r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", phrase)))
    return re.compile(rf"\b{words}\b" if phrase.isascii() else words)


def _alike() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for group in _ALIKE:
        members = [stem(word) for word in group.split()]
        for word in members:
            others = (other for other in members if other != word)
            found.setdefault(word, {}).update(dict.fromkeys(others))
    return {word: tuple(others) for word, others in found.items()}


#: What else a stem may be called.
ALIKE: Final = _alike()
