"""Readings → the Prometheus text format; the only user of prometheus_client besides `endpoints`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from filterd.metrics.reading import LABELS, Kind, Reading, Sample

PREFIX = "filterd_"


class _Told(Collector):
    """Gives fixed readings to a registry."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = tuple(readings)

    def collect(self) -> Iterator[Metric]:
        for reading in self._readings:
            yield _family(reading)


def exposition(readings: Iterable[Reading], local: bool) -> bytes:
    """The readings as text; without `local`, only those that are safe outside the school."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(r for r in readings if local or not r.local))
    return generate_latest(registry)


def _family(reading: Reading) -> Metric:
    name, text = PREFIX + reading.name, reading.text
    names = sorted({label for sample in reading.samples for label in sample.labels})
    unknown = set(names) - LABELS
    if unknown:
        raise ValueError(f"{name} has labels that are not bounded: {sorted(unknown)}")
    if reading.kind is Kind.HISTOGRAM:
        return _histogram(name, text, names, reading.samples)
    if reading.kind is Kind.INFO:
        info = InfoMetricFamily(name, text)
        for sample in reading.samples:
            info.add_metric([], dict(sample.labels))
        return info
    make = CounterMetricFamily if reading.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(name, text, labels=names)
    for sample in reading.samples:
        family.add_metric([sample.labels.get(label, "") for label in names], sample.value)
    return family


def _histogram(
    name: str, text: str, names: list[str], samples: tuple[Sample, ...]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=names)
    for sample in samples:
        buckets = [(_bound(bound), float(count)) for bound, count in sample.buckets]
        values = [sample.labels.get(label, "") for label in names]
        family.add_metric(values, buckets, sample.value)
    return family


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)
