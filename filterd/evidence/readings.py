"""The evidence as metrics: safe outside the school, because it tells of the filter alone.

Names and labels as contract §6; sensitive categories have no series of events anywhere, and a
canary's result is no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from filterd.evidence.ports import Gathered
from filterd.evidence.recorder import Snapshot
from filterd.evidence.records import Pair
from filterd.metrics.reading import Kind, Reading, Sample, counter, gauge


def readings(snapshot: Snapshot, now: datetime) -> Iterable[Reading]:
    """Everything that the evidence tells a scrape."""
    total = snapshot.account.total
    last = snapshot.account.last
    yield counter(
        "exposed_seconds", "Internet up, filter not enforcing", total.exposed / 1000, False
    )
    yield counter("enforcing_seconds", "Proven to be enforcing", total.enforcing / 1000, False)
    yield counter("offline_seconds", "No Internet for the school", total.offline / 1000, False)
    yield counter("paused_seconds", "Paused by somebody", total.paused / 1000, False)
    state = last.kind.value if last else "unknown"
    samples = tuple(
        Sample({"state": each}, float(each == state))
        for each in ("enforcing", "exposed", "offline", "unknown")
    )
    yield Reading("exposure_state", "What the last tick saw", Kind.GAUGE, samples, local=False)
    yield gauge("summaries_spooled", "Signed summaries not yet taken", snapshot.spooled, False)
    oldest = snapshot.oldest_unsent
    age = (now.date() - oldest).days * 86_400 if oldest else 0
    yield gauge("summaries_oldest_seconds", "Age of the oldest one waiting", age, False)
    if snapshot.facts is not None:
        yield from _facts(snapshot.facts)
    if snapshot.newest is None or snapshot.newest_at is None:
        return
    newest = snapshot.newest
    yield gauge(
        "selftest_age_seconds", "Since the newest self-test ended",
        (now - snapshot.newest_at).total_seconds(), False,
    )  # fmt: skip
    yield gauge("selftest_scheduled", "Checks of the newest run", newest["scheduled"], False)
    yield gauge("selftest_executed", "Checks that could be asked", newest["executed"], False)
    yield _passed("canary_pass", "Must-block canaries all passed", "category", newest["block"])
    yield _passed("safesearch_pass", "Rewrites all right", "engine", newest["safesearch"])
    yield _flat("must_allow_pass", "Names that must work all do", "tier", newest["allow"])
    yield _flat("bypass_pass", "Circumvention test passed", "test", newest["bypass"])


def _facts(facts: Gathered) -> Iterable[Reading]:
    """What the other rooms said at the last round (ten minutes at most ago)."""

    def lists(name: str, text: str, values: Mapping[str, float]) -> Reading:
        samples = tuple(Sample({"list": id_}, value) for id_, value in sorted(values.items()))
        return Reading(name, text, Kind.GAUGE, samples, local=False)

    known = facts["lists"]
    yield lists("list_intact", "Whole and not in quarantine", {f["id"]: f["intact"] for f in known})
    segments = facts["segments"]
    states = {"bound": segments["bound"], "unbound": segments["seen"] - segments["bound"]}
    samples = tuple(Sample({"state": state}, n) for state, n in states.items())
    yield Reading("segments", "Segments seen, by tier binding", Kind.GAUGE, samples, local=False)
    changes, privacy = facts["changes"], facts["privacy"]
    yield gauge("audit_chain_ok", "The audit chain verifies", changes["chain_ok"], False)
    yield gauge("exceptions", "Floor exceptions in force", changes["exceptions"], False)
    yield gauge("tickets_overdue", "Open past their due time", facts["tickets"]["overdue"], False)
    yield gauge(
        "oldest_record_seconds", "Oldest kept raw record", privacy["oldest_record_s"], False
    )


def _passed(name: str, text: str, label: str, table: Mapping[str, Mapping[str, Pair]]) -> Reading:
    samples = tuple(
        Sample({label: key, "tier": tier}, float(pair[0] == pair[1]))
        for tier, cells in sorted(table.items())
        for key, pair in sorted(cells.items())
    )
    return Reading(name, text, Kind.GAUGE, samples, local=False)


def _flat(name: str, text: str, label: str, table: Mapping[str, Pair]) -> Reading:
    samples = tuple(
        Sample({label: key}, float(pair[0] == pair[1])) for key, pair in sorted(table.items())
    )
    return Reading(name, text, Kind.GAUGE, samples, local=False)
