"""Mini-program codes and links. The picture is a QR code: WeChat's round code is WeChat's alone."""

import io
import re
import secrets
from typing import Any
from urllib.parse import urlencode

import segno
from PIL import Image

from edu_platform.wechat.standin.calls import Answer, Call, Endpoint, Picture
from edu_platform.wechat.standin.state import LIMITED_CODES, Refusal

OK = {"errcode": 0, "errmsg": "ok"}
SCENE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'()*+,/:;=?@-._~"
ENVIRONMENTS = ("release", "trial", "develop")
DAY = 86_400


def picture(text: str, *, width: int, transparent: bool = False) -> bytes:
    """Draw `text` as a QR code of `width` pixels: JPEG, or PNG with a clear ground."""
    code = segno.make(text, error="m", micro=False)
    drawn = io.BytesIO()
    # Whole pixels a module first, so that the final size does not smear them.
    scale = max(1, width // code.symbol_size()[0])
    code.save(drawn, kind="png", scale=scale, light=None if transparent else "white")
    image = Image.open(drawn).convert("RGBA" if transparent else "RGB")
    image = image.resize((width, width), Image.Resampling.NEAREST)
    out = io.BytesIO()
    if transparent:
        image.save(out, "PNG")
    else:
        image.save(out, "JPEG", quality=90)
    return out.getvalue()


def _drawing(call: Call, kind: str, content: dict[str, Any], headers: dict[str, str]) -> Picture:
    transparent = call.body.get("is_hyaline") is True
    text = f"https://standin.invalid/{kind}?{urlencode({'appid': call.appid, **content})}"
    return Picture(
        picture(text, width=call.body.get("width", 430), transparent=transparent),
        "image/png" if transparent else "image/jpeg",
        headers,
    )


def _check_look(call: Call) -> str:
    width = call.body.get("width", 430)
    if isinstance(width, bool) or not isinstance(width, int) or not 280 <= width <= 1280:
        raise Refusal(40097, "invalid args")
    environment = call.body.get("env_version", "release")
    if environment not in ENVIRONMENTS:
        raise Refusal(40097, "invalid args")
    return str(environment)


def getwxacodeunlimit(call: Call) -> Answer:
    """Draw one of the codes without number."""
    scene = call.body.get("scene")
    if not isinstance(scene, str) or not 1 <= len(scene) <= 32:
        raise Refusal(40169, "invalid length for scene, or the data is not json string")
    if any(character not in SCENE for character in scene):
        raise Refusal(40129, "invalid scene")
    page = call.body.get("page", "")
    if not isinstance(page, str) or page.startswith("/") or "?" in page:
        # Refused for certain; with which code is not known.
        raise Refusal(41030, "invalid page")
    if "scancode_time" in scene:
        raise Refusal(85096, "not allow include scancode_time field")
    environment = _check_look(call)
    if call.body.get("check_path", True) is not False and page and page not in call.state.pages:
        raise Refusal(41030, "invalid page")
    call.spend()
    return _drawing(call, "unlimited", {"scene": scene, "page": page, "env": environment}, {})


def _draw_limited(call: Call, kind: str) -> Answer:
    path = call.body.get("path")
    if not isinstance(path, str) or not 1 <= len(path) <= 1024:
        raise Refusal(40159, "invalid length for path, or the data is not json string")
    if "scancode_time" in path:
        raise Refusal(85096, "not allow include scancode_time field")
    _check_look(call)
    if call.state.codes_drawn >= LIMITED_CODES:
        raise Refusal(45029, "qrcode count out of limit")
    call.spend()
    call.state.codes_drawn += 1
    return _drawing(call, kind, {"path": path}, {"Num-Used": str(call.state.codes_drawn)})


def getwxacode(call: Call) -> Answer:
    """Draw one of the limited codes."""
    return _draw_limited(call, "limited")


def createwxaqrcode(call: Call) -> Answer:
    """Draw one of the limited codes, square."""
    return _draw_limited(call, "square")


def _check_link(call: Call, target: dict[str, Any], *, scheme: bool) -> None:
    path, query = target.get("path", ""), target.get("query", "")
    if not isinstance(path, str) or "?" in path or (path and path.lstrip("/") not in call.state.pages):
        raise Refusal(40165, "invalid weapp pagepath")
    if not isinstance(query, str) or len(query) > 1024 or not re.fullmatch(f"[{re.escape(SCENE)}%]*", query):
        raise Refusal(40212, "invalid query")
    if target.get("env_version", "release") not in ENVIRONMENTS:
        raise Refusal(85402, "invalid env_version")
    now = call.state.clock.now()
    kind = call.body.get("expire_type", 0)
    if kind == 1:
        seconds = _number(call.body.get("expire_interval")) * DAY
    elif "expire_time" in call.body or not scheme:
        seconds = _number(call.body.get("expire_time")) - now
    else:
        seconds = 30 * DAY
    if not 60 <= seconds <= 30 * DAY:
        raise Refusal(85401, "time limit between 1min and 30days")
    call.spend(key="/wxa/links")


def _number(value: object) -> float:
    return 0 if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def generate_urllink(call: Call) -> Answer:
    """Make a URL that opens the mini-program."""
    _check_link(call, call.body, scheme=False)
    return OK | {"url_link": f"https://wxaurl.cn/{secrets.token_urlsafe(8)}"}


def generatescheme(call: Call) -> Answer:
    """Make a scheme that opens the mini-program."""
    target = call.body.get("jump_wxa", {})
    if not isinstance(target, dict):
        raise Refusal(47001, "data format error")
    _check_link(call, target, scheme=True)
    return OK | {"openlink": f"weixin://dl/business/?t={secrets.token_urlsafe(8)}"}


SCENE_NOT_JSON = (40169, "invalid length for scene, or the data is not json string")
PATH_NOT_JSON = (40159, "invalid length for path, or the data is not json string")
ENDPOINTS = (
    Endpoint("POST", "/wxa/getwxacodeunlimit", getwxacodeunlimit, not_json=SCENE_NOT_JSON),
    Endpoint("POST", "/wxa/getwxacode", getwxacode, not_json=PATH_NOT_JSON),
    Endpoint("POST", "/cgi-bin/wxaapp/createwxaqrcode", createwxaqrcode, not_json=PATH_NOT_JSON),
    Endpoint("POST", "/wxa/generate_urllink", generate_urllink),
    Endpoint("POST", "/wxa/generatescheme", generatescheme),
)
