"""The stand-in as a WSGI application: faults, the order of checks, the log of calls."""

import json
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from edu_platform.wechat.standin import control, drawing, identity, messages, push, safety
from edu_platform.wechat.standin.calls import Answer, Call, Endpoint, Picture
from edu_platform.wechat.standin.state import Fault, Refusal, State, request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = "/__stub/"
BODY_LIMIT = 1_000_000

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.path: endpoint
    for family in (identity, drawing, safety, messages)
    for endpoint in family.ENDPOINTS
}


class StandIn:
    """A WSGI application that answers like WeChat for one app (and others added to its state)."""

    def __init__(
        self, appid: str, secret: str, *, data: Path | None = None, pages: Iterable[str] = ()
    ) -> None:
        self.state = State(appid, secret, data)
        self.state.pages.update(pages)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = BODY_LIMIT
        mine = request.path.startswith(PREFIX)
        response = self._steer(request) if mine else self._answer(request)
        return response(environ, start_response)

    # --- steering -------------------------------------------------------------------------

    def _steer(self, request: Request) -> Response:
        key = (request.method, request.path.removeprefix(PREFIX))
        try:
            wish: Any = request.args.to_dict()
            if request.method == "POST":
                wish = control.object_of(request.get_data())
            if key in control.OUTSIDE_LOCK:
                return _json(control.OUTSIDE_LOCK[key](self.state, wish))
            if key not in control.ROUTES:
                return _json({"error": "no such route; GET /__stub/ lists them"}, status=404)
            with self.state.lock:
                return _json(control.ROUTES[key](self.state, wish))
        except (control.BadWish, ValueError, TypeError) as error:
            return _json({"error": str(error)}, status=400)

    # --- answering ------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        body = request.get_data()
        with self.state.lock:
            fault = self.state.take_fault(request.path)
            entry = self._log(request, body, fault)
        if fault is not None and fault.errcode is not None:
            response = _refusal(Refusal(fault.errcode, fault.errmsg))
        elif fault is not None and not fault.process:
            response = Response("", content_type="text/plain")
        else:
            return self._process(request, body, entry, fault)
        entry["status"], entry["errcode"] = response.status_code, fault.errcode
        return _spoil(response, fault, request)

    def _process(self, request: Request, body: bytes, entry: dict[str, Any], fault: Fault | None) -> Response:
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None:
            return Response("404 Not Found", status=404, content_type="text/html")
        call = Call(self.state, request.path, request.args.to_dict(), {}, request.remote_addr or "")
        try:
            with self.state.lock:
                response, entry["errcode"] = self._decide(endpoint, call, request.method, body)
            entry["status"] = response.status_code
            return response if fault is None else _spoil(response, fault, request)
        finally:
            with self.state.lock:
                for step in call.afterwards:
                    step()
            if request.path == "/wxa/media_check_async":
                threading.Thread(target=push.deliver_due, args=(self.state,), daemon=True).start()

    def _decide(
        self, endpoint: Endpoint, call: Call, method: str, body: bytes
    ) -> tuple[Response, int | None]:
        """Go through WeChat's checks in their order and return the answer with its errcode."""
        try:
            _check_method(endpoint, method)
            if endpoint.token:
                call.appid = self._check_token(call, body)
            if endpoint.method == "POST":
                call.body = _body(endpoint, body)
            return _respond(endpoint.answer(call)), 0
        except Refusal as refusal:
            return _refusal(refusal), refusal.errcode
        except safety.Violation as violation:
            self.state.violations.append(str(violation))
            loud = Response(f"stand-in: {violation}", status=500, content_type="text/plain")
            return loud, None

    def _check_token(self, call: Call, body: bytes) -> str:
        value = call.query.get("access_token", "")
        if not value:
            if b'"access_token"' in body:
                raise Refusal(47001, "data format error")
            raise Refusal(41001, "access_token missing")
        token = self.state.tokens.get(value)
        if token is None:
            raise Refusal(40014, "invalid access_token")
        if self.state.clock.now() >= token.expires_at:
            raise Refusal(42001, "access_token expired")
        if token.refused:
            raise Refusal(40001, "invalid credential, access_token is invalid or not latest")
        return token.appid

    def _log(self, request: Request, body: bytes, fault: Fault | None) -> dict[str, Any]:
        query = _masked(request.args.to_dict())
        try:
            content = json.loads(body) if body else None
        except ValueError:
            content = None
        if isinstance(content, dict):
            content = _masked(content)
        entry: dict[str, Any] = {
            "at": self.state.clock.now(),
            "method": request.method,
            "path": request.path,
            "query": query,
            "body": content,
            "raw": body.decode("utf-8", "replace") if content is None else None,
            "fault": fault is not None,
            "status": None,
            "errcode": None,
        }
        self.state.calls.append(entry)
        return entry


def _masked(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: "***" if name == "secret" else value for name, value in fields.items()}


def _check_method(endpoint: Endpoint, method: str) -> None:
    if method != endpoint.method:
        code = 43001 if endpoint.method == "GET" else 43002
        raise Refusal(code, f"require {endpoint.method} method")


def _body(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    if not body:
        raise Refusal(44002, "empty post data")
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal(*endpoint.not_json)
    return content


def _respond(answer: Answer) -> Response:
    if isinstance(answer, Picture):
        return Response(answer.content, content_type=answer.content_type, headers=dict(answer.headers))
    return _json(answer)


def _refusal(refusal: Refusal) -> Response:
    return _json({"errcode": refusal.errcode, "errmsg": f"{refusal.errmsg}, rid: {request_id()}"})


def _json(content: object, *, status: int = 200) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False),
        status=status,
        content_type="application/json; encoding=utf-8",
    )


def _spoil(response: Response, fault: Fault, request: Request) -> Response:
    """Do to an answer what the fault says."""
    if fault.delay:
        time.sleep(fault.delay)
    if fault.html:
        response = Response(
            "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
            status=fault.status or 200,
            content_type="text/html",
        )
    elif fault.status:
        response.status_code = fault.status
    unprocessed = fault.errcode is None and not fault.process
    if fault.drop or (unprocessed and not fault.html and not fault.status and not fault.truncate):
        # The answer below then goes to a closed socket.
        connection = request.environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
    if fault.truncate:
        whole = response.get_data() or b'{"errcode":0}'
        response.set_data(whole[: len(whole) // 2])
        response.headers["Content-Length"] = str(len(whole))
    return response
