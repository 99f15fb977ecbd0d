"""Subscribe messages and their templates."""

import re
import unicodedata
from typing import Any

from edu_platform.wechat.standin.calls import Answer, Call, Endpoint
from edu_platform.wechat.standin.state import PUBLIC_TEMPLATES, Refusal, Template, letters

OK = {"errcode": 0, "errmsg": "ok"}

_HOUR = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"


def _day(group: str) -> str:
    """Return the pattern of a day; `group` names the separator, which must be the same twice."""
    return rf"\d{{4}}(?:年\d{{1,2}}月\d{{1,2}}日|(?P<{group}>[-/.])\d{{1,2}}(?P={group})\d{{1,2}})"


def _one_or_range(first: str, second: str) -> str:
    return f"{first}(?: ?~ ?{second})?"


PATTERNS = {
    "thing": r".{1,20}",
    "number": r"(?=(?:\D*\d){1,32}\D*$)-?\d+(?:\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": r"[^\w\s]{1,5}",
    "character_string": r"[\x21-\x7e ]{1,32}",
    "time": _one_or_range(*(f"(?:{_day(name)} ?)?{_HOUR}" for name in "ab")),
    "date": _one_or_range(*(f"{_day(name)}(?: ?{_HOUR})?" for name in "ab")),
    "amount": r"[¥￥$€£]?\d{1,10}(?:\.\d+)?元?",
    "phone_number": r"[0-9+\-() ]{1,17}",
    "car_number": r"(?=.{1,8}$)[一-鿿]?[A-Za-z0-9·]+[一-鿿]?",
    "name": r"(?=.*[一-鿿]).{1,10}|[A-Za-z\W]{1,20}",
    "phrase": r"[一-鿿]{1,5}",
}
"""What a value may be, by the type its key begins with; used with fullmatch."""


def value_is_good(kind: str, value: object, allowed: list[str]) -> bool:
    """Tell whether WeChat takes `value` for a key of this type."""
    if not isinstance(value, str) or not value.strip():
        return False
    if any(unicodedata.category(character) == "Cc" for character in value):
        return False
    if kind == "enum":
        return value in allowed
    return re.fullmatch(PATTERNS[kind], value) is not None


def subscribe_send(call: Call) -> Answer:
    """Deliver a message against one acceptance of its template."""
    state = call.state
    openid = call.text("touser", 40003, "invalid openid")
    template = state.templates.get(call.text("template_id", 40037, "invalid template_id"))
    data = call.body.get("data")
    if not isinstance(data, dict):
        raise Refusal(47003, "argument invalid! data invalid")
    if openid not in state.users:
        raise Refusal(40003, "invalid openid")
    if template is None:
        raise Refusal(40037, "invalid template_id")
    page = call.body.get("page", "")
    if page and str(page).partition("?")[0] not in state.pages:
        raise Refusal(41030, "invalid page")
    # A key that the template lacks is refused too: what WeChat does with it is not known.
    for key in [*template.fields, *(key for key in data if key not in template.fields)]:
        entry: Any = data.get(key)
        value = entry.get("value") if isinstance(entry, dict) else None
        kind = template.fields.get(key, "")
        if not kind or not value_is_good(kind, value, template.enums.get(key, [])):
            raise Refusal(47003, f"argument invalid! data.{key}.value invalid")
    if openid in state.sending:
        raise Refusal(43108, "concurrent sends to the same user")
    if state.accepts.get((openid, template.id), 0) < 1:
        raise Refusal(43101, "user refuse to accept the msg")
    call.spend()
    state.sending.add(openid)
    call.afterwards.append(lambda: state.sending.discard(openid))
    state.accepts[openid, template.id] -= 1
    state.save()
    return OK | {"msgid": state.next_msgid()}


def gettemplate(call: Call) -> Answer:
    """List the app's templates."""
    return OK | {
        "data": [
            {
                "priTmplId": template.id,
                "title": template.title,
                "content": "\n".join(f"{key}:{{{{{key}.DATA}}}}" for key in template.fields),
                "example": "",
                "type": template.kind,
                "keywordEnumValueList": [
                    {"keywordCode": f"{key}.DATA", "enumValueList": values}
                    for key, values in template.enums.items()
                ],
            }
            for template in call.state.templates.values()
        ]
    }


def addtemplate(call: Call) -> Answer:
    """Take a public template into the app, with some of its keywords."""
    tid, chosen = str(call.body.get("tid", "")), call.body.get("kidList")
    if tid not in PUBLIC_TEMPLATES or not isinstance(chosen, list) or not chosen:
        raise Refusal(40037, "invalid template_id")
    title, keywords = PUBLIC_TEMPLATES[tid]
    kinds = {kid: kind for kid, _, kind in keywords}
    if any(kid not in kinds for kid in chosen):
        raise Refusal(47003, "argument invalid! kidList invalid")
    template = Template(letters(43), {f"{kinds[kid]}{kid}": kinds[kid] for kid in chosen}, title=title)
    call.state.templates[template.id] = template
    return OK | {"priTmplId": template.id}


def deltemplate(call: Call) -> Answer:
    """Take a template out of the app."""
    if call.state.templates.pop(str(call.body.get("priTmplId", "")), None) is None:
        raise Refusal(40037, "invalid template_id")
    return OK


def getcategory(call: Call) -> Answer:  # noqa: ARG001 - every endpoint takes the call
    """List the app's categories."""
    return OK | {"data": [{"id": 616, "name": "教育信息服务"}]}


def getpubtemplatekeywords(call: Call) -> Answer:
    """List the keywords of a public template."""
    _, keywords = PUBLIC_TEMPLATES.get(call.query.get("tid", ""), ("", []))
    return OK | {
        "count": len(keywords),
        "data": [{"kid": kid, "name": name, "example": "", "rule": kind} for kid, name, kind in keywords],
    }


def getpubtemplatetitles(call: Call) -> Answer:  # noqa: ARG001 - every endpoint takes the call
    """List the public templates."""
    return OK | {
        "count": len(PUBLIC_TEMPLATES),
        "data": [
            {"tid": int(tid), "title": title, "type": 2, "categoryId": "616"}
            for tid, (title, _) in PUBLIC_TEMPLATES.items()
        ],
    }


ENDPOINTS = (
    Endpoint("POST", "/cgi-bin/message/subscribe/send", subscribe_send),
    Endpoint("GET", "/wxaapi/newtmpl/gettemplate", gettemplate),
    Endpoint("POST", "/wxaapi/newtmpl/addtemplate", addtemplate),
    Endpoint("POST", "/wxaapi/newtmpl/deltemplate", deltemplate),
    Endpoint("GET", "/wxaapi/newtmpl/getcategory", getcategory),
    Endpoint("GET", "/wxaapi/newtmpl/getpubtemplatekeywords", getpubtemplatekeywords),
    Endpoint("GET", "/wxaapi/newtmpl/getpubtemplatetitles", getpubtemplatetitles),
)
