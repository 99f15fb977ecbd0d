"""How far a bank gives its answers away to somebody who does not read the questions.

By length: how often would always choosing the longest option, or the shortest, be right? By place: is the right one
often in the same place of the file? By habit: are most judgements true, do most multiple choices have equally many
right options? Chance is what blind choosing gets; a bank must not be far from it in either direction, as "never the
longest" tells as much as "always the longest".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edu_platform.quizzes.rules.questions import MOST_OPTIONS, Parsed, QuestionType

LEAST_TO_MEASURE: Final = 12
"""Fewer questions of a type say nothing about a habit."""
MOST_DRIFT: Final = 0.05
"""How far from chance length may lead, one question more or less left aside."""
MOST_RANK_DRIFT: Final = 0.1
MOST_PLACE_DRIFT: Final = 0.1
MOST_TRUE_DRIFT: Final = 0.1
MOST_SAME_RIGHTS: Final = 0.7
MOST_DRIFT_OF_MULTIPLES: Final = 0.1


@dataclass(frozen=True)
class Lead:
    """Where length leads: how often the longest option is right, and the shortest, drawing lots among equals.

    `chance` is how often an option that was drawn by lot among all is.
    """

    longest: float
    shortest: float
    chance: float


@dataclass(frozen=True)
class Tells:
    """What was measured of a set of questions.

    Of single choices: where length leads; `rank` is the mean place of the right option among its own by length, 0 the
    shortest, 1 the longest, equals sharing theirs; `places` is the share of each place in the file that holds the right
    one. Of judgements: the share that is `true`. Of multiple choices: where length leads one who ticks the longest, or
    the shortest; how many of them have so many right options, `rights`.
    """

    singles: int
    single: Lead
    rank: float
    places: Sequence[float]
    judgements: int
    true: float
    multiples: int
    multiple: Lead
    rights: Mapping[int, int]


def tells(questions: Collection[Parsed]) -> Tells:
    """Measure how far length, place and habit give right answers away."""
    of = {type_: [q for q in questions if q.content["type"] == type_] for type_ in QuestionType}
    rank = 0.0
    places = [0] * MOST_OPTIONS
    for question in of[QuestionType.SINGLE]:
        right = question.key["correct"][0]
        lengths = [len(text) for text in question.content["options"]]
        own = lengths[right]
        shorter, equal = sum(n < own for n in lengths), lengths.count(own) - 1
        rank += (shorter + equal / 2) / (len(lengths) - 1)
        places[right] += 1
    judged = [question.key["correct"] for question in of[QuestionType.TRUE_FALSE]]
    rights = Counter(len(question.key["correct"]) for question in of[QuestionType.MULTIPLE])
    singles = len(of[QuestionType.SINGLE])
    each = max(singles, 1)
    return Tells(
        singles=singles,
        single=_lead(of[QuestionType.SINGLE]),
        rank=rank / each,
        places=[place / each for place in places],
        judgements=len(judged),
        true=sum(judged) / max(len(judged), 1),
        multiples=rights.total(),
        multiple=_lead(of[QuestionType.MULTIPLE]),
        rights=dict(sorted(rights.items())),
    )


def _lead(questions: Sequence[Parsed]) -> Lead:
    longest = shortest = chance = 0.0
    for question in questions:
        lengths = [len(text) for text in question.content["options"]]
        right = [lengths[index] for index in question.key["correct"]]
        longest += right.count(max(lengths)) / lengths.count(max(lengths))
        shortest += right.count(min(lengths)) / lengths.count(min(lengths))
        chance += len(right) / len(lengths)
    of = max(len(questions), 1)
    return Lead(longest / of, shortest / of, chance / of)


def tell_problems(measured: Tells) -> list[str]:
    """Say in words what `tells` found to be too far from chance."""
    return [*_of_singles(measured), *_of_others(measured)]


def _of_singles(measured: Tells) -> list[str]:
    if measured.singles < LEAST_TO_MEASURE:
        return []
    one, chance = 1 / measured.singles, measured.single.chance
    found = _of_lead("单选题", measured.single, MOST_DRIFT + one)
    if not found and abs(measured.rank - 0.5) > MOST_RANK_DRIFT + one:
        longer = "偏长" if measured.rank > 0.5 else "偏短"
        found.append(
            f"单选题的正确选项总是{longer}（按长短排在 {measured.rank:.0%} 处，宜在一半上下），请调一调。"
        )
    place, share = max(enumerate(measured.places), key=lambda pair: pair[1])
    if share - chance > MOST_PLACE_DRIFT + one:
        found.append(f"{share:.0%} 的单选题正确选项排在第 {place + 1} 位，随便排是 {chance:.0%}，请打散。")
    return found


def _of_lead(kind: str, lead: Lead, most: float) -> list[str]:
    found = []
    for what, share in (("最长", lead.longest), ("最短", lead.shortest)):
        if abs(share - lead.chance) > most:
            often, remedy = (
                ("不读题也能猜中", "请把干扰项写得一样长")
                if share > lead.chance
                else ("见到就能排除", "请让几道题的正确选项" + what)
            )
            found.append(
                f"{kind}总挑{what}的选项，{share:.0%} 能对，随便挑是 {lead.chance:.0%}，相差太多：{often}，{remedy}。"
            )
    return found


def _of_others(measured: Tells) -> list[str]:
    found = []
    if measured.judgements >= LEAST_TO_MEASURE:
        drift = abs(measured.true - 0.5)
        if drift > MOST_TRUE_DRIFT + 1 / measured.judgements:
            found.append(f"判断题有 {measured.true:.0%} 答案是“对”，宜对错各半。")
    if measured.multiples >= LEAST_TO_MEASURE:
        found += _of_lead("多选题", measured.multiple, MOST_DRIFT_OF_MULTIPLES + 1 / measured.multiples)
        many, questions = max(measured.rights.items(), key=lambda pair: pair[1])
        share = questions / measured.multiples
        if share > MOST_SAME_RIGHTS:
            found.append(f"{share:.0%} 的多选题都有 {many} 个正确选项，一数便知，请有多有少。")
    return found


def tells_line(measured: Tells) -> str:
    """Say in one line what `tells` measured, whether it is too much or not."""
    parts = []
    if measured.singles:
        places = "、".join(
            f"{letter} {share:.0%}" for letter, share in zip("ABCDEF", measured.places, strict=False) if share
        )
        parts.append(
            f"单选 {measured.singles} 道，{_lead_line(measured.single)}，"
            f"长短排在 {measured.rank:.0%} 处，位置 {places}"
        )
    if measured.judgements:
        parts.append(f"判断 {measured.judgements} 道，{measured.true:.0%} 为对")
    if measured.multiples:
        rights = "、".join(f"{many} 项的 {questions} 道" for many, questions in measured.rights.items())
        parts.append(f"多选 {measured.multiples} 道，{_lead_line(measured.multiple)}，正确 {rights}")
    return "；".join(parts) or "只有填空题"


def _lead_line(lead: Lead) -> str:
    return f"总挑最长的能对 {lead.longest:.0%}、最短的 {lead.shortest:.0%}（随便挑 {lead.chance:.0%}）"
