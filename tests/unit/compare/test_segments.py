"""Numbers of segments count from where their connection began, whichever one of a port's it is."""

import pytest
from tests.unit.atlas.traces import Made

from halfopen.base.units import MS
from halfopen.compare.segments import Readings
from halfopen.record.query import packets
from halfopen.wire.tcp import ACK, RST, SYN


def shapes(made: Made) -> list[tuple[object, object]]:
    readings = Readings()
    seen = [readings.read(packet) for packet in packets(made.done(MS))]
    return [(each.shape["seq"], each.shape["ack"]) for each in seen if each is not None]


@pytest.mark.parametrize("again", [5_000_000, 3_000_000_000])
def test_a_host_that_has_booted_again_uses_its_port_anew(again: int) -> None:
    made = Made()
    made.send(0, "client", SYN, 0)
    made.send(1, "server", SYN | ACK, 0, 1)
    made.send(2, "client", ACK, 1, 1)
    made.send(3, "client", SYN, again)
    made.send(4, "server", ACK, 1, 1)
    made.send(5, "client", RST, 1)
    made.send(6, "client", SYN, again)
    made.send(7, "server", SYN | ACK, again, again + 1)
    assert shapes(made)[3:] == [(0, None), (1, 1), (1, None), (0, None), (0, 1)]


@pytest.mark.parametrize("wrong", [10, 65_539], ids=["wrong", "after TIME-WAIT"])
def test_a_syn_with_a_wrong_number_is_not_taken_for_a_new_beginning(wrong: int) -> None:
    made = Made()
    made.send(0, "client", SYN, 0)
    made.send(1, "client", SYN, wrong)
    assert shapes(made)[1] == (wrong, None)
