from __future__ import annotations

import copy
import io
import zipfile

import pytest
import yaml

from edu_platform.core.db import reading, writing
from edu_platform.library.content import run
from edu_platform.quizzes import operations, queries
from edu_platform.quizzes.rules.questions import parse
from tests.cast import sign_in_learner
from tests.quizzes.conftest import QUESTIONS, fill_in, multiple, single, true_false

COLUMNS = "- {slug: risk-alerts, title: 风险提示, intro: 提醒大家。, order: 1}\n"
QUIZ = """\
title: 小测验
summary: 几道题，几分钟。
audiences: [elderly]
rights: [property_safety]
column: risk-alerts
cover: {illustration: quiz-bulb, ground: sky}
paper:
  fixed: [q-1, q-2]
"""
DRAWN = QUIZ.replace("  fixed: [q-1, q-2]\n", "  draw:\n    - {bank: bank, difficulty: easy, count: %d}\n")


@pytest.fixture
def root(app, tmp_path):
    (tmp_path / "columns.yaml").write_text(COLUMNS)
    for folder in ("questions", "quizzes"):
        (tmp_path / folder).mkdir()
    write_bank(tmp_path, QUESTIONS)
    (tmp_path / "quizzes" / "small-quiz.yaml").write_text(QUIZ)
    return tmp_path


def write_bank(root, questions, name="bank"):
    text = yaml.safe_dump(
        {"bank": name, "title": "题库", "questions": questions}, allow_unicode=True, sort_keys=False
    )
    (root / "questions" / f"{name}.yaml").write_text(text)
    return text


def problems(root):
    return [(p.file, p.path, p.reason) for p in run.check(root).problems]


def import_tree(app, root):
    with app.app_context(), writing() as session:
        return run.import_(session, root, settings=app.config["EDU"]).counts


def test_a_good_tree_has_no_problems(root):
    assert problems(root) == []


def test_an_import_publishes_and_a_second_one_changes_nothing(app, root):
    counts = import_tree(app, root)
    assert (counts["questions"].new, counts["quizzes"].new) == (5, 1)
    _, headers = sign_in_learner(app)
    started = app.test_client().post(
        "/api/v1/quizzes/small-quiz/attempts", headers=headers, json={"client_id": "a"}
    )
    assert started.status_code == 201
    again = import_tree(app, root)
    assert (again["questions"].same, again["questions"].new, again["questions"].changed) == (5, 0, 0)
    assert (again["quizzes"].same, again["quizzes"].changed) == (1, 0)


def test_a_changed_question_makes_one_version_and_republishes_the_quizzes_that_use_it(app, root):
    (root / "quizzes" / "other.yaml").write_text(QUIZ.replace("q-1, q-2", "q-4").replace("小测验", "另一份"))
    import_tree(app, root)
    changed = copy.deepcopy(QUESTIONS)
    changed[0]["explanation"] = "解析改写过了，比原来多讲了一层道理。"
    write_bank(root, changed)
    counts = import_tree(app, root)
    assert (counts["questions"].changed, counts["questions"].same) == (1, 4)
    assert (counts["quizzes"].changed, counts["quizzes"].same) == (1, 1)
    with app.app_context():
        found = operations.question_of(reading(), "q-1")
        assert found.version.number == 2
        assert [v.number for v in operations.versions_of(reading(), found.question)] == [2, 1]
        assert found.key["explanation"].startswith("解析改写过了")


def test_every_mistake_is_named_by_file_line_and_path(root):
    bad = copy.deepcopy(QUESTIONS)
    bad[0]["options"][0]["correct"] = True
    bad[1]["explanation"] = "太短"
    bad[2]["colour"] = "red"
    write_bank(root, bad)
    found = run.check(root).problems
    assert {p.file for p in found} >= {"questions/bank.yaml"}
    by_path = {p.path: p for p in found}
    assert "1 个正确选项，现有 2 个" in by_path["questions[0].options"].reason
    assert "至少 15 个字" in by_path["questions[1].explanation"].reason
    assert "questions[2].colour" in by_path
    lines = (root / "questions" / "bank.yaml").read_text().split("\n")
    assert "太短" in lines[by_path["questions[1].explanation"].line - 1]


@pytest.mark.parametrize(
    ("quiz", "path", "reason"),
    [
        (QUIZ.replace("q-2", "q-99"), "paper.fixed[1]", "没有题目“q-99”"),
        (DRAWN % 9, "paper.draw[0].count", "只有 5 道"),
        (DRAWN.replace("bank: bank", "bank: none") % 1, "paper.draw[0].bank", "没有题库“none”"),
        (QUIZ + "points: ten\n", "points", "应为整数"),
        (QUIZ + "colour: red\n", "colour", "不认识的字段"),
        (QUIZ.replace("elderly", "everybody"), "audiences[0]", "everybody"),
        (QUIZ + "reveal: after_close\n", "closes_at", "须写截止时间"),
        (QUIZ + "opens_at: 2026-03-01\n", "opens_at", "带时区的时间"),
    ],
)
def test_a_quiz_with_a_mistake_is_refused(root, quiz, path, reason):
    (root / "quizzes" / "small-quiz.yaml").write_text(quiz)
    assert [(f, p) for f, p, r in problems(root) if reason in r] == [("quizzes/small-quiz.yaml", path)]


def test_two_banks_may_not_share_a_ref_or_a_name(root):
    write_bank(root, [{**single("q-1"), "stem": "完全不同的一道题，却用了同一个编号？"}], "other")
    text = write_bank(root, [single("z-1")], "third")
    (root / "questions" / "third.yaml").write_text(text.replace("bank: third", "bank: bank"))
    reasons = [r for _, _, r in problems(root)]
    assert any("编号“q-1”" in r and "重复" in r for r in reasons)
    assert any("题库“bank”已在" in r for r in reasons)


def test_a_near_repetition_is_found(root):
    one = single("n-1", stem="接到自称银行客服的电话，要求您转账到安全账户，应该怎么办？")
    one["options"] = [
        {"text": t, "correct": n == 1}
        for n, t in enumerate(["照他说的转账过去", "挂断后拨打官方电话核实", "把验证码念给他听"])
    ]
    two = copy.deepcopy(one)
    two["id"] = "n-2"
    two["stem"] = "接到自称银行客服的电话，要求您转账到安全账户，应该怎样办？"
    write_bank(root, [*QUESTIONS, one, two])
    assert [(p, "几乎相同" in r) for _, p, r in problems(root)] == [("questions[6]", True)]


def test_a_bank_that_gives_its_answers_away_is_a_finding(root):
    questions = [
        single(f"t-{n}", n % 4, stem=f"第{n}题问的是{'甲乙丙丁戊己庚辛壬癸'[n]}事，该怎样做才对？")
        for n in range(10)
    ]
    for question in questions:
        for option in question["options"]:
            option["text"] += "，而且要写得格外地长一些才行" if option["correct"] else ""
    text = write_bank(root, [*QUESTIONS, *questions])
    assert any("总挑最长的选项，88% 能对" in r for _, _, r in problems(root))
    assert any("总挑最长的能对 88%" in line for line in run.check(root).measures)
    # the control: the same bank with options of one length
    (root / "questions" / "bank.yaml").write_text(text.replace("，而且要写得格外地长一些才行", ""))
    assert problems(root) == []


def test_a_private_telephone_number_is_found(root):
    write_bank(
        root, [*QUESTIONS, {**single("p-1"), "explanation": "请拨打 13912345678 找小王，他会帮您办好一切。"}]
    )
    assert any("13912345678" in r for _, _, r in problems(root))


# Tables

HEAD = "编号,题型,题干,选项A,选项B,选项C,选项D,答案,解析,难度,主题,权利,受众,依据\n"
ROWS = (
    "t-1,单选题,接到陌生电话说您中奖了应该怎样做？,先交税,挂断核实,告诉密码,转给家人,B,中奖不会要先交钱，先核实再说，别急着转账。,易,"
    "电信诈骗,财产安全权,老年人,《中华人民共和国反电信网络诈骗法》第二条\n"
    "t-2,多选,下面哪些做法可以保护个人信息？,撕掉快递单,随手扫码,设置密码,到处填表,A C,撕掉单据、设好密码都能减少泄露的机会。,中等,,信息安全权,,\n"
    "t-3,判断题,陌生链接点一下没有关系。,,,,,错,链接里可能藏着木马程序，不认识的不要点。,easy,,,,\n"
    "t-4,填空,反诈专线的号码是____。,,,,,96110|九六一一〇,反诈专线打来的电话要接听，多半是在提醒您。,难,,,,\n"
)


def test_a_table_says_the_same_as_yaml(root):
    from edu_platform.library.source import Problems, SourceFile
    from edu_platform.quizzes.content.banks import read_bank

    found = Problems()
    for encoding in ("utf-8", "utf-8-sig", "gbk"):
        bank = read_bank(SourceFile("questions/table.csv", (HEAD + ROWS).encode(encoding)), found)
        assert found == []
        one, two, three, four = [source.parsed for source in bank.questions]
        assert (one.content["type"], one.key["correct"], one.content["difficulty"]) == ("single", [1], "easy")
        assert one.content["rights"] == ["property_safety"]
        assert one.content["audiences"] == ["elderly"]
        assert one.key["source"] == {"name": "中华人民共和国反电信网络诈骗法", "article": "第二条"}
        assert (two.content["type"], two.key["correct"]) == ("multiple", [0, 2])
        assert (three.key["correct"], three.content["options"]) == (False, [])
        assert four.key["correct"] == [["96110", "九六一一〇"]]
        assert (bank.name, bank.title) == ("table", None)


def workbook(rows):
    """Rows of text as a workbook of one sheet."""
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    cells = "".join(f"<row>{''.join(map(cell.format, row))}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="题" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/worksheet"'
            ' Target="worksheets/sheet1.xml"/></Relationships>',
        )
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        )
    return data.getvalue()


def test_a_workbook_is_read_too(root):
    from edu_platform.library.source import Problems, SourceFile
    from edu_platform.quizzes.content.banks import read_bank

    rows = [line.split(",") for line in (HEAD + ROWS).strip().split("\n")]
    found = Problems()
    bank = read_bank(SourceFile("questions/table.xlsx", workbook(rows)), found)
    assert found == []
    assert [source.parsed.ref for source in bank.questions] == ["t-1", "t-2", "t-3", "t-4"]


def test_an_address_in_a_workbook_is_found(root):
    rows = [line.split(",") for line in (HEAD + ROWS).strip().split("\n")]
    book = root / "questions" / "table.xlsx"
    book.write_bytes(workbook(rows))
    assert problems(root) == []
    rows[4][rows[0].index("解析")] += "想了解的登录 bank.example.com 就行。"
    book.write_bytes(workbook(rows))
    assert [(file, "bank.example.com" in reason) for file, _, reason in problems(root)] == [
        ("questions/table.xlsx", True)
    ]


# Staff


def post(desk, path, body):
    return desk.app.test_client().post(f"/api/v1/staff{path}", headers=desk.editor_headers, json=body)


def get(desk, path):
    return desk.app.test_client().get(f"/api/v1/staff{path}", headers=desk.editor_headers)


def test_an_editor_keeps_a_question_and_sees_its_versions(desk):
    first = post(desk, "/questions", {"bank": "bank", "question": single("q-1")})
    assert (first.status_code, first.json["outcome"], first.json["version"]) == (200, "new", 1)
    assert post(desk, "/questions", {"bank": "bank", "question": single("q-1")}).json["outcome"] == "same"
    changed = {**single("q-1"), "difficulty": "hard"}
    assert post(desk, "/questions", {"bank": "bank", "question": changed}).json["outcome"] == "changed"
    seen = get(desk, "/questions/q-1").json
    assert (seen["version"], [v["number"] for v in seen["versions"]]) == (2, [2, 1])
    assert seen["options"][1] == {"text": "q-1选项乙", "correct": True}
    assert "why" in seen["options"][0]
    taken = post(desk, "/questions", {"bank": "elsewhere", "question": changed})
    assert (taken.status_code, taken.json["code"]) == (409, "ref_taken")
    assert get(desk, "/questions/nothing").status_code == 404
    assert get(desk, "/questions/%00").status_code == 404


def test_a_bad_question_is_refused_by_field(desk):
    bad = single("q-1")
    bad["options"] = bad["options"][:2]
    response = post(desk, "/questions", {"bank": "bank", "question": bad})
    assert response.status_code == 422
    assert [e["field"] for e in response.json["errors"]] == ["question.options"]
    assert get(desk, "/questions").json["items"] == []
    assert post(desk, "/questions", {"bank": "Bank!", "question": []}).status_code == 422


def test_questions_are_listed_filtered_and_searched(desk):
    desk.keep()
    desk.keep(
        [single("z-1", difficulty="hard"), single("z-2", stem="怎样才算百分之百_安全的做法？")], bank="other"
    )

    def refs(query):
        response = get(desk, f"/questions?{query}")
        assert response.status_code == 200, response.json
        return [q["ref"] for q in response.json["items"]]

    assert refs("") == ["q-1", "q-2", "q-3", "q-4", "q-5", "z-1", "z-2"]
    assert refs("bank=other") == ["z-1", "z-2"]
    assert refs("type=fill_in") == ["q-5"]
    assert refs("difficulty=hard") == ["z-1"]
    assert refs("q=百分之百_安全") == ["z-2"]
    assert refs("q=百分之百%25安全") == []
    assert refs("q=z-&type=single") == ["z-1", "z-2"]
    page = get(desk, "/questions?limit=4").json
    assert refs(f"cursor={page['next_cursor']}") == ["q-5", "z-1", "z-2"]
    assert get(desk, "/questions?type=essay").status_code == 422


def test_only_editors_see_questions(desk, app):
    from edu_platform.core.vocabulary import Role
    from tests.cast import staff_member, visitor

    desk.keep()
    for headers in (visitor(app)[1], staff_member(app, Role.ANALYST, Role.ADMIN)[1]):
        client = app.test_client()
        for path in ("questions", "questions/q-1"):
            assert client.get(f"/api/v1/staff/{path}", headers=headers).status_code == 403
        for path in ("questions", "banks"):
            assert client.post(f"/api/v1/staff/{path}", headers=headers, json={}).status_code == 403
    assert app.test_client().get("/api/v1/staff/questions").status_code == 401


def test_a_bank_is_uploaded_whole_or_not_at_all(desk, tmp_path):
    (tmp_path / "questions").mkdir()
    text = write_bank(
        tmp_path, [single("u-1"), multiple("u-2"), true_false("u-3"), fill_in("u-4")], "uploaded"
    )
    done = post(desk, "/banks", {"format": "yaml", "text": text})
    assert done.status_code == 200, done.json
    assert (done.json["bank"], done.json["new"], done.json["changed"]) == ("uploaded", 4, 0)
    assert post(desk, "/banks", {"format": "yaml", "text": text}).json["same"] == 4
    bad = text.replace("u-4", "u-3").replace("easy", "brutal", 1)
    refused = post(desk, "/banks", {"format": "yaml", "text": bad})
    assert refused.status_code == 422
    fields = {e["field"]: e["reason"] for e in refused.json["errors"]}
    assert "第" in fields["text.questions[0].difficulty"]
    table = post(desk, "/banks", {"format": "csv", "name": "table", "text": HEAD + ROWS})
    assert (table.status_code, table.json["new"]) == (200, 4)
    row = ROWS.replace("挂断核实", "先交税")
    wrong = post(desk, "/banks", {"format": "csv", "name": "table2", "text": HEAD + row})
    assert [(e["field"], "第 2 行" in e["reason"]) for e in wrong.json["errors"]] == [("text.选项B", True)]
    assert post(desk, "/banks", {"format": "csv", "text": HEAD}).json["errors"][0]["field"] == "name"
    assert post(desk, "/banks", {"format": "yaml", "text": "bank: [\n"}).status_code == 422
    with desk.app.app_context():
        banks = {bank for _, _, bank in reading().execute(queries.latest_versions())}
        assert banks == {"uploaded", "table"}


# The kind


def test_the_kind_says_what_is_wrong_what_it_rests_on_and_what_a_reviewer_reads(desk, app):
    from edu_platform.quizzes.kind import QuizKind

    kind = QuizKind(app.config["EDU"])
    desk.keep()
    with app.app_context():
        session = reading()
        assert kind.check(session, {"paper": {"fixed": ["q-1", "q-9"]}})[0].field == "paper.fixed[1]"
        assert (
            kind.check(session, {"paper": {"draw": [{"bank": "bank", "count": 6}]}})[0].code
            == "unsatisfiable"
        )
        overlapping = [{"bank": "bank", "count": 5}, {"bank": "bank", "difficulty": "easy", "count": 1}]
        assert kind.check(session, {"paper": {"draw": overlapping}})[0].field == "paper.draw[1].count"
        body = {"paper": {"fixed": ["q-1"]}}
        digest = parse(single("q-1"))[0].digest
        assert kind.depends(session, body) == {"questions": {"q-1": digest}}
        drawn = {"paper": {"draw": [{"bank": "bank", "count": 1}]}}
        assert set(kind.depends(session, drawn)["questions"]) == {"q-1", "q-2", "q-3", "q-4", "q-5"}
        read = kind.review_text(session, body)
        assert "√ q-1选项乙" in read
        assert "机密解析：q-1" in read
        assert "q-2" not in read
        assert kind.public_text(body) == ""


def test_the_page_tells_the_rules_and_no_question(desk, app):
    desk.publish(time_limit_seconds=600, attempts={"per_day": 3}, pass_mark=80, reveal="after_pass")
    response = app.test_client().get("/api/v1/pieces/quiz")
    page = response.json
    assert response.status_code == 200
    text = response.get_data(as_text=True)
    assert "选项" not in text.replace("option", "")
    assert "正确做法" not in text
    body = page.get("body", page)
    assert (body["question_count"], body["max_score"], body["pass_mark"]) == (5, 50, 80)
    assert body["attempts"] == {"total": None, "per_day": 3}
    assert body["time_limit_seconds"] == 600
    assert body["elder_variant"]["time_limit_seconds"] is None
    assert body["reveal"]["rule"] == "after_pass"
    assert [t["type"] for t in body["question_types"]] == ["single", "multiple", "true_false", "fill_in"]


def test_an_attempt_goes_on_under_the_paper_that_it_began_with(desk, app):
    from tests.quizzes.conftest import Taker

    desk.publish(points=10)
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()
    desk.publish(points=20)
    assert taker.submit(attempt)["max_score"] == 50
    assert taker.start()["max_score"] == 100
