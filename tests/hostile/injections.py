"""Script injections of our own: what would run, how it is written, and where it is put."""

from __future__ import annotations

import html
from collections.abc import Iterator
from urllib.parse import quote

RUN = "hit(1)"
"""What would run: a function of the page that the tests show."""

VECTORS = [
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT>",
    f"<script/src='data:text/javascript,{RUN}'></script>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<script\x0c>{RUN}</script\n>",
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror\n=\n'{RUN}'>",
    f"<img/src=`x`/onerror={RUN}>",
    f'<img src="x" onerror="{html.escape(RUN)}">',
    f"<image src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}//",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><style><img src=x onerror={RUN}></style></svg>",
    f"<svg><a xlink:href=javascript:{RUN}><text y=9>x</text></a></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><set attributeName=href to=javascript:{RUN}>",
    f"<svg><foreignObject><iframe srcdoc='<script>parent.{RUN}</script>'></iframe></foreignObject></svg>",
    f"<svg><use href=\"data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><image href=1 onerror={RUN} /></svg>#x\">",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f"<math href=javascript:{RUN}>x</math>",
    f"<math><annotation-xml encoding=text/html><script>{RUN}</script></annotation-xml></math>",
    f"<iframe src=javascript:parent.{RUN}></iframe>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<object data=javascript:{RUN}></object>",
    f"<embed src=javascript:{RUN}>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<video src=x onerror={RUN}></video>",
    f"<audio><source src=x onerror={RUN}></audio>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}></select>",
    f"<a href=javascript:{RUN}>x</a>",
    f"<a href=' &#14; javascript:{RUN}'>x</a>",
    f"<a href='java\tscript:{RUN}'>x</a>",
    f"<a href=data:text/html,<script>{RUN}</script>>x</a>",
    f"<form action=javascript:{RUN}><button>x</button></form>",
    f"<button formaction=javascript:{RUN}>x</button>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<base href=javascript:{RUN}//>",
    f"<link rel=stylesheet href='data:text/css,*{{x:expression({RUN})}}'>",
    "<style>@import 'http://127.0.0.1:9/x.css';</style>",
    f"<style>*{{background:url(javascript:{RUN})}}</style>",
    f"<div style='background:url(javascript:{RUN})'>x</div>",
    f"<div style='animation:x 1s' onanimationstart={RUN}>x</div><style>@keyframes x{{}}</style>",
    f"<template><script>{RUN}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript>",
    f"<xmp><p title='</xmp><img src=x onerror={RUN}>'></xmp>",
    f"<textarea></textarea><img src=x onerror={RUN}>",
    f"<!--><img src=x onerror={RUN}>-->",
    f"<![CDATA[><script>{RUN}</script>]]>",
    f"<?xml-stylesheet href='javascript:{RUN}'?>",
    f"<table background=javascript:{RUN}><tr><td>x",
    f"<marquee onstart={RUN}>x</marquee>",
    f"<isindex type=image src=x onerror={RUN}>",
    f"<x onclick={RUN} tabindex=1 autofocus onfocus={RUN}>x</x>",
    f"<p contenteditable oninput={RUN} onfocus={RUN} autofocus>x</p>",
    f'"><script>{RUN}</script>',
    f"'-{RUN}-'",
    f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
]  # fmt: skip

ADDRESSES = [
    f"javascript:{RUN}", f"JaVaScRiPt:{RUN}", f"java%73cript:{RUN}", f"java&#x73;cript:{RUN}", f"&#1;javascript:{RUN}",
    f"javascript&colon;{RUN}", f"vbscript:{RUN}", f"data:text/html,<script>{RUN}</script>",
    "data:text/html;base64,PHNjcmlwdD5oaXQoMSk8L3NjcmlwdD4=", f"//127.0.0.1:9/{RUN}", f"http:javascript:{RUN}",
    f"tel:javascript:{RUN}", f"tel:95519'onclick={RUN}", f'piece:a"onclick="{RUN}', f"piece:javascript:{RUN}",
    f"piece:../../{RUN}", "file:///etc/passwd", f'illustration:x" onerror="{RUN}', f"illustration:../{RUN}",
    f"\x01javascript:{RUN}", f"java\u200bscript:{RUN}", f"ｊａｖａｓｃｒｉｐｔ:{RUN}", f"blob:{RUN}", f"filesystem:{RUN}",
]  # fmt: skip


def written(vector: str) -> Iterator[str]:
    """The ways of writing one."""
    yield vector
    yield html.escape(vector)
    yield html.escape(html.escape(vector))
    yield "".join(f"&#{ord(character)};" for character in vector)
    yield "".join(f"&#x{ord(character):x}" for character in vector)
    yield quote(vector)
    yield vector.replace("<", "\uff1c").replace(">", "\uff1e")
    yield vector.replace("<", "\\<")
    yield vector.replace(" ", "/").upper().replace(RUN.upper(), RUN)


# where an editor may put it
PLACES = {
    "paragraph": "{}",
    "after text": "先看清楚{}再签字",
    "heading": "## {}",
    "list": "- {}\n  1. {}",
    "quote": "> {}",
    "table": "| 甲 | {} |\n|---|---|\n| {} | 乙 |",
    "code": "`{}`",
    "fence": "```{}\n{}\n```",
    "strong": "**{}** ~~{}~~ *{}*",
    "link's text": "[{}](tel:95519)",
    "link's title": '[电话](tel:95519 "{}")',
    "link's address": "[电话](<{}>)",
    "bare address": "<{}>",
    "picture's text": "![{}](illustration:shield)",
    "picture's address": "![图](<{}>)",
    "reference": "[电话][a]\n\n[a]: <{}>",
    "hotline": "{{hotline}}{}",
}


def corpus() -> list[str]:
    """Every vector in every writing, and every address; each once."""
    found = [text for vector in VECTORS for text in written(vector)]
    return list(dict.fromkeys([*found, *ADDRESSES]))


def placed(text: str) -> Iterator[tuple[str, str]]:
    """(place, Markdown) of a payload wherever it can stand."""
    one_line = text.replace("\n", " ").replace("\r", " ")
    for place, frame in PLACES.items():
        yield place, frame.replace("{{hotline}}", "{hotline}").replace("{}", one_line)
