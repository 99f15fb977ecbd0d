"""The public folder follows the table: through rollbacks, and after crashes by itself."""

import time

import pytest
from sqlalchemy import delete

from edu_platform.core.db import db, writing
from edu_platform.media import operations
from edu_platform.media.models import FileKind, PublicLink
from edu_platform.media.operations import hide_files, keep, key_of, mend_public, show_files
from edu_platform.media.storage import store_of

pytestmark = pytest.mark.database


@pytest.fixture
def store(context, settings):
    return store_of(settings)


@pytest.fixture
def file(store):
    with writing() as session:
        return keep(session, store, b"film", kind=FileKind.FILM, media_type="video/mp4")


class Broken(Exception):
    """Something went wrong after the files were touched."""


def show(store, file, *, fail=False):
    with writing() as session:
        show_files(session, store, holder="piece:1", digests=[file.digest])
        if fail:
            raise Broken


def hide(store, file, *, fail=False):
    with writing() as session:
        hide_files(session, store, holder="piece:1", digests=[file.digest])
        if fail:
            raise Broken


def test_what_was_shown_in_vain_is_not_public(store, file):
    with pytest.raises(Broken):
        show(store, file, fail=True)
    assert store.published() == {}
    show(store, file)
    assert list(store.published()) == [key_of(file)]


def test_what_was_hidden_in_vain_stays_public(store, file):
    show(store, file)
    with pytest.raises(Broken):
        hide(store, file, fail=True)
    assert list(store.published()) == [key_of(file)]
    hide(store, file)
    assert store.published() == {}


@pytest.mark.control
def test_without_taking_back_it_would_not_follow(store, file, monkeypatch):
    """The control."""
    monkeypatch.setattr(operations, "_remember", lambda *_: None)
    with pytest.raises(Broken):
        show(store, file, fail=True)
    assert list(store.published()) == [key_of(file)]


def test_a_file_that_was_never_kept_is_not_public_either(store):
    with pytest.raises(Broken), writing() as session:
        file = keep(session, store, b"another", kind=FileKind.FILM, media_type="video/mp4")
        show_files(session, store, holder="piece:1", digests=[file.digest])
        raise Broken
    assert store.published() == {}


def mend(store, **options):
    with writing() as session:
        return mend_public(session, store, at=time.time(), **options)


def test_after_a_crash_it_is_mended(store, file):
    show(store, file)
    assert mend(store, older_than=0) == []
    store.unpublish(key_of(file))  # as if the process had ended before the link was made
    assert mend(store) == [key_of(file)]
    assert list(store.published()) == [key_of(file)]
    with writing() as session:
        session.execute(delete(PublicLink))
    assert mend(store) == [], "it may belong to a transaction that is not over"
    assert mend(store, older_than=0) == [key_of(file)]
    assert store.published() == {}
    db.session.remove()


def test_bytes_that_are_lost_do_not_stop_the_mending(store, file):
    show(store, file)
    store.delete(key_of(file))
    assert mend(store) == []
