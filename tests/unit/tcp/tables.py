"""Every table of cells, for the real kernel."""

from typing import Final

from tests.unit.tcp import (
    test_close_wait,
    test_closed,
    test_closing,
    test_delayed_ack,
    test_established,
    test_fin_wait_1,
    test_fin_wait_2,
    test_icmp,
    test_last_ack,
    test_listen,
    test_receiving,
    test_retransmission,
    test_sending,
    test_syn_received,
    test_syn_sent,
    test_syncookies,
    test_time_wait,
    test_urgent,
)
from tests.unit.tcp.cells import Table

_MODULES: Final = (
    test_closed,
    test_listen,
    test_syn_sent,
    test_syn_received,
    test_established,
    test_fin_wait_1,
    test_fin_wait_2,
    test_close_wait,
    test_closing,
    test_last_ack,
    test_time_wait,
    test_sending,
    test_delayed_ack,
    test_retransmission,
    test_receiving,
    test_urgent,
    test_icmp,
    test_syncookies,
)

TABLES: Final[tuple[Table, ...]] = tuple(table for module in _MODULES for table in module.TABLES)
