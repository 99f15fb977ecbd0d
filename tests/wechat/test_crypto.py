"""Signatures and ciphers against the official vectors, and against tampering."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from edu_platform.wechat import crypto
from edu_platform.wechat.errors import BadCiphertext, BadSignature, InvalidArgument

# --- message push: official vectors -------------------------------------------------
TOKEN = "AAAAA"
ENCODING_AES_KEY = "A" * 43
APPID = "wxba5fad812f8e6fb9"

VERIFY_URL = {
    "timestamp": "1714036504",
    "nonce": "1514711492",
    "echostr": "4375120948345356249",
    "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
}
PLAIN_POST = {
    "timestamp": "1714037059",
    "nonce": "486452656",
    "signature": "899cf89e464efb63f54ddac96b0a0a235f53aa78",
}
SECURE_POST = {
    "timestamp": "1714112445",
    "nonce": "415670741",
    "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    "Encrypt": "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
}
SECURE_POST_RANDOM = b"a8eedb185eb2fecf"
SECURE_POST_MESSAGE = (
    b'{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY",'
    b'"CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)  # 167 bytes
SECURE_REPLY_MESSAGE = b'{"demo_resp":"good luck"}'
SECURE_REPLY_RANDOM = b"707722b803182950"
SECURE_REPLY = {
    "TimeStamp": "1713424427",
    "Nonce": "415670741",
    "Encrypt": "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
    "MsgSignature": "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
}

# --- signed raw data: official vector -----------------------------------------------
RAW_SESSION_KEY = "HyVFkGl5F5OQWJZZaNzBBg=="
RAW_DATA = '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'
RAW_SIGNATURE = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"

# --- encryptedData: Tencent's classic sample ----------------------------------------
USER_APPID = "wx4f4bc4dec97d474b"
USER_SESSION_KEY = "tiihtNczf5v6AKRyjwEUhQ=="
USER_IV = "r7BXXKkLb8qrSNn05n0qiA=="
USER_ENCRYPTED = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
USER_OPENID = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
USER_WATERMARK = {"timestamp": 1477314187, "appid": USER_APPID}

# --- session signature: official key and message; the empty message is what checksession sends
HMAC_SESSION_KEY = "o0q0otL8aEzpcZL/FT9WsQ=="
HMAC_OF_FOO_BAR = "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b"  # msg = {"foo":"bar"}
HMAC_OF_NOTHING = (
    "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"  # msg = "" (computed, not official)
)

CIPHER = crypto.PushCipher(ENCODING_AES_KEY, APPID, TOKEN)
SECURE_QUERY = {name: SECURE_POST[name] for name in ("timestamp", "nonce", "msg_signature")}


@pytest.mark.parametrize("push", [VERIFY_URL, PLAIN_POST], ids=["verify", "plain"])
def test_push_signature(push):
    query = {"token": TOKEN, "timestamp": push["timestamp"], "nonce": push["nonce"]}
    assert crypto.push_signature(**query) == push["signature"]
    crypto.verify_push(push["signature"], **query)
    for name, value in query.items():
        with pytest.raises(BadSignature):
            crypto.verify_push(push["signature"], **query | {name: value + "0"})
    for wrong in ("", push["signature"].upper(), push["signature"][:-1], "中文", "\ud800"):
        with pytest.raises(BadSignature):
            crypto.verify_push(wrong, **query)


def test_a_secure_push_is_opened():
    assert len(SECURE_POST_MESSAGE) == 167
    assert CIPHER.open(
        {"ToUserName": "gh_97417a04a28d", "Encrypt": SECURE_POST["Encrypt"]}, SECURE_QUERY
    ) == (SECURE_POST_MESSAGE)


def test_the_random_part_of_a_push_is_where_we_think():
    assert CIPHER.encrypt(SECURE_POST_MESSAGE, random16=SECURE_POST_RANDOM) == SECURE_POST["Encrypt"]


def test_a_secure_push_needs_msg_signature_not_signature():
    plain = crypto.push_signature(TOKEN, SECURE_POST["timestamp"], SECURE_POST["nonce"])
    with pytest.raises(BadSignature):
        CIPHER.open({"Encrypt": SECURE_POST["Encrypt"]}, SECURE_QUERY | {"msg_signature": plain})
    with pytest.raises(BadSignature):
        CIPHER.open({"Encrypt": SECURE_POST["Encrypt"]}, {"signature": plain})


@pytest.mark.parametrize("body", [{}, {"Encrypt": ""}, {"Encrypt": None}, {"Encrypt": 5}])
def test_a_secure_push_without_content_is_refused(body):
    with pytest.raises(BadCiphertext):
        CIPHER.open(body, SECURE_QUERY)


def test_a_push_for_another_app_is_refused():
    other = crypto.PushCipher(ENCODING_AES_KEY, "wx0000000000000000", TOKEN)
    with pytest.raises(BadCiphertext, match="another app"):
        other.open({"Encrypt": SECURE_POST["Encrypt"]}, SECURE_QUERY)


def test_a_reply_is_sealed():
    sealed = CIPHER.seal(
        SECURE_REPLY_MESSAGE,
        timestamp=SECURE_REPLY["TimeStamp"],
        nonce=SECURE_REPLY["Nonce"],
        random16=SECURE_REPLY_RANDOM,
    )
    assert sealed.as_json() == SECURE_REPLY


def test_sealing_twice_differs():
    assert CIPHER.encrypt(b"same") != CIPHER.encrypt(b"same")


@settings(deadline=None, database=None)
@given(st.binary(max_size=300))
def test_what_is_sealed_opens(message):
    sealed = CIPHER.seal(message, timestamp="1", nonce="2")
    query = {"timestamp": "1", "nonce": "2", "msg_signature": sealed.signature}
    assert CIPHER.open(sealed.as_json(), query) == message


@settings(deadline=None, database=None)
@given(st.binary(max_size=200))
def test_rubbish_never_opens_and_never_crashes(rubbish):
    with pytest.raises(BadCiphertext):
        CIPHER.decrypt(base64.b64encode(rubbish).decode())


@pytest.mark.parametrize("text", ["", "*", "中文", "QUJD", SECURE_POST["Encrypt"][:-4]])
def test_broken_ciphertext_is_refused(text):
    with pytest.raises(BadCiphertext):
        CIPHER.decrypt(text)


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "*" * 43, "中" * 43], ids=range(5))
def test_a_wrong_encoding_key_is_refused_at_once(key):
    with pytest.raises(InvalidArgument) as refused:
        crypto.PushCipher(key, APPID, TOKEN)
    assert refused.value.field == "encoding_aes_key"


def test_signed_raw_data():
    crypto.verify_raw_data(RAW_DATA, RAW_SIGNATURE, RAW_SESSION_KEY)
    for changed in (RAW_DATA + " ", RAW_DATA.replace("Band", "Bond")):
        with pytest.raises(BadSignature):
            crypto.verify_raw_data(changed, RAW_SIGNATURE, RAW_SESSION_KEY)


def open_user(**changes):
    given = {"session_key": USER_SESSION_KEY, "appid": USER_APPID, "now": USER_WATERMARK["timestamp"] + 10}
    return crypto.decrypt_user_data(USER_ENCRYPTED, USER_IV, **given | changes)


def test_user_data_is_opened():
    user = open_user()
    assert (user["openId"], user["watermark"]) == (USER_OPENID, USER_WATERMARK)


def test_user_data_of_another_app_or_time_or_key_is_refused():
    with pytest.raises(BadCiphertext, match="another app"):
        open_user(appid=APPID)
    with pytest.raises(BadCiphertext, match="old"):
        open_user(now=USER_WATERMARK["timestamp"] + 301)
    with pytest.raises(BadCiphertext, match="old"):
        open_user(now=None)
    assert open_user(now=None, max_age=None)
    with pytest.raises(BadCiphertext):
        open_user(session_key=RAW_SESSION_KEY)
    with pytest.raises(BadCiphertext, match="length"):
        open_user(session_key="QUJD")


@pytest.mark.parametrize(
    "content", [b"no json", b"[]", b"{}", b'{"watermark": {"appid": "wx"}}', b'{"watermark": 1}']
)
def test_user_data_without_a_watermark_is_refused(content):
    pad = 16 - len(content) % 16
    key, vector = base64.b64decode(USER_SESSION_KEY), base64.b64decode(USER_IV)
    sealer = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    sealed = sealer.update(content + bytes([pad]) * pad) + sealer.finalize()
    with pytest.raises(BadCiphertext, match="watermark"):
        crypto.decrypt_user_data(
            base64.b64encode(sealed).decode(), USER_IV, USER_SESSION_KEY, appid=USER_APPID
        )


def test_session_signature():
    assert crypto.session_signature(
        HMAC_SESSION_KEY, json.dumps({"foo": "bar"}, separators=(",", ":")).encode()
    ) == (HMAC_OF_FOO_BAR)
    assert crypto.session_signature(HMAC_SESSION_KEY) == HMAC_OF_NOTHING
