"""The contact sheet as HTML: one file, without anything fetched, usable by keyboard and on a phone."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_STYLE: Final = """
:root{--ink:#1d2b26;--soft:#52625b;--paper:#f6f3ec;--card:#fff;--line:#d9d4c7;--good:#1c7a55;--bad:#b3261e;
--warn:#8a5a00;--focus:#0b57d0}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.65 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
header,main{max-width:1320px;margin:0 auto;padding:20px 16px}
h1{margin:0 0 4px;font-size:1.7rem}h2{margin:24px 0 12px;font-size:1.35rem}h3{margin:0;font-size:1.1rem}
p{margin:.3em 0}.soft{color:var(--soft);font-size:.92rem}
nav ul{display:flex;flex-wrap:wrap;gap:8px 20px;padding:0;list-style:none}
a{color:var(--focus)}nav a{display:inline-block;padding:10px 4px;min-height:44px}
.grid{display:grid;gap:18px;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:16px;min-width:0}
.films{display:grid;gap:18px}
.row{display:grid;gap:10px;grid-template-columns:repeat(2,minmax(0,1fr));align-items:start;margin-top:10px}
.frames{grid-template-columns:repeat(auto-fit,minmax(min(100%,240px),1fr))}.frames figure{max-width:440px}
figure{margin:0;min-width:0}figcaption{font-size:.85rem;color:var(--soft);text-align:center}
button.look{display:block;width:100%;padding:0;border:1px solid var(--line);border-radius:8px;background:none;
cursor:zoom-in;overflow:hidden}
img{display:block;width:100%;height:auto}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
.scene{border-top:1px solid var(--line);margin-top:14px;padding-top:10px}
.scene ul,.found{margin:.3em 0;padding-left:1.2em}
.moves{font-weight:600;color:var(--good)}.moves.still{color:var(--bad)}
.found li{overflow-wrap:anywhere}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}
dialog{border:0;padding:0;margin:0;width:100vw;height:100vh;max-width:none;max-height:none;background:#111;overflow:auto}
dialog form{position:sticky;top:0;display:flex;gap:8px;justify-content:flex-end;padding:10px;z-index:1}
dialog button{min-width:44px;min-height:44px;padding:8px 14px;border:0;border-radius:10px;background:#fff;color:#111;
font:inherit;cursor:pointer}
dialog img{width:auto;max-width:100%;margin:0 auto 8px}
dialog p{color:#fff;max-width:70ch;margin:0 auto;padding:0 16px 32px}
@media (max-width:520px){.card{padding:12px}header,main{padding:14px 10px}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{nav,dialog{display:none}.card{break-inside:avoid}}
"""

_SCRIPT: Final = """
const box=document.querySelector('dialog'),big=box.querySelector('img'),said=box.querySelector('p');
const all=[...document.querySelectorAll('button.look')];let at=0;
function show(n){at=(n+all.length)%all.length;const i=all[at].querySelector('img');
big.src=i.src;big.alt=i.alt;big.width=i.naturalWidth;said.textContent=i.alt;box.scrollTop=0}
all.forEach((b,n)=>b.addEventListener('click',()=>{show(n);box.showModal()}));
box.querySelector('.before').addEventListener('click',()=>show(at-1));
box.querySelector('.after').addEventListener('click',()=>show(at+1));
box.addEventListener('keydown',e=>{if(e.key==='ArrowLeft')show(at-1);if(e.key==='ArrowRight')show(at+1)});
big.addEventListener('click',()=>box.close());
box.addEventListener('close',()=>all[at].focus());
"""

_PAGE: Final = """\
{% macro look(picture) -%}
<figure><button type="button" class="look"><img src="{{ picture.url }}" width="{{ picture.width }}" \
height="{{ picture.height }}" alt="{{ picture.alt }}" loading="lazy"></button>
<figcaption>{{ picture.caption }}</figcaption></figure>
{%- endmacro %}
{% macro found(problems, advice, file) -%}
{% if problems or advice %}<ul class="found">
{% for one in problems %}<li class="bad"><strong>问题</strong>　{% if file %}{{ one.file }} {% endif %}第 {{ one.line }} 行：{{ one.reason }}</li>
{% endfor %}{% for one in advice %}<li class="warn"><strong>建议</strong>　{% if file %}{{ one.file }} {% endif %}第 {{ one.line }} 行：{{ one.reason }}</li>
{% endfor %}</ul>{% else %}<p class="good">检查没有发现问题。</p>{% endif %}
{%- endmacro %}
{% macro head(item, level) -%}
<h3>{{ item.title }}</h3>
<p>{{ item.summary }}</p>
<p class="soft">{{ item.facts | join("　·　") }}<br><code>{{ item.file }}</code></p>
{%- endmacro %}
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>材料样张 · {{ programme }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>材料样张</h1>
<p>{{ programme }}：海报 {{ posters | length }} 张，视频 {{ films | length }} 部；\
问题 {{ report.problems | length }} 处，建议 {{ report.advice | length }} 处。</p>
<p class="soft">点开图片看原大；左右方向键翻看，Esc 关闭。</p>
<nav aria-label="本页"><ul><li><a href="#posters">海报</a></li><li><a href="#films">视频</a></li>\
<li><a href="#rest">其他材料的检查结果</a></li></ul></nav>
</header>
<main>
<section id="posters" aria-labelledby="h-posters"><h2 id="h-posters">海报</h2>
<div class="grid">
{% for item in posters %}<article class="card" id="{{ item.slug }}">
{{ head(item) }}
{{ found(item.problems, item.advice, false) }}
{% if item.pictures %}<div class="row">{% for picture in item.pictures %}{{ look(picture) }}{% endfor %}</div>
{% else %}<p class="bad">有问题，未画出。</p>{% endif %}
</article>
{% endfor %}</div>
</section>
<section id="films" aria-labelledby="h-films"><h2 id="h-films">视频</h2>
<div class="films">
{% for item in films %}<article class="card" id="{{ item.slug }}">
{{ head(item) }}
{{ found(item.problems, item.advice, false) }}
{% for scene in item.scenes %}<div class="scene">
<p><strong>{{ scene.name }}</strong>　{{ "%.1f" | format(scene.seconds) }} 秒\
{% if scene.moving is not none %}　<span class="moves{% if scene.moving < least %} still{% endif %}">\
除字幕外在动的画面 {{ "%.0f" | format(scene.moving * 100) }}%</span>{% endif %}</p>
<ul>{% for said in scene.captions %}<li>{{ said }}</li>{% endfor %}</ul>
<div class="row frames">{% for picture in scene.frames %}{{ look(picture) }}{% endfor %}</div>
</div>
{% else %}<p class="bad">有问题，未画出。</p>{% endfor %}
</article>
{% endfor %}</div>
</section>
<section id="rest" aria-labelledby="h-rest"><h2 id="h-rest">其他材料的检查结果</h2>
<div class="card">{{ found(problems, advice, true) }}
{% if report.measures %}<ul>{% for line in report.measures %}<li>{{ line }}</li>{% endfor %}</ul>{% endif %}</div>
</section>
</main>
<dialog aria-label="原大图片"><form method="dialog"><button type="button" class="before" aria-label="上一张">←</button>\
<button type="button" class="after" aria-label="下一张">→</button><button autofocus>关闭</button></form>
<img alt=""><p></p></dialog>
<script>{{ script }}</script>
</body>
</html>
"""


def render_page(**shown: Any) -> str:
    """Return the page for what `proof.make_proof` gathered; every text is escaped."""
    from edu_platform.media.drawing.films import LEAST_MOVING_SHARE

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    # both are constants of this module, not anybody's text
    constants = {"style": Markup(_STYLE), "script": Markup(_SCRIPT)}  # noqa: S704
    return environment.from_string(_PAGE).render(least=LEAST_MOVING_SHARE, **constants, **shown).lstrip()
