"""Errors that are kept for the user, each with the packet that it is about.

Linux sk_error_queue, struct sock_exterr_skb; read by recvmsg with MSG_ERRQUEUE.
"""

from typing import Final

from halfopen.tcp.buffers import truesize

# ``origin`` (Linux SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6).
LOCAL: Final = 1
ICMP: Final = 2
ICMP6: Final = 3
#: IP's header and ICMP's, in front of what an error quotes.
_HEADERS: Final = 20 + 8


class Report:
    """One error. ``destination`` is where the packet was sent to, ``text`` what is left of it."""

    def __init__(
        self,
        errno: int,
        destination: tuple[str, int],
        text: bytes,
        *,
        origin: int,
        kind: int = 0,
        code: int = 0,
        info: int = 0,
        offender: str = "",
        quoted: int = 0,
    ) -> None:
        self.errno = errno
        self.destination = destination
        self.text = text
        self.origin = origin
        self.kind = kind  # of the ICMP message
        self.code = code
        self.info = info
        self.offender = offender  # who sent the message
        self.cost = truesize(_HEADERS + quoted)  # of SO_RCVBUF


def next_error(taken: Report, left: list[Report], error: int) -> int:
    """Return the error that waits for the user once a report was taken.

    That of the next ICMP message (Linux sock_dequeue_err_skb).
    """
    if left and left[0].origin != LOCAL:
        return left[0].errno
    return 0 if taken.origin != LOCAL else error
