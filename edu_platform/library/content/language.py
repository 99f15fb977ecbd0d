"""Look at the text itself: near-duplicates, telephone numbers and addresses of our own only, risky expressions.

The lexicon is the seed of review.md §10: categories 1, 2, 8 and 11, which block outright when offered, and the
absolute claims of category 4. An expression in quotation marks, or in a sentence that warns, is what our articles
are for; it is counted and left to the 消保审查, which has the last word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from edu_platform.library.source import Problems

ALLOWED_NUMBERS: Final = frozenset({"110", "12345", "12378", "96110"})
"""Public lines that any piece may name: police, government, financial supervision, anti-fraud."""

_LEXICON: Final[dict[str, tuple[str, ...]]] = {
    "保证收益": (
        "保本保息", "保证本金", "保本", "保收益", "保证收益", "承诺收益", "稳赚不赔", "稳赚", "包赚", "只赚不赔",
        "躺赚", "一定赚钱", "必涨", "刚性兑付",
    ),
    "否认风险": ("零风险", "无风险", "没有风险", "绝对安全", "100%安全", "闭眼入", "放心买", "低风险高收益"),
    "冒用权威": ("监管认可", "国家担保", "央行背书", "央视推荐", "专家推荐", "政府指定", "内部渠道"),
    "退保黑产": ("代理退保", "全额退保", "百分百退保", "无损失退保", "退保维权专家", "退旧买新"),
}  # fmt: skip
_RISKY: Final = re.compile(
    "|".join(
        re.escape(word)
        for word in sorted((w for words in _LEXICON.values() for w in words), key=len, reverse=True)
    )
)
_CATEGORY: Final = {word: name for name, words in _LEXICON.items() for word in words}
_ABSOLUTE: Final = re.compile(
    r"最佳|国家级|最高级|全网最低|顶级(?!域名)"
    r"|最(?:好|优)的?(?:产品|保险|保单|险种|公司|银行|机构|服务|理财|投资|收益|方案|计划)"
    r"|(?:全国|全球|全省|全市|行业|业内|同业|市场|销量|排名|实力|规模|口碑)(?:排名|销量|规模)?第一"
    r"|第一(?:品牌|名牌|股)"
    r"|(?:全国|全球|行业|业内|市场)唯一|唯一(?:指定|授权|官方|正规|安全|可靠|一家)"
    r"|永久(?:有效|免费|保障|领取)"
)
_DOUBTFUL: Final = re.compile(r"最优|首选|唯一|永久")
"""Often claims, often honest words: for the editor to look at."""
_DOMAIN: Final = (
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    r"(?:com|cn|net|org|gov|edu|info|top|xyz|vip|club|site|shop|cc|app|io|me|co|link|ltd)(?![A-Za-z0-9-])"
)
_ADDRESS: Final = re.compile(
    rf"(?P<mail>[a-z0-9._-]+@{_DOMAIN})"
    rf"|https?://(?P<url>[^\s/?#，。；、！？“”（）()<>]+)"
    rf"|(?<![A-Za-z0-9@._-])(?P<host>{_DOMAIN})"
    r"|(?:加\s*(?:微信|QQ|扣扣)|(?:微信|QQ|扣扣)\s*(?:[群号]+|[:：]))[\s群号:：]*"
    r"(?P<account>[a-z][a-z0-9_-]{5,19}|(?!1[3-9]\d{9})[1-9]\d{4,10})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_WARNING: Final = re.compile(
    "警惕|谨防|当心|小心|提防|防范|不要|不能|不得|不可|不是|不会|不等于|切勿|切莫|别|骗|所谓|虚假|假|为诱饵|声称|谎称|"
    "自称|号称|打着|冒充|拒绝|违法|违规|禁止|误导|陷阱|套路|不存在|没有哪|哪有|凡是|风险提示|可疑|举报|黑产|非法|吗[？?]|谁|问号"
)
_NO_WARNING: Final = re.compile(
    "别(?:人|的|处|家|错过|犹豫|再?等)|特别|分别|级别|性别|区别|不(?:能|要|可|容)错过|不会(?:亏|赔|让您失望)|[放寒暑请]假|假[期日]|谁都"
)
"""What holds a warning's sign and warns of nothing, as offers do: 别错过, 不会亏, 暑假特惠."""
_QUOTED: Final = re.compile(
    r"“[^”\n]{0,200}”|‘[^’\n]{0,200}’|「[^」\n]{0,200}」|『[^』\n]{0,200}』|《[^》\n]{0,100}》"
)
_SENTENCE: Final = re.compile(r"[^。！？!?\n]*[。！？!?\n]?")

_UNIT: Final = r"(?!\s*[元万亿千百个人次天年月日岁份张条款件种户家名位点分秒小米公斤倍%％‰])"
_NUMBERS: Final = re.compile(
    r"(?<![\dA-Za-z.,，/-])(?:"
    r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}|[(（]?0\d{2,3}[)）]?[ —-]?\d{4}[ -]?\d{3,4}"
    r"|[48]00[ -]?\d{3}[ -]?\d{4}|(?:9[56]\d{3}|96\d{4}|12\d{3})" + _UNIT + r")(?![\d.,，]\d|\d)"
    r"|(?<=[拨打致电话线])\s*(1[12]\d)(?!\d)" + _UNIT
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text and where it stands."""

    file: str
    line: int
    path: str
    text: str


def plain(text: str) -> str:
    """Return a text as it is compared: NFKC, without spaces and punctuation, lower case."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in folded if c.isalnum())


def _grams(text: str, size: int = 3) -> frozenset[str]:
    ready = plain(text)
    if len(ready) <= size:
        return frozenset({ready}) if ready else frozenset()
    return frozenset(ready[n : n + size] for n in range(len(ready) - size + 1))


def near_duplicates(texts: Sequence[str], threshold: float = 0.6) -> list[tuple[int, int, float]]:
    """Return the pairs of texts (by index, the earlier first) whose character triples overlap by `threshold` or more.

    Overlap is Jaccard's: shared triples over all triples, punctuation and spaces left out. Exact, and fast enough
    for ten thousand paragraphs: each text is looked up only under its rarest triples, as two sets that overlap
    that much must share one of them.
    """
    sets = [_grams(text) for text in texts]
    often = Counter(gram for grams in sets for gram in grams)
    index: dict[str, list[int]] = defaultdict(list)
    found: list[tuple[int, int, float]] = []
    for number, grams in enumerate(sets):
        if not grams:
            continue
        rarest = sorted(grams, key=lambda gram: (often[gram], gram))
        prefix = rarest[: len(grams) - ceil(threshold * len(grams)) + 1]
        for other in sorted({seen for gram in prefix for seen in index[gram]}):
            theirs = sets[other]
            if min(len(grams), len(theirs)) < threshold * max(len(grams), len(theirs)):
                continue
            shared = len(grams & theirs)
            overlap = shared / (len(grams) + len(theirs) - shared)
            if overlap >= threshold:
                found.append((other, number, overlap))
        for gram in prefix:
            index[gram].append(number)
    return sorted(found)


def note_duplicates(
    passages: Sequence[Passage], problems: Problems, *, what: str, threshold: float = 0.6, least: int = 20
) -> None:
    """Note every passage that nearly repeats an earlier one; `what` names it (段落, 题目).

    Passages shorter than `least` characters (punctuation left out) say too little to compare.
    """
    long = [passage for passage in passages if len(plain(passage.text)) >= least]
    told: set[int] = set()
    for first, second, overlap in near_duplicates([passage.text for passage in long], threshold):
        if second in told:
            continue
        told.add(second)
        one, other = long[first], long[second]
        where = f"第 {one.line} 行" if one.file == other.file else f"{one.file} 第 {one.line} 行"
        reason = f"与{where}的{what}几乎相同（{overlap:.0%}）"
        problems.note(other.file, other.line, other.path, reason)


def note_numbers(passages: Iterable[Passage], problems: Problems, *, hotline: str) -> None:
    """Note telephone numbers other than the hotline (best written `{hotline}`) and the public lines.

    However they are parted: by spaces, hyphens or brackets, in full-width digits too.
    """
    own = {*ALLOWED_NUMBERS, _digits(hotline)}
    for passage in passages:
        for found in _NUMBERS.finditer(_fold(passage.text)):
            number = found[0].strip()
            if _digits(number) in own:
                continue
            allowed = "、".join(sorted(ALLOWED_NUMBERS))
            reason = f"不能出现电话号码 {number}：客服热线写 {{hotline}}，此外只用 {allowed}"
            line = passage.line + passage.text.count("\n", 0, found.start())
            problems.note(passage.file, line, passage.path, reason)


def note_addresses(passages: Iterable[Passage], problems: Problems, *, own: str) -> None:
    """Note where else than to the host `own` a text leads, quoted or not: somebody would type it.

    Web addresses, mail addresses and accounts of chat programmes.
    """
    for passage in passages:
        for found in _ADDRESS.finditer(_fold(passage.text)):
            host = (found["url"] or found["host"] or "").lower().partition(":")[0]
            if host and own and (host == own or host.endswith(f".{own}")):
                continue
            what = "网址" if host else "邮箱" if found["mail"] else "聊天账号"
            where = host or found["mail"] or found["account"]
            line = passage.line + passage.text.count("\n", 0, found.start())
            problems.note(passage.file, line, passage.path, f"不能出现{what} {where}：请读者自己找官方渠道")


def note_risky(passages: Iterable[Passage], problems: Problems) -> int:
    """Note risky expressions that are neither quoted nor warned against; return how many were."""
    return _note_words(
        passages,
        problems,
        _RISKY,
        lambda word: f"“{word}”属于{_CATEGORY[word]}一类的表述：请加引号并说明为什么不可信，或改写",
    )


def note_absolute(passages: Sequence[Passage], problems: Problems, advice: Problems) -> int:
    """Note absolute claims as problems, words that often are such as advice; return how many were quoted."""
    excused = _note_words(
        passages,
        problems,
        _ABSOLUTE,
        lambda word: f"“{word}”是绝对化的说法：请改成能查证的事实，引用别人的话要加引号",
    )
    _note_words(
        passages,
        advice,
        _DOUBTFUL,
        lambda word: f"“{word}”容易成为绝对化的说法：若是在夸谁，请改写",
        unless=_ABSOLUTE,
    )
    return excused


def _note_words(
    passages: Iterable[Passage],
    problems: Problems,
    words: re.Pattern[str],
    reason: Callable[[str], str],
    *,
    unless: re.Pattern[str] | None = None,
) -> int:
    """Note every hit that is an offer and count those that are quoted or stand in a sentence that warns."""
    excused = 0
    for passage in passages:
        folded = _fold(passage.text)
        quoted = [found.span() for found in _QUOTED.finditer(folded)]
        for sentence in _SENTENCE.finditer(folded):
            warned = _WARNING.search(_NO_WARNING.sub("", sentence[0])) is not None
            others = [found.span() for found in unless.finditer(folded, *sentence.span())] if unless else []
            for found in words.finditer(folded, *sentence.span()):
                if _inside(found, others):
                    continue
                if warned or _inside(found, quoted):
                    excused += 1
                    continue
                line = passage.line + folded.count("\n", 0, found.start())
                problems.note(passage.file, line, passage.path, reason(found[0]))
    return excused


def _inside(found: re.Match[str], spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= found.start() and found.end() <= end for start, end in spans)


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _fold(text: str) -> str:
    """Fold full-width letters, digits and the percent sign, one for one, so that positions stay."""
    return "".join(chr(ord(c) - 0xFEE0) if "０" <= c <= "ｚ" or c == "％" else c for c in text)
