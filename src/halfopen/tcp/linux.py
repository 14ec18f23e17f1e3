"""Every place where Linux departs from the RFC, and the code follows Linux.

A comment, LINUX and a tag in brackets, stands at the line that departs. Here it is registered with
the RFC's rule, the kernel function that decides, and the scenario or test in which a real kernel
was seen doing so.
"""

from typing import Final

from halfopen.base.value import value


@value
class Departure:
    """One departure. ``witness`` names a row of the notes, or a test that runs on a kernel."""

    rfc: str
    does: str
    kernel: str
    witness: str


TAGS: Final[dict[str, Departure]] = {
    "linear-syn-timeouts": Departure(
        rfc="RFC 6298 5.5: back off after every timeout",
        does="the first tcp_syn_linear_timeouts SYNs are repeated at even distances",
        kernel="Linux tcp_retransmit_timer",
        witness="N10",
    ),
    "refused-not-reset": Departure(
        rfc="RFC 9293 3.10.7.3 second: the user is told 'connection reset'",
        does="an RST in SYN-SENT is told as ECONNREFUSED",
        kernel="Linux tcp_reset",
        witness="N18",
    ),
    "unread-data-resets": Departure(
        rfc="RFC 9293 3.10.4: CLOSE queues a FIN (RFC 1122 4.2.2.13 allows the RST)",
        does="closing with unread data sends an RST at once",
        kernel="Linux __tcp_close",
        witness="N07",
    ),
}
