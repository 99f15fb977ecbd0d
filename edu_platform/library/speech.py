"""Turn written Chinese into what a voice should say: sentence by sentence, numbers and signs in words.

Pure text in, pure text out. Telephone numbers are said digit by digit, years too; amounts, shares, dates and
times as people say them; letters of an abbreviation one by one; signs of arithmetic and numbers in circles in
words; arrows as pauses; marks that are only seen are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

_DIGITS: Final = "零一二三四五六七八九"
_LONGEST: Final = 120

_HOTLINES: Final = (
    r"9[56]\d{3}|1(?:10|19|20|22)|12\d{3}|400-?\d{3}-?\d{4}|800-?\d{3}-?\d{4}|1[3-9]\d{9}|0\d{2,3}-\d{7,8}"
)
_UNITS: Final = "元万亿千百个人次天年月日号岁份张条款件种户家名位点分秒小米公斤%％‰倍页字步道题"
_TELEPHONE: Final = re.compile(rf"(?<![\d.,，/-])(?:{_HOTLINES})(?![\d%％‰]|[.,-]\d|\s*[{_UNITS}])")
_MEASURES: Final = "个位名张条份次天年周元块万千亿种类件家步户人只本句样口遍道倍回趟层门台把套封部间处页段"
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_RANGE: Final = r"\s*[~～—–-]{1,2}\s*"

_SENTENCE_END: Final = "。！？!?；;…"
_CLOSING: Final = "”’」』）)》】"
_QUIET: Final = re.compile(r"[“”‘’「」『』《》〈〉【】\[\]*_`#|·•※★☆●○◆◇■□▲△▼▽▶►✓✔✗✘√]")
_CIRCLED: Final = re.compile(r"(?P<before>第\s*|)(?P<sign>[①-⒛❶-❿➀-➓㈠-㈩㊀-㊉])")
_BRACKET: Final = re.compile(r"[（(][^（()）\n]*[）)]")
_COUNT: Final = r"(?<=[\d%％元万亿倍])"


def digits(number: str) -> str:
    """Say a run of digits one by one: 95519 → 九五五一九."""
    return "".join(_DIGITS[int(sign)] for sign in number if sign.isdecimal())


def cardinal(number: int) -> str:
    """Say a whole number as an amount: 12 → 十二, 10050 → 一万零五十."""
    if number < 0:
        return "负" + cardinal(-number)
    if number == 0:
        return "零"
    if number >= 10**16:
        return digits(str(number))
    parts: list[str] = []
    gap = False
    for size, name in ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"), (1, "")):
        group, number = divmod(number, size)
        if not group:
            gap = bool(parts)
            continue
        zero = "零" if parts and (gap or group < 1000) else ""
        parts.append(zero + _thousands(group) + name)
        gap = False
    said = "".join(parts)
    return said[1:] if said.startswith("一十") else said


def _thousands(number: int) -> str:
    said, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            said += ("零" if gap and said else "") + _DIGITS[digit] + name
            gap = False
        else:
            gap = True
    return said


def amount(number: str) -> str:
    """Say a number as written, with thousands commas and decimals: 1,000.5 → 一千点五, 2000 → 两千."""
    whole, _, part = number.replace(",", "").partition(".")
    if len(whole) > 1 and whole.startswith("0"):
        return digits(whole) + (f"点{digits(part)}" if part else "")
    return re.sub("^二(?=[千万亿])", "两", cardinal(int(whole))) + (f"点{digits(part)}" if part else "")


def _clock(hour: str, minute: str) -> str:
    if int(minute) == 0:
        return f"{cardinal(int(hour))}点整"
    zero = "零" if int(minute) < 10 else ""
    return f"{cardinal(int(hour))}点{zero}{cardinal(int(minute))}分"


def _date(year: str, month: str, day: str) -> str:
    return f"{digits(year)}年{cardinal(int(month))}月{cardinal(int(day))}日"


def _counted(found: re.Match[str]) -> str:
    """Say an amount; two of something is 两, but not in dates, ordinals or larger numbers."""
    number, after = found["number"], found["after"]
    if number == "2" and after:
        return f"两{after}"
    plain = number.replace(",", "")
    if (
        plain.isdecimal()
        and len(plain) >= 7
        and not number.endswith("0000")
        and "," not in number
        and not after
    ):
        return digits(number)
    return amount(number) + after


def _circled(found: re.Match[str]) -> str:
    """Say a number in a circle: 第①步 as an ordinal, before an item with a pause."""
    said = "第" + cardinal(int(unicodedata.numeric(found["sign"])))
    return said if found["before"] else f"，{said}，"


def _left_out(found: re.Match[str]) -> str:
    """Say a cross between words: times in a formula, else somebody who is not named."""
    if len(found[0]) == 1 and re.search("[=＝÷≈]", found.string):
        return "乘以"
    return "某" * min(len(found[0]), 2)


# Before the numbers, while figures are still seen: what a sign means depends on what it stands between.
_SIGNS: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_CIRCLED, _circled),
    (re.compile(r"^(\d{1,2})[.．、]\s*(?=\D)"), lambda m: f"第{cardinal(int(m[1]))}，"),
    (re.compile(r"(?<![A-Za-z])([A-Z])[.．]\s*(?=[\u4e00-\u9fff“])"), r"\1，"),
    (re.compile(rf"{_COUNT}\s*(?:→|->|⇒)\s*(?=[\d¥￥])"), "到"),
    (re.compile(r"\s*(?:[→⇒➡➜←↑↓↔]|[-=]>)\s*"), "，"),
    (re.compile(rf"{_COUNT}\s*[×✕✖*]\s*(?=[\d¥￥（(])"), "乘以"),
    (re.compile(r"(?<=[\u4e00-\u9fff）)])\s*[×✕✖]\s*(?=\d)|(?<=[\u4e00-\u9fff）)])\s+[×✕✖]\s+"), "乘以"),
    # a name or a figure left out on purpose, as in 王×、××公司
    (re.compile(r"×{2,}(?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])×+"), _left_out),
    (re.compile(r"[×✕✖]"), "，"),
    (re.compile(r"(?<=[\d岁天年元万])\s*\+(?=\s*(?:$|[^\s\d¥￥A-Za-z\u4e00-\u9fff（(]))"), "以上"),
    (re.compile(r"(?<![\d.])[-−](?=\d+(?:\.\d+)?\s*℃)"), "零下"),
    *(
        (re.compile(rf"\s*{sign}\s*"), said)
        for sign, said in (
            ("÷", "除以"), (r"\+", "加"), ("＋", "加"), ("≈", "约等于"), ("≠", "不等于"), ("[≥≧]", "大于等于"),
            ("[≤≦]", "小于等于"), ("=+|＝", "等于"), ("±", "正负"), ("㎡", "平方米"), ("−", "减"),
        )
    ),
)  # fmt: skip

_RULES: Final = (
    (re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)"), lambda m: _date(m[1], m[2], m[3])),
    (re.compile(r"(?<!\d)(\d{4})/(\d{1,2})/(\d{1,2})(?!\d)"), lambda m: _date(m[1], m[2], m[3])),
    (_TELEPHONE, lambda m: digits(m[0])),
    (re.compile(r"(?<!\d)(\d{17}[\dXx])(?!\d)"), lambda m: "".join(digits(s) or "X" for s in m[1])),
    (re.compile(r"(?<!\d)(\d{1,2})·(\d{1,2})(?!\d)"), lambda m: digits(m[1]) + digits(m[2])),
    (re.compile(rf"(?<!\d)(\d{{4}}){_RANGE}(\d{{4}})(?=\s*年)"), lambda m: f"{digits(m[1])}到{digits(m[2])}"),
    (re.compile(r"(?<!\d)(\d{4})(?=\s*年)"), lambda m: digits(m[1])),
    (
        re.compile(rf"({_NUMBER})\s*[%％]?{_RANGE}({_NUMBER})\s*[%％]"),
        lambda m: f"百分之{amount(m[1])}到百分之{amount(m[2])}",
    ),
    (re.compile(rf"({_NUMBER})\s*[%％]"), lambda m: f"百分之{amount(m[1])}"),
    (re.compile(rf"({_NUMBER})\s*‰"), lambda m: f"千分之{amount(m[1])}"),
    (re.compile(r"(?<![\d:：])([01]?\d|2[0-4])[:：]([0-5]\d)(?![\d:：])"), lambda m: _clock(m[1], m[2])),
    (
        re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"),
        lambda m: f"{cardinal(int(m[2]))}分之{cardinal(int(m[1]))}",
    ),
    (re.compile(rf"[¥￥]\s*({_NUMBER})\s*(万|亿)?\s*元?"), lambda m: f"{amount(m[1])}{m[2] or ''}元"),
    (re.compile(rf"({_NUMBER}){_RANGE}(?={_NUMBER})"), lambda m: f"{amount(m[1])}到"),
    (re.compile(r"(第\s*)(\d+)"), lambda m: f"第{cardinal(int(m[2]))}"),
    (re.compile(rf"(?P<number>{_NUMBER})\s?(?P<after>[{_MEASURES}]?)"), _counted),
)


def spoken(text: str) -> str:
    """Return how `text` is said aloud; law articles already in words (第十六条) stay as they are."""
    text = re.sub(r"\u3000+", "，", text.strip())  # a gap that parts, as in 第二天　租房
    for pattern, say in (*_SIGNS, *_RULES):
        text = pattern.sub(say, text)
    # letters one by one when they are capitals (APP, ATM); words keep their shape
    text = re.sub(r"(?<![A-Za-z])[A-Z]{2,6}(?![A-Za-z])", lambda m: " ".join(m[0]), text)
    text = re.sub(r"(?<![A-Za-z])[Aa]pp(?![A-Za-z])", "A P P", text)
    text = re.sub(r"…+|\.{3,}|—+|–", "，", text)
    text = re.sub(r"(?<=[元角次个])\s*/\s*(?=[年月日天周次人份个](?![\u4e00-\u9fff]))", "每", text)
    text = re.sub(r"(?<=[\u4e00-\u9fff])\s*/\s*(?=[\u4e00-\u9fff])", "或", text)
    for sign, said in (
        ("～", "到"),
        ("~", "到"),
        ("&", "和"),
        ("℃", "摄氏度"),
    ):
        text = text.replace(sign, said)
    text = re.sub(r"\s*[（()）]\s*", "，", text)  # paired or, where a long bracket was parted, alone
    text = _QUIET.sub("", text)
    text = re.sub(r"\s*\n\s*", "，", text)
    text = re.sub(r"(?<=[\u4e00-\u9fff，。！？；：、])\s+|\s+(?=[\u4e00-\u9fff，。！？；：、])", "", text)
    text = re.sub(r"[，、]+(?=[，。！？；：])", "", text)
    text = re.sub(r"(?<=[。！？；：])[，、]+", "", text)
    return text.strip("，、 ")


def sentences(text: str) -> list[str]:
    """Part a text into sentences of at most 120 characters, each with its closing mark and quotes.

    A bracket that holds several sentences stays in one piece, unless that were too long for one breath.
    """
    found: list[str] = []
    start = 0
    position = 0
    # up to where a full stop ends nothing: the last one before a closing bracket ends the bracket
    within = {
        span.start(): len(span[0].rstrip(_CLOSING).rstrip(_SENTENCE_END)) + span.start()
        for span in _BRACKET.finditer(text)
        if len(span[0]) <= _LONGEST
    }
    while position < len(text):
        if within.get(position, 0) > position:
            position = within[position]
        elif text[position] in _SENTENCE_END or text[position] == "\n":
            position += 1
            while position < len(text) and text[position] in _SENTENCE_END + _CLOSING:
                position += 1
            found.append(text[start:position])
            start = position
        else:
            position += 1
    found.append(text[start:])
    return [part for sentence in found for part in _short(sentence.strip())]


def _short(sentence: str) -> list[str]:
    """Part what is too long for one breath after a comma; without commas it stays whole."""
    if not any(character.isalnum() for character in sentence):
        return []
    if len(sentence) <= _LONGEST:
        return [sentence]
    cut = max(sentence.rfind(mark, 0, _LONGEST) for mark in "，、：,")
    if cut <= 0:
        return [sentence]
    return [sentence[: cut + 1].strip(), *_short(sentence[cut + 1 :].strip())]
