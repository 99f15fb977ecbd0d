"""The dashboard and the alarms ask for figures that the platform gives, and each alarm is explained."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from edu_platform.core.metrics import Histogram, families
from edu_platform.factory.gauges import GAUGES
from tests.servers import ROOT

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    *((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]),
    *((rule["alert"], rule["expr"]) for rule in RULES),
]
pytestmark = pytest.mark.usefixtures("whole_app")  # whose rooms register what they count
OF_PROMETHEUS = {"job", "instance"}


def known():
    """Every series that can be asked for, with its labels."""
    found = {"edu_gauges_failed": set(), "up": set()}
    for gauge in GAUGES:
        found[gauge.name] = {gauge.label} - {None}
    for family in families.values():
        if isinstance(family, Histogram):
            for ending in ("_bucket", "_sum", "_count"):
                found[family.name + ending] = {*family.labels, *({"le"} if ending == "_bucket" else ())}
        else:
            found[family.name] = set(family.labels)
    return found


def unknown(expression):
    """Names and labels in a query that nothing gives."""
    series = known()
    names = set(re.findall(r"\b(?:edu_\w+|up)\b", expression))
    assert names, f"{expression} asks for nothing"
    labels = set()
    for inner in re.findall(r"\{([^}]*)\}", expression):
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', inner)))
    for inner in re.findall(r"\bby \(([^)]*)\)", expression):
        labels |= set(re.findall(r"\w+", inner))
    given = OF_PROMETHEUS.union(*(series.get(name, set()) for name in names))
    return {name for name in names if name not in series} | (labels - given)


@pytest.mark.parametrize(("where", "expression"), QUERIES)
def test_a_query_asks_for_what_there_is(where, expression):
    assert unknown(expression) == set(), where


@pytest.mark.parametrize(
    "wrong", ["edu_http_request_total", "sum by (path) (edu_http_requests_total)", 'edu_ready{chek="x"}']
)
@pytest.mark.control
def test_a_wrong_query_is_noticed(wrong):
    """The control."""
    assert unknown(wrong)


def test_nothing_that_is_told_goes_unseen():
    asked = " ".join(expression for _, expression in QUERIES)
    assert not [
        name
        for name in known()
        if not re.search(rf"\b{name}\b", asked) and not name.endswith(("_sum", "_count"))
    ]


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
    assert all(panel["datasource"]["uid"] == "${source}" for panel in PANELS)


def test_every_alarm_is_explained():
    guide = (ROOT / "docs" / "operator-guide.md").read_text()
    headings = {line.lstrip("# ").split()[0] for line in guide.splitlines() if line.startswith("#")}
    for rule in RULES:
        assert rule["alert"] in headings
        assert rule["annotations"]["runbook"] == f"docs/operator-guide.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}
    for name in known():
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert base == "up" or f"`{base}`" in guide, base
