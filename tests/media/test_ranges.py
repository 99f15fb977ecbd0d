"""Byte ranges, case by case from RFC 9110 §14."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.media.ranges import MOST_RANGES, Span, Unsatisfiable, matches, range_holds, spans_of

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-", [(500, 999)]),
        ("bytes=-300", [(700, 999)]),
        ("bytes=-5000", [(0, 999)]),
        ("bytes=0-99999999999999999999999999999", [(0, 999)]),
        ("BYTES=1-2", [(1, 2)]),
        ("bytes= 0-0 ,\t-1", [(0, 0), (999, 999)]),
        ("bytes=,0-0,,", [(0, 0)]),
        ("bytes=0-0,2000-3000", [(0, 0)]),
        ("bytes=999-999", [(999, 999)]),
        (None, None),
        ("lines=0-4", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=,", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-2", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=٣-٤", None),
        ("bytes=1-2;q=1", None),
        ("bytes=0-1,bytes=2-3", None),
        ("bytes=" + ",".join(["0-0"] * (MOST_RANGES + 1)), None),
        ("bytes=0-,0-,0-,0-", None),
    ],
)
def test_what_a_header_asks_for(header, expected):
    spans = spans_of(header, 1000)
    assert (spans and [(s.first, s.last) for s in spans]) == expected


@pytest.mark.parametrize(
    "header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=5000-,-0", f"bytes={'9' * 5000}-"]
)
def test_what_lies_outside_is_unsatisfiable(header):
    with pytest.raises(Unsatisfiable):
        spans_of(header, 1000)


def test_an_empty_file_has_no_range():
    with pytest.raises(Unsatisfiable):
        spans_of("bytes=-1", 0)


@given(size=st.integers(1, 5000), first=st.integers(0, 6000), last=st.one_of(st.none(), st.integers(0, 6000)))
def test_a_span_equals_the_slice(size, first, last):
    data = bytes(i % 251 for i in range(size))
    header = f"bytes={first}-{'' if last is None else last}"
    try:
        spans = spans_of(header, size)
    except Unsatisfiable:
        assert first >= size
        return
    if spans is None:
        assert last is not None and last < first
        return
    assert [data[s.first : s.last + 1] for s in spans] == [data[first : None if last is None else last + 1]]
    assert sum(s.length for s in spans) == len(data[first : None if last is None else last + 1])


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        (None, True),
        (ETAG, True),
        ('W/"abc"', False),
        ('"x"', False),
        ("Wed, 21 Oct 2015 07:28:00 GMT", False),
        ("abc", False),
    ],
)
def test_if_range_wants_a_strong_match(header, holds):
    assert range_holds(header, ETAG) is holds


def test_if_none_match_compares_weakly_and_if_match_strongly():
    assert matches('"x", W/"abc"', ETAG, weak=True)
    assert not matches('W/"abc"', ETAG, weak=False)
    assert matches("*", ETAG, weak=False)
    assert not matches('"ab', ETAG, weak=True)


def test_a_span_counts_both_ends():
    assert Span(3, 3).length == 1
