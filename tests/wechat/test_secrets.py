"""No secret gets out: not by repr, not by an error and its traceback, not by a log line."""

from __future__ import annotations

import logging
import pickle
import traceback
from dataclasses import fields

import pytest

from edu_platform.wechat.client import PhoneNumber, Session, WeChatClient
from edu_platform.wechat.errors import WeChatError
from edu_platform.wechat.standin import state as standin_state
from edu_platform.wechat.stores import FileTokenStore, MemoryTokenStore
from edu_platform.wechat.tokens import Token


def test_a_session_shows_no_key():
    session = Session("oABC", "c2VjcmV0LWtleQ==", "u1")
    for shown in (repr(session), str(session), f"{session}", repr([session]), repr({"s": session})):
        assert "c2VjcmV0" not in shown
        assert "oABC" in shown


def test_other_values_show_no_secret():
    assert "139" not in repr(PhoneNumber("13912345678", "86"))
    assert "hush" not in repr(Token("hush", 1, 2))
    client = WeChatClient("http://127.0.0.1:9", "wxa", "hush-hush", tokens=MemoryTokenStore())
    assert "wxa" in repr(client)
    assert "hush" not in repr(client)
    assert "hush" not in repr(client._tokens)
    client.close()


def test_the_stand_in_shows_no_secret_either():
    hidden = {"session_key", "value", "number", "token", "encoding_aes_key"}
    kinds = [kind for kind in vars(standin_state).values() if hasattr(kind, "__dataclass_fields__")]
    found = {each.name: each.repr for kind in kinds for each in fields(kind) if each.name in hidden}
    assert found == dict.fromkeys(hidden, False)


def every_way(stub, client):
    """Make every kind of call, well and badly, and yield the errors."""
    session = client.code_to_session(stub.code(openid="oABC"))
    client.check_session("oABC", session.session_key)
    client.risk_rank("oABC", client_ip="192.0.2.1")
    for fault in ({"errcode": 40029}, {"errcode": -1}, {"drop": True}, {"html": True}, {"status": 500}):
        stub.set("faults", path="*", count=3, **fault)
        for call in (
            lambda: client.code_to_session(stub.code(openid="oABC")),
            lambda: client.check_session("oABC", session.session_key),
            lambda: client.send_subscribe_message("oABC", "T1", {}),
        ):
            try:
                call()
            except WeChatError as error:
                yield error
        stub.set("faults/clear")


def test_no_log_line_and_no_traceback_holds_a_secret(stub, client, caplog):
    caplog.set_level(logging.DEBUG)
    errors = list(every_way(stub, client))
    assert len(errors) >= 8
    user = stub.app.state.users["oABC"]
    secrets = {stub.secret, user.session_key, *stub.app.state.tokens, *stub.app.state.login_codes}
    assert len(secrets) > 4
    logged = "\n".join(record.getMessage() for record in caplog.records) + caplog.text
    assert "jscode2session" in logged  # that the calls are logged at all
    for error in errors:
        logged += str(error) + repr(error) + "".join(traceback.format_exception(error)) + repr(vars(error))
    for secret in secrets:
        assert secret not in logged


def test_an_error_holds_on_to_no_request(stub, client):
    # A cause or context would carry the URL, and with it the secret, to whoever prints it.
    for error in every_way(stub, client):
        chained = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        assert chained is None or isinstance(chained, WeChatError)
        assert stub.secret.encode() not in pickle.dumps(vars(error))


def test_the_stand_ins_own_log_masks_the_app_secret(stub, client):
    list(every_way(stub, client))
    assert stub.secret not in str(stub.get("calls"))
    assert stub.secret not in str(stub.get(""))


def test_session_keys_are_kept_nowhere_by_the_client(stub, make_client, tmp_path):
    client = make_client(tokens=FileTokenStore(tmp_path))
    session = client.code_to_session(stub.code())
    stub.visitor(session.openid)
    client.risk_rank(session.openid, client_ip="192.0.2.1")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert stub.token().encode() in kept
    assert session.session_key.encode() not in kept
    assert stub.secret.encode() not in kept


@pytest.mark.parametrize("secret", ["session_key", "secret", "access_token"])
def test_the_source_logs_nothing_by_itself(secret):
    from pathlib import Path

    import edu_platform.wechat as room

    source = "".join(path.read_text() for path in Path(room.__file__).parent.glob("*.py"))
    assert secret in source
    assert "structlog" not in source
    assert "print(" not in source
