"""Signatures and ciphers of WeChat's message push and of user data.

Push: SHA-1 over sorted strings; AES-256-CBC with the padding block of 32. User data: SHA-1 over raw
data and session key; AES-128-CBC with block 16. Signatures are compared in constant time.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from edu_platform.wechat.errors import BadCiphertext, BadSignature, InvalidArgument

WATERMARK_AGE = 300.0
"""Seconds after which user data counts as old."""

PUSH_BLOCK = 32
USER_BLOCK = 16


def push_signature(token: str, timestamp: str, nonce: str, encrypt: str = "") -> str:
    """Return `signature`, or with `encrypt` given `msg_signature`, as lower-case hex."""
    parts = sorted([token, timestamp, nonce, *([encrypt] if encrypt else [])])
    return hashlib.sha1("".join(parts).encode(), usedforsecurity=False).hexdigest()


def verify_push(signature: str, *, token: str, timestamp: str, nonce: str, encrypt: str = "") -> None:
    """Raise BadSignature unless WeChat signed this; pass `encrypt` and `msg_signature` in AES mode."""
    _same(signature, push_signature(token, timestamp, nonce, encrypt))


def session_signature(session_key: str, message: bytes = b"") -> str:
    """Return the HMAC-SHA256 that `checksession` wants, keyed by the key string as given."""
    return hmac.new(session_key.encode(), message, hashlib.sha256).hexdigest()


def verify_raw_data(raw_data: str, signature: str, session_key: str) -> None:
    """Raise BadSignature unless `raw_data`, exactly as received, was signed with this key."""
    digest = hashlib.sha1((raw_data + session_key).encode(), usedforsecurity=False)
    _same(signature, digest.hexdigest())


def decrypt_user_data(
    encrypted: str,
    iv: str,
    session_key: str,
    *,
    appid: str,
    now: float | None = None,
    max_age: float | None = WATERMARK_AGE,
) -> dict[str, Any]:
    """Open `encryptedData` and return its JSON object.

    Raise BadCiphertext if it does not open with this key, if its watermark names another app, or if
    the watermark is further than `max_age` seconds from `now` (epoch; None for either: the real
    clock, no limit).
    """
    key, vector = _decoded(session_key, 16), _decoded(iv, 16)
    plain = _opened(_decoded(encrypted), key, vector, USER_BLOCK)
    try:
        data = json.loads(plain)
        watermark = data["watermark"]
        owner, stamped = watermark["appid"], float(watermark["timestamp"])
    except (ValueError, TypeError, KeyError):
        raise BadCiphertext("no JSON with a watermark inside") from None
    if owner != appid:
        raise BadCiphertext("the watermark names another app")
    if max_age is not None and abs((time.time() if now is None else now) - stamped) > max_age:
        raise BadCiphertext("the watermark is old")
    assert isinstance(data, dict)
    return data


@dataclass(frozen=True, slots=True)
class SealedReply:
    """An encrypted answer to a push; the names on the wire are WeChat's."""

    encrypt: str
    signature: str
    timestamp: str
    nonce: str

    def as_json(self) -> dict[str, str]:
        """Return the object to send as JSON."""
        return {
            "Encrypt": self.encrypt,
            "MsgSignature": self.signature,
            "TimeStamp": self.timestamp,
            "Nonce": self.nonce,
        }


class PushCipher:
    """Opens and seals messages of the push in AES mode."""

    def __init__(self, encoding_aes_key: str, appid: str, token: str) -> None:
        """Take the 43-character EncodingAESKey; raise InvalidArgument if it is none."""
        try:
            key = base64.b64decode(encoding_aes_key + "=", validate=True)
        except ValueError:
            key = b""
        if len(encoding_aes_key) != 43 or len(key) != 32:
            raise InvalidArgument("encoding_aes_key", "EncodingAESKey 应为 43 位字母和数字")
        self._key = key
        self._appid = appid
        self._token = token

    def open(self, body: Mapping[str, Any], query: Mapping[str, str]) -> bytes:
        """Check `msg_signature` of a pushed body and return the message in it.

        Raise BadSignature or BadCiphertext; nothing is decrypted before the signature holds.
        """
        encrypt = body.get("Encrypt")
        if not isinstance(encrypt, str) or not encrypt:
            raise BadCiphertext("no Encrypt")
        verify_push(
            query.get("msg_signature", ""),
            token=self._token,
            timestamp=query.get("timestamp", ""),
            nonce=query.get("nonce", ""),
            encrypt=encrypt,
        )
        return self.decrypt(encrypt)

    def decrypt(self, encrypt: str) -> bytes:
        """Return the message in `Encrypt`; raise BadCiphertext if it is not for this app."""
        plain = _opened(_decoded(encrypt), self._key, self._key[:16], PUSH_BLOCK)
        if len(plain) < 20:
            raise BadCiphertext("too short")
        (size,) = struct.unpack(">I", plain[16:20])
        message, owner = plain[20 : 20 + size], plain[20 + size :]
        if len(message) != size or owner != self._appid.encode():
            raise BadCiphertext("meant for another app")
        return message

    def encrypt(self, message: bytes, *, random16: bytes | None = None) -> str:
        """Return `Encrypt` for a message; `random16` is for test vectors only."""
        salt = os.urandom(16) if random16 is None else random16
        plain = salt + struct.pack(">I", len(message)) + message + self._appid.encode()
        pad = PUSH_BLOCK - len(plain) % PUSH_BLOCK
        sealer = Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16])).encryptor()
        sealed = sealer.update(plain + bytes([pad]) * pad) + sealer.finalize()
        return base64.b64encode(sealed).decode()

    def seal(
        self, message: bytes, *, timestamp: str, nonce: str, random16: bytes | None = None
    ) -> SealedReply:
        """Encrypt and sign an answer."""
        encrypt = self.encrypt(message, random16=random16)
        signature = push_signature(self._token, timestamp, nonce, encrypt)
        return SealedReply(encrypt, signature, timestamp, nonce)


def _same(given: str, expected: str) -> None:
    # As bytes: compare_digest refuses text outside ASCII, and the given one is anybody's.
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise BadSignature("signature does not match")


def _decoded(text: str, size: int | None = None) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise BadCiphertext("not base64") from None
    if size is not None and len(data) != size:
        raise BadCiphertext("wrong length")
    return data


def _opened(sealed: bytes, key: bytes, vector: bytes, block: int) -> bytes:
    if not sealed or len(sealed) % 16:
        raise BadCiphertext("wrong length")
    opener = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = opener.update(sealed) + opener.finalize()
    pad = plain[-1]
    if not 1 <= pad <= block or pad > len(plain) or plain[-pad:] != bytes([pad]) * pad:
        raise BadCiphertext("bad padding")
    return plain[:-pad]
