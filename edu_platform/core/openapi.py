"""What the description of the API says of refusals: every operation names those it can give, as problem details.

Worked out from the operation itself, so that no room writes it: who must sign in can be told 401 and 403,
a path that names something 404, a body 400, 413, 415 and 422, a change 409 and, on a full disk, 507; limits and haste meet everybody.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apispec import APISpec, BasePlugin

from edu_platform.core.schemas import Problem

_WAIT = {"Retry-After": {"description": "几秒后可重试", "required": True, "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_REFUSALS: dict[HTTPStatus, tuple[str, dict[str, Any]]] = {
    HTTPStatus.BAD_REQUEST: ("请求体无法读取", {}),
    HTTPStatus.UNAUTHORIZED: ("没有登录，或登录已失效", _CHALLENGE),
    HTTPStatus.FORBIDDEN: ("没有权限", {}),
    HTTPStatus.NOT_FOUND: ("没有找到", {}),
    HTTPStatus.CONFLICT: ("当前状态不允许；code 为 in_progress 时带 Retry-After", {}),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("请求体过大", {}),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("请求体的类型或编码不支持", {}),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("内容有误，errors 指明字段和原因", {}),
    HTTPStatus.TOO_MANY_REQUESTS: ("请求过于频繁", _WAIT),
    HTTPStatus.SERVICE_UNAVAILABLE: ("暂时繁忙，没有保存", _WAIT),
    HTTPStatus.INSUFFICIENT_STORAGE: ("服务器存储空间不足，没有保存", _WAIT),
}


def _problem(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": description,
        "content": {"application/problem+json": {"schema": Problem}},
    }
    return {**told, "headers": headers} if headers else told


def register_refusals(spec: APISpec, default: str) -> None:
    """Register every refusal as a response component by its `HTTPStatus` name, and `default` for any other."""
    for status, (description, headers) in _REFUSALS.items():
        spec.components.response(status.name, _problem(description, headers), lazy=True)
    spec.components.response(default, _problem("其他错误", {}), lazy=True)


class Refusals(BasePlugin):
    """Adds to every operation the refusals that it can give."""

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Complete the operations of one path."""
        del kwargs
        for method, operation in (operations or {}).items():
            responses = operation.setdefault("responses", {})
            for status in _possible(method, path or "", operation):
                responses.setdefault(status.value, status.name)


def _possible(method: str, path: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    found = [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE]
    needs_token = {} not in operation.get("security", [{}])
    if needs_token:
        found.append(HTTPStatus.FORBIDDEN)
    if needs_token or method != "get":  # what everybody may send is a sign-in: its body can be refused so
        found.append(HTTPStatus.UNAUTHORIZED)
    if "{" in path:
        found.append(HTTPStatus.NOT_FOUND)
    if method != "get":
        found += [HTTPStatus.CONFLICT, HTTPStatus.INSUFFICIENT_STORAGE]
    if "requestBody" in operation:
        found += [
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ]
    return found
