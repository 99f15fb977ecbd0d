"""Every error as problem details (RFC 9457), with its headers: one table for the whole house."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from marshmallow import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, RequestEntityTooLarge

from edu_platform.core.errors import DomainError, FieldError, Invalid, NotNow
from edu_platform.core.troubles import code_of, refusal_of
from edu_platform.core.web import field_errors

MOST_ERRORS = 20
MOST_CHARACTERS = 500
"""Of a field's name or a reason: either may quote the input."""
_TITLES = {
    400: "请求有误", 401: "请先登录", 403: "没有权限", 404: "没有找到", 405: "不支持的方法", 406: "无法提供所需格式",
    408: "请求超时", 409: "状态冲突", 410: "已不存在", 411: "缺少长度", 412: "条件不符", 413: "内容过大", 414: "地址过长",
    415: "类型不支持", 416: "范围无效", 417: "无法满足期望", 422: "内容有误", 428: "需要条件", 429: "请求过于频繁",
    431: "请求头过大", 500: "服务出错", 501: "尚未支持", 503: "服务繁忙", 507: "空间不足",
}  # fmt: skip
_CODES = {
    400: "bad_request", 401: "unauthenticated", 403: "not_allowed", 404: "not_found", 405: "method_not_allowed",
    409: "conflict", 413: "too_large", 414: "uri_too_long", 415: "unsupported_media_type", 416: "range_not_satisfiable",
    422: "invalid_input", 429: "too_many_requests", 500: "server_error", 503: "not_now", 507: "no_space",
}  # fmt: skip


def _shown(text: str) -> str:
    """Return text that may quote what was sent, as it can be sent back: valid and not endless."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= MOST_CHARACTERS else whole[: MOST_CHARACTERS - 1] + "…"


def document(
    status: int, *, code: str | None = None, detail: str | None = None, request_id: str = ""
) -> dict[str, Any]:
    """Return the members that every problem has."""
    code = code or _CODES.get(status, f"http_{status}")
    title = _TITLES.get(status, "请求未能完成")
    return {
        "type": f"urn:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail or title + "。",
        "request_id": request_id,
    }


def problem(
    status: int,
    *,
    code: str | None = None,
    detail: str | None = None,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Build a problem-details answer; never cached."""
    body = document(status, code=code, detail=detail, request_id=g.get("request_id", ""))
    if errors:
        body["errors"] = [
            {"field": _shown(e.field), "reason": _shown(e.reason), "code": e.code}
            for e in errors[:MOST_ERRORS]
        ]
        if len(errors) > MOST_ERRORS:
            body["errors_left_out"] = len(errors) - MOST_ERRORS
    response = Response(orjson.dumps(body), status, mimetype="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def handle_errors(app: Flask) -> None:
    """Register the one table from exception to answer."""
    log = structlog.get_logger("errors")

    @app.errorhandler(DomainError)
    def refused(error: DomainError) -> Response:
        headers = {}
        if isinstance(error, NotNow):
            headers["Retry-After"] = str(error.retry_after)
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        errors = error.errors if isinstance(error, Invalid) else None
        return problem(error.status, code=error.code, detail=error.detail, errors=errors, headers=headers)

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        return refused(Invalid(field_errors(error.messages)))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
        if messages is not None:
            # webargs wraps its messages in the location they came from: json, query, form, files
            merged = [found for inner in messages.values() for found in field_errors(inner)]
            return refused(Invalid(merged))
        headers = {
            name: value
            for name, value in error.get_headers()
            if name.lower() not in {"content-type", "content-length"}
        }
        detail = None
        if isinstance(error, MethodNotAllowed):
            detail = f"此地址只接受 {headers.get('Allow', '')}。"
        if isinstance(error, RequestEntityTooLarge):
            detail = f"内容过大，最多 {request.max_content_length or current_app.config['MAX_CONTENT_LENGTH']} 字节。"
        if error.response is not None and 300 <= error.response.status_code < 400:
            return error.response  # type: ignore[return-value]  # a redirect is no error
        return problem(status, detail=detail, headers=headers)

    @app.errorhandler(DBAPIError)
    @app.errorhandler(PoolExhausted)
    @app.errorhandler(OSError)
    def trouble(error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal is None:
            return unexpected(error)
        code = code_of(error) if isinstance(error, DBAPIError) else None
        log.warning("trouble_passing", error=type(error).__name__, code=code)
        return refused(refusal)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        original = error.original_exception if isinstance(error, InternalServerError) else error
        if app.config.get("PROPAGATE_ERRORS"):
            raise error
        # The message may quote what a person sent; the traceback's lines do not.
        frames = []
        trace = original.__traceback__ if original else None
        while trace:
            frames.append(
                f"{trace.tb_frame.f_code.co_filename.rsplit('edu_platform', 1)[-1]}:{trace.tb_lineno}"
            )
            trace = trace.tb_next
        code = code_of(original) if isinstance(original, DBAPIError) else None
        log.error("unexpected", error=type(original).__name__, code=code, where=frames[-8:])
        return problem(500, detail="服务出错，我们已记录。请稍后重试，或提供请求编号反馈。")
