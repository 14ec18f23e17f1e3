"""Ordinary questions, as people type them, and the row that each should lead to."""

from typing import Final

#: The row that comes first.
FIRST: Final = (
    ("connection refused", "N18"),
    ("ECONNREFUSED", "N18"),
    ("address already in use", "N45"),
    ("EADDRINUSE", "N45"),
    ("TIME_WAIT bind", "N45"),
    ("Connection timed out", "N17"),
    ("is my connection still alive", "N41"),
    ("why does send succeed after the peer closed", "N32"),
    ("my client hangs when the wifi drops", "N10"),
    ("kill -9", "N07"),
    ("how big is the send buffer", "N43"),
    ("Cannot assign requested address", "N21"),
    ("accept queue overflow", "N30"),
    ("non blocking connect", "N15"),
    ("does my server get a FIN when the client segfaults", "N07"),
    ("keep-alive", "N41"),
    ("is getaddrinfo thread safe", "N38"),
    ("DNS server does not answer", "N35"),
    ("/etc/hosts or DNS first", "N36"),
    ("epoll peer closed", "N05"),
    ("SIGPIPE", "N33"),
    ("port 0", "N26"),
    ("ipv6 only socket", "N25"),
    ("连接被拒绝", "N18"),
    ("地址已被使用", "N45"),
    ("心跳", "N41"),
    ("线程安全吗", "N14"),
    ("小包延迟", "N46"),
    ("队列满了会怎样", "N30"),
    ("power cut in recv", "N10"),
    ("cable pulled", "N10"),
    ("nobody listens", "N18"),
    ("segmentation fault", "N07"),
    ("nagle", "N46"),
    ("resolv.conf", "N35"),
    ("poll peer closes", "N05"),
    ("what does poll show when the peer closes", "N05"),
    ("unanswered write", "N10"),
    ("how long does an unanswered write last by default", "N10"),
    ("killed with unread data", "N07"),
    ("断电", "N10"),
    ("拔网线", "N10"),
    ("崩溃后read返回什么", "N08"),
    ("没有进程监听", "N18"),
    ("Nagle算法", "N46"),
)
#: The rows of which each is among the first three, or, of several in one, one of them is.
AMONG: Final = (
    ("connection reset by peer", ("N13 N33 N11 N08",)),
    ("half open connection", ("N06 N11", "N10 N41")),
    ("send after peer closed", ("N32", "N33 N09")),
    ("how do I detect a dead peer", ("N41", "N10 N06")),
    ("dead peer", ("N41 N10 N06",)),
    ("server restarted and the client does not notice", ("N11",)),
    ("recv blocks forever", ("N12 N08 N10 N44",)),
    ("zero window", ("N01", "N02")),
    ("ports exhausted", ("N20",)),
    ("对端崩溃后 write", ("N09",)),
    ("网线断了", ("N10",)),
)
#: What no row knows.
UNKNOWN: Final = ("too many open files", "asyncio", "kubernetes ingress")
#: Written before the search was tuned, and looked at only afterwards: the row, or one of several.
#: Two do not lead to theirs at once ("make recv time out", "no route to host"), and are left so.
HELD_OUT: Final = (
    ("what happens when the backlog is full", "N30"),
    ("broken pipe when writing to a socket", "N33"),
    ("how to make recv time out", "N44"),
    ("server crashed and restarted, client does not know", "N11"),
    ("does close send RST if there is unread data", "N48 N07 N03"),
    ("no route to host", "N19"),
    ("how many times is a SYN retried", "N17"),
    ("why are small writes slow, 40 ms", "N46"),
    ("which source ip is used on a machine with two interfaces", "N27"),
    ("域名解析超时", "N35"),
    ("发送缓冲区默认多大", "N43"),
    ("对方断电了怎么检测", "N10 N41"),
)
