from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.core.errors import Invalid
from edu_platform.core.paging import decode_cursor, encode_cursor


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=50).filter(lambda t: t.isprintable()))
def test_a_cursor_comes_back_as_it_went(number, text):
    moment = datetime(2026, 3, 15, 8, tzinfo=UTC)
    assert decode_cursor(encode_cursor(number, text, moment), int, str, datetime) == [number, text, moment]


@pytest.mark.parametrize(
    "cursor", ["", "x", "中文", "bm9uZQ", "W10", "WyJhIl0", "WzFd=", "e30", encode_cursor(10**18 * 9, "x")]
)
def test_a_forged_cursor_is_refused_by_name(cursor):
    with pytest.raises(Invalid) as refused:
        decode_cursor(cursor, str, int)
    assert refused.value.errors[0].field == "cursor"


def test_true_is_no_number():
    with pytest.raises(Invalid):
        decode_cursor("W3RydWVd", int)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "2026-03-15T08:00:00"]
)
def test_a_moment_that_no_database_can_compare_is_refused(moment):
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(moment, 1), datetime, int)


def test_nul_is_no_text():
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor("a\0b"), str)
