"""Laws of 32-bit sequence numbers (RFC 9293 3.4)."""

from hypothesis import given
from hypothesis import strategies as st

from halfopen.wire.seq import WRAP, lt, unwrap, wrap

raw = st.integers(0, WRAP - 1)
plain = st.integers(0, WRAP << 4)
#: Numbers that are compared lie less than half of the space apart.
distance = st.integers(1, (WRAP >> 1) - 1)


@given(plain)
def test_unwrapping_near_itself_gives_it_back(number: int) -> None:
    assert unwrap(wrap(number), number) == number


@given(plain, st.integers(-(WRAP >> 1), (WRAP >> 1) - 1))
def test_unwrapping_finds_the_number_in_the_half_around(near: int, offset: int) -> None:
    assert unwrap(wrap(near + offset), near) == near + offset


@given(raw, plain)
def test_unwrapping_keeps_the_bits_and_stays_near(number: int, near: int) -> None:
    found = unwrap(number, near)
    assert wrap(found) == number
    assert -(WRAP >> 1) <= found - near < WRAP >> 1


@given(raw, distance)
def test_what_lies_ahead_comes_later_also_across_the_wrap(number: int, ahead: int) -> None:
    later = wrap(number + ahead)
    assert lt(number, later)
    assert not lt(later, number)


@given(raw)
def test_a_number_is_not_less_than_itself(number: int) -> None:
    assert not lt(number, number)


@given(raw, raw)
def test_of_two_numbers_one_comes_first(one: int, other: int) -> None:
    if (one - other) % WRAP not in {0, WRAP >> 1}:  # half of the space apart, neither does
        assert lt(one, other) != lt(other, one)


@given(raw, distance, distance)
def test_order_is_transitive_within_half_of_the_space(one: int, near: int, far: int) -> None:
    if near + far < WRAP >> 1:
        assert lt(one, wrap(one + near))
        assert lt(wrap(one + near), wrap(one + near + far))
        assert lt(one, wrap(one + near + far))
