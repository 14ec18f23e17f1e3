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
    "burst-waits": Departure(
        rfc="RFC 9293 3.8.6.2.1: a full segment that the windows take is sent",
        does="several segments wait for an ACK that is near, to leave with more of them",
        kernel="Linux tcp_tso_should_defer",
        witness="test_sending, test_linux_does_what_the_row_says",
    ),
    "crossed-opens-scale": Departure(
        rfc="RFC 7323 2.2: windows are scaled only where both SYNs offered it",
        does="where two opens cross, an end goes on with the scale that it offered itself",
        kernel="Linux tcp_rcv_synsent_state_process",
        witness="test_crossed_opens_keep_the_scale_that_was_offered",
    ),
    "defer-accept": Departure(
        rfc="RFC 9293 3.10.7.4 fifth: an acceptable ACK of our SYN,ACK opens the connection",
        does="under TCP_DEFER_ACCEPT one without text is dropped, until the time is up",
        kernel="Linux tcp_check_req, syn_ack_recalc",
        witness="N47",
    ),
    "fin-wait-2-ends": Departure(
        rfc="RFC 9293 3.6: an end that has closed waits for the peer's FIN for ever",
        does="where no descriptor is left, FIN-WAIT-2 ends after tcp_fin_timeout, or TCP_LINGER2",
        kernel="Linux __tcp_close, tcp_rcv_state_process",
        witness="test_fin_wait_2",
    ),
    "iss-clock": Departure(
        rfc="RFC 9293 3.4.1: the clock behind initial sequence numbers ticks every 4 µs",
        does="it ticks every 64 ns",
        kernel="Linux seq_scale",
        witness="test_the_clock_of_initial_sequence_numbers_ticks_every_64_ns",
    ),
    "linear-syn-timeouts": Departure(
        rfc="RFC 6298 5.5: back off after every timeout",
        does="the first tcp_syn_linear_timeouts SYNs are repeated at even distances",
        kernel="Linux tcp_retransmit_timer",
        witness="N10",
    ),
    "memory-closes-window": Departure(
        rfc="RFC 9293 3.8.6 (SHLD-14): a receiver does not take its window back",
        does="text in the window is dropped where it costs too much memory, and the window closed",
        kernel="Linux tcp_data_queue, tcp_select_window",
        witness="N01",
    ),
    "minshall-nagle": Departure(
        rfc="RFC 9293 3.7.4: a small segment waits while any data is unacknowledged",
        does="it waits only while a small segment is unacknowledged",
        kernel="Linux tcp_nagle_check, tcp_minshall_check",
        witness="test_sending",
    ),
    "no-ack-no-answer": Departure(
        rfc="RFC 9293 3.10.7.4 first: an unacceptable segment is answered with an ACK",
        does="a segment without ACK, RST and SYN is dropped before anything else is looked at",
        kernel="Linux tcp_rcv_state_process",
        witness="test_a_segment_without_ack_gets_no_answer",
    ),
    "one-urgent-octet": Departure(
        rfc="RFC 9293 3.8.5 (MUST-31): urgent data may be of any length",
        does="only its last octet is urgent; what was before it stays in the stream",
        kernel="Linux tcp_urg",
        witness="test_linux_does_what_the_row_says",
    ),
    "refused-not-reset": Departure(
        rfc="RFC 9293 3.10.7.3 second: the user is told 'connection reset'",
        does="an RST in SYN-SENT is told as ECONNREFUSED",
        kernel="Linux tcp_reset",
        witness="N18",
    ),
    "reset-in-close-wait": Departure(
        rfc="RFC 9293 3.10.7.4 second: the user is told 'connection reset'",
        does="an RST in CLOSE-WAIT is told as EPIPE",
        kernel="Linux tcp_reset",
        witness="N33",
    ),
    "rto-floor": Departure(
        rfc="RFC 6298 2.4: an RTO of less than a second is rounded up to a second",
        does="the variance counts for 200 ms at least (tcp_rto_min_us)",
        kernel="Linux tcp_rtt_estimator",
        witness="test_sending_again",
    ),
    "short-time-wait": Departure(
        rfc="RFC 9293 3.4.2: MSL is two minutes, TIME-WAIT lasts twice as long",
        does="TIME-WAIT lasts a minute",
        kernel="Linux tcp_time_wait",
        witness="test_time_wait_lasts_a_minute_on_linux_too",
    ),
    "unread-data-resets": Departure(
        rfc="RFC 9293 3.10.4: CLOSE queues a FIN (RFC 1122 4.2.2.13 allows the RST)",
        does="closing with unread data sends an RST at once",
        kernel="Linux __tcp_close",
        witness="N07",
    ),
    "urgent-after-fin": Departure(
        rfc="RFC 9293 3.10.7.4 sixth: URG is ignored behind the peer's FIN",
        does="the pointer is taken, and the octet too, in every state that has queues",
        kernel="Linux tcp_urg",
        witness="test_linux_does_what_the_row_says",
    ),
    "urgent-from-header": Departure(
        rfc="RFC 9293 3.8.5: urgent data is in the stream",
        does="with the urgent octet lost, one of the next segment's header is given for it",
        kernel="Linux tcp_urg",
        witness="test_linux_does_what_the_row_says",
    ),
    "user-timeout-ends-probing": Departure(
        rfc="RFC 9293 3.8.6.1 (MUST-37): a window may stay closed while the peer answers probes",
        does="TCP_USER_TIMEOUT ends the connection although every probe is answered",
        kernel="Linux tcp_probe_timer",
        witness="N02",
    ),
}
