"""The platform's figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from edu_platform.core.db import reading
from edu_platform.core.metrics import SECONDS, Family, Histogram, families, totals
from edu_platform.factory.gauges import GAUGES, Gauge, look_at_all

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition() -> bytes:
    """Return everything counted and seen; needs an application context."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    return generate_latest(registry)


class _Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        counted: dict[str, list[tuple[list[str], float]]] = {}
        for line, value in totals().items():
            name, *values = line.split("\t")
            counted.setdefault(name, []).append((values, value))
        for family in families.values():
            series = counted.get(family.name, [])
            yield _histogram(family, series) if isinstance(family, Histogram) else _counter(family, series)
        failed = 0
        for gauge, seen, looked in look_at_all(GAUGES, reading()):
            failed += not looked
            if seen is not None:
                yield _gauge(gauge, seen)
        yield GaugeMetricFamily(
            "edu_gauges_failed", "Gauges that could not be looked at just now.", value=failed
        )


def _counter(family: Family, series: list[tuple[list[str], float]]) -> Metric:
    shown = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for values, value in series:
        shown.add_metric(values, value)
    return shown


def _histogram(family: Histogram, series: list[tuple[list[str], float]]) -> Metric:
    shown = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for values, value in series:
        found.setdefault(tuple(values[:-1]), {})[values[-1]] = value
    steps = [*map(str, SECONDS), "+Inf"]
    for labels, numbers in found.items():
        upto = accumulate(numbers.get(step, 0.0) for step in steps)
        shown.add_metric(labels, list(zip(steps, upto, strict=True)), numbers.get("sum", 0.0))
    return shown


def _gauge(gauge: Gauge, seen: float | Mapping[str, float]) -> Metric:
    if not isinstance(seen, Mapping):
        return GaugeMetricFamily(gauge.name, gauge.help, value=seen)
    shown = GaugeMetricFamily(gauge.name, gauge.help, labels=[str(gauge.label)])
    for value, number in seen.items():
        shown.add_metric([value], number)
    return shown
