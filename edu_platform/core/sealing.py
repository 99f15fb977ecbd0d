"""Sealing of personal data: AES-256-GCM under rotating keys, and keyed hashes to look things up by.

A sealed value is `key id (4 bytes) + nonce (12) + ciphertext and tag`; the first key of the ring seals,
every key opens. Each learner has a key of their own, itself sealed by the ring: destroying it makes
everything sealed under it unreadable everywhere, backups included.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_ID, _NONCE = 4, 12


class CannotOpen(Exception):
    """The value was sealed under a key that is gone, or was changed."""


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), b"edu:" + purpose.encode(), hashlib.sha256).digest()


def seal_with(key: bytes, plain: bytes, *, context: bytes) -> bytes:
    """Seal `plain` under a 32-byte key; `context` must be the same when it is opened."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def open_with(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Open what `seal_with` sealed; raise `CannotOpen`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
    except (InvalidTag, ValueError) as wrong:
        raise CannotOpen("wrong key or changed value") from wrong


class KeyRing:
    """The installation's sealing keys, newest first."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("a key ring needs at least one key")
        self._sealing = {self._name(s): _derive(s, "sealing") for s in secrets}
        self._lookup = [_derive(s, "lookup") for s in secrets]
        self._newest = self._name(secrets[0])

    @staticmethod
    def _name(secret: str) -> bytes:
        return _derive(secret, "name")[:_ID]

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._lookup)}>"

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        """Seal under the newest key."""
        return self._newest + seal_with(self._sealing[self._newest], plain, context=context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open with whichever key sealed it; raise `CannotOpen`."""
        key = self._sealing.get(sealed[:_ID])
        if key is None:
            raise CannotOpen("sealed under a key that is not in the ring")
        return open_with(key, sealed[_ID:], context=context)

    def is_current(self, sealed: bytes) -> bool:
        """Say whether the newest key sealed it (otherwise it wants sealing again)."""
        return sealed[:_ID] == self._newest

    def lookup(self, value: str, *, purpose: str) -> bytes:
        """Return the keyed hash (32 bytes) under the newest key, to store and to search by."""
        return self.lookups(value, purpose=purpose)[0]

    def lookups(self, value: str, *, purpose: str) -> list[bytes]:
        """Return the keyed hash under every key, newest first: search by all of them while keys rotate."""
        message = purpose.encode() + b"\0" + value.encode()
        return [hmac.new(key, message, hashlib.sha256).digest() for key in self._lookup]

    def new_person_key(self, *, context: bytes) -> bytes:
        """Return a fresh 32-byte key, sealed, to keep with the person's row."""
        return self.seal(os.urandom(32), context=context)
