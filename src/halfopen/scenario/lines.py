"""The fifty lines of the notes: what a working engineer claimed or asked about TCP sockets.

Each has an id, the section of the notes that it stands in, a title (the question in a line, for the
answer sheet), and the note: what the line claims or asks. All but the id also in Chinese, where the
note is the notes' own wording.
"""

from collections.abc import Iterator
from typing import Final

from halfopen.base.value import value
from halfopen.scenario.original import TEXT as _ORIGINAL

_TEXT: Final = """
Receive buffer
N01 Nobody reads: are packets dropped?
    | Question: TCP keeps receiving and the application never reads. Once the buffer is full,
    are packets dropped?
N02 Does write fail when the peer's buffer is full?
    | Question: does the sender's write fail because the peer's receive buffer is full?
    Blocking, non-blocking, and with SO_SNDTIMEO.

How a connection ends
N03 Normal close: is a FIN sent?
    | Normal close: A calls close, and a FIN goes to B.
N04 read returns 0: can one still send?
    | B's read returns 0: A has closed and can send no more, but can still receive. Half-close:
    shutdown against close.
N05 Is a FIN noticed without read?
    | Question: if B never calls read, can B learn of A's FIN? By poll or epoll, TCP_INFO, a
    peek.
N06 A crash: does the other end know at once?
    | A program crashes: the other end does not know at once, unless it writes or has
    SO_KEEPALIVE on.
N07 A process crashes: is a FIN sent?
    | A program crashes; question: is a FIN sent? Claim: no. Killed, segmentation fault, exit
    without close; with and without unread data.
N08 A process crashes: what does read return?
    | After a crash, what does the peer's read return, and does it tell of the crash? The claim
    can be read two ways: it does not tell, it blocks or times out; or it does not block, or it
    times out.
N09 A process crashes: what does write do?
    | After a crash, does the peer's write block until a timeout, or until an ICMP unreachable?
    Claim: an RST is received.
N10 Power-off, cable pulled: like a crash?
    | A loses power all of a sudden, or its cable is pulled. Claim: the same as a crash.
N11 Crash and reboot: does the other end know?
    | A crashes and boots again: does the other end know? Claim: not unless it sends something.
N12 read after the server rebooted
    | read is called when the server has rebooted: it blocks, or times out.
N13 write after the server rebooted
    | write is called when the server has rebooted: an RST comes. Claim: this write returns
    ECONNRESET.

Calls
N14 Are socket calls reentrant?
    | Of every socket call: may several threads be in it at once?
N15 When does connect return?
    | connect starts the three-way handshake and returns once it is established or has failed:
    on the second segment, the peer's SYN-ACK.
N16 A failed connect: is the socket usable?
    | After a failed connect the socket cannot be used again and must be closed: its state is
    undefined.
N17 connect: no answer
    | connect fails because the peer is down or too busy and no ACK ever comes: ETIMEDOUT. After
    how long, with how many SYNs?
N18 connect to a port where nobody listens
    | connect fails because no process listens on the port: the peer answers with an RST,
    ECONNREFUSED.
N19 connect: no route
    | connect fails for want of a route: ICMP unreachable of each code, from a router on the way
    and from the local host.
N20 Without bind, who picks address and port?
    | bind gives the socket an address; without it the kernel picks a temporary port and address
    at connect or listen. A client does not care; a server needs a fixed port.
N21 bind to an address of no interface
    | The bound address must belong to an interface of the host.
N22 What does a bound address restrict?
    | With an address bound, everything sent has it as source, and only packets to it are
    received.
N23 A server bound to no address: which is its?
    | A server that binds no address has as its address the destination of the client's SYN.
N24 INADDR_ANY: when is it resolved?
    | Wildcard IPv4 address INADDR_ANY: the kernel chooses; question: when?
N25 in6addr_any and dual-stack sockets
    | Wildcard IPv6 address in6addr_any: INADDR_ANY is a number, 0, and in6addr_any a structure.
    Dual-stack sockets.
N26 Port 0 and the wildcard address
    | Port 0: the kernel chooses; and for a wildcard, the destination address and the arriving
    interface decide.
N27 A host with several addresses
    | Question: what happens on a host with several addresses?
N28 getsockname and getpeername
    | getsockname gets one's own address as the kernel assigned it at connect; getpeername the
    peer's, mostly at the server. Before and after, and their errors.
N29 listen: from active to passive
    | listen turns an active socket into a passive one, CLOSED to LISTEN, so that the kernel
    accepts connection requests.
N30 listen: how long can the queue be?
    | listen sets the size of the queue; question: what is the maximum today, and what happens
    past it?
N31 accept: which addresses has the new socket?
    | accept; question: how do the returned socket's addresses differ from the listener's?
N32 Writing after a FIN
    | Writing to a socket that has received a FIN is fine.
N33 Writing after an RST
    | Writing to a socket that has received an RST raises SIGPIPE (EPIPE).

Names
N34 gethostbyname: is it reentrant?
    | gethostbyname and gethostbyaddr turn a name into an address and back; they are not
    reentrant, their _r versions are.
N35 Name lookup: resolv.conf and UDP
    | Claims: lookups need the network; names are looked up in /etc/resolv.conf, and if not
    found there a server is asked over UDP. Truncation, retry, several servers, search list.
N36 Name lookup: /etc/hosts
    | Without DNS, /etc/hosts is looked up; and which comes first.
N37 gethostname
    | gethostname returns what hostname(1) prints. Claim: it is not reentrant.
N38 getaddrinfo
    | getaddrinfo, with freeaddrinfo, is more general and hides the protocol: families, hints,
    order of the results, AI_* flags, EAI_* errors. Claim: it is not reentrant.
N39 getservbyname: which file?
    | getservbyname and getservbyport: port and service name. Claim: from the file /etc/service.
N40 getprotobynumber
    | getprotobynumber, and by name: from /etc/protocols.

Options
N41 SO_KEEPALIVE: what does it report, when?
    | SO_KEEPALIVE is a heartbeat: TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; what it reports,
    and when.
N42 SO_RCVBUF, SO_SNDBUF: when to set them?
    | SO_RCVBUF and SO_SNDBUF set the buffers' sizes and TCP's window. Claim: to be set before
    connect or bind.
N43 Default buffer sizes on Linux
    | Claim: Linux defaults are SO_RCVBUF=87380 and SO_SNDBUF=16384.
N44 SO_RCVTIMEO, SO_SNDTIMEO
    | SO_RCVTIMEO and SO_SNDTIMEO are the timeouts of receive and send; default 0.
N45 SO_REUSEADDR and TIME_WAIT
    | SO_REUSEADDR, SO_REUSEPORT set before bind: may an address in TIME_WAIT be taken again, as
    after a restart?
N46 TCP_NODELAY: do small packets fare better?
    | TCP_NODELAY switches Nagle's algorithm off: small packets are no longer gathered. Claim:
    users of small packets fare better. Latency and packets; with delayed ACK, TCP_CORK,
    TCP_QUICKACK.
N47 TCP_DEFER_ACCEPT
    | TCP_DEFER_ACCEPT: accept returns only once data has come; it turns away those who connect
    and send nothing.
N48 SO_LINGER off: what does close do?
    | SO_LINGER off: close returns at once, and the system tries to send what is left.
N49 SO_LINGER on, with 0 and more
    | SO_LINGER on, l_linger 0, and l_linger > 0: what does Linux do?
N50 Does linger tell a normal end?
    | Linger tells a normal from an abnormal end.
"""


#: The section of what the notes don't ask, but readers of the answers do.
ASKED_SINCE: Final = "Asked since"
_ASKED_SINCE_ZH: Final = "后来的问题"


@value
class Line:
    """One line of the notes, in English and in Chinese; ``note_zh`` is the original."""

    id: str
    section: str
    title: str
    note: str
    section_zh: str
    title_zh: str
    note_zh: str


def asked_since(*, id_: str, title: str, note: str, title_zh: str, note_zh: str) -> Line:
    """Make a line that the notes don't have; its own file holds it (``scenario/notes/n51.py``)."""
    return Line(
        id=id_,
        section=ASKED_SINCE,
        title=title,
        note=note,
        section_zh=_ASKED_SINCE_ZH,
        title_zh=title_zh,
        note_zh=note_zh,
    )


def _read() -> Iterator[Line]:
    for english, chinese in zip(_blocks(_TEXT), _blocks(_ORIGINAL), strict=True):
        (id_, section, title, note), (same, section_zh, title_zh, note_zh) = english, chinese
        assert id_ == same, f"{id_} and {same} stand for one another"
        yield Line(
            id=id_,
            section=section,
            title=title,
            note=note,
            section_zh=section_zh,
            title_zh=title_zh,
            note_zh=note_zh,
        )


def _blocks(text: str) -> Iterator[tuple[str, str, str, str]]:
    section = ""
    for block in text.replace("\n    ", " ").strip().splitlines():
        if not block:
            continue
        if not block.startswith("N") or not block[1:3].isdigit():
            section = block
            continue
        id_, _, rest = block.partition(" ")
        title, _, note = rest.partition("|")
        yield id_, section, title.strip(), note.strip()


LINES: Final = tuple(_read())
BY_ID: Final = {line.id: line for line in LINES}
