"""What is sealed opens with the right key and place only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.core.sealing import CannotOpen, KeyRing, open_with, seal_with

OLD, NEW = "old-0123456789abcdefghijklmnopqrst", "new-0123456789abcdefghijklmnopqrst"


@given(st.binary(max_size=200))
def test_sealed_opens_again(plain):
    ring = KeyRing([NEW])
    assert ring.open(ring.seal(plain, context=b"here"), context=b"here") == plain


def test_the_same_text_never_looks_the_same():
    ring = KeyRing([NEW])
    assert ring.seal(b"x", context=b"") != ring.seal(b"x", context=b"")


@pytest.mark.parametrize("change", [0, 5, 20, -1])
def test_a_changed_byte_does_not_open(change):
    ring = KeyRing([NEW])
    sealed = bytearray(ring.seal(b"secret", context=b"here"))
    sealed[change] ^= 1
    with pytest.raises(CannotOpen):
        ring.open(bytes(sealed), context=b"here")


def test_another_place_does_not_open():
    ring = KeyRing([NEW])
    with pytest.raises(CannotOpen):
        ring.open(ring.seal(b"secret", context=b"learner:1"), context=b"learner:2")


def test_rotation_opens_the_old_and_seals_with_the_new():
    sealed = KeyRing([OLD]).seal(b"secret", context=b"")
    both = KeyRing([NEW, OLD])
    assert both.open(sealed, context=b"") == b"secret"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal(b"secret", context=b""))
    with pytest.raises(CannotOpen):
        KeyRing([NEW]).open(sealed, context=b"")


def test_lookups_find_what_an_older_key_stored():
    stored = KeyRing([OLD]).lookup("openid", purpose="wechat")
    both = KeyRing([NEW, OLD])
    assert stored in both.lookups("openid", purpose="wechat")
    assert both.lookup("openid", purpose="wechat") != stored
    assert both.lookup("openid", purpose="other") not in both.lookups("openid", purpose="wechat")


def test_a_person_key_that_is_destroyed_opens_nothing():
    ring = KeyRing([NEW])
    sealed_key = ring.new_person_key(context=b"person:1")
    key = ring.open(sealed_key, context=b"person:1")
    sealed = seal_with(key, b"openid", context=b"")
    assert open_with(key, sealed, context=b"") == b"openid"
    other = ring.open(ring.new_person_key(context=b"person:1"), context=b"person:1")
    with pytest.raises(CannotOpen):
        open_with(other, sealed, context=b"")


def test_a_ring_shows_no_key():
    assert NEW not in repr(KeyRing([NEW]))
