"""What to ask of which tier and what must come back. Pure; knows no socket.

The expectations come from the policy document and the method, not from the ruleset that answers:
the filter is not asked whether it agrees with itself.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.evidence.method import Method
from filterd.policy.model import Policy, Tier, TierId, YouTube
from filterd.policy.taxonomy import Engine, Taxonomy
from filterd.policy.tiers import strictest

ZONE = "canary.filterd.test"
QTYPES = ("A", "AAAA", "HTTPS")
UNKNOWN = "unknown"
"""The tier's place in results for sources that belong to no segment (TX of the method)."""

DOH_HOSTS = (
    *("dns.google", "cloudflare-dns.com", "mozilla.cloudflare-dns.com", "one.one.one.one"),
    *("chrome.cloudflare-dns.com", "dns.quad9.net", "doh.opendns.com", "dns.adguard-dns.com"),
    *("dns.nextdns.io", "doh.cleanbrowsing.org", "doh.mullvad.net", "dns.controld.com"),
)
"""DoH services that browsers and phones offer by name; blocked wherever bypass is."""
VPN_HOSTS = ("protonvpn.com", "nordvpn.com", "torproject.org", "windscribe.com")


class Kind(enum.StrEnum):
    """Which count of the summary a check belongs to."""

    BLOCK = "block"
    ALLOW = "allow"
    SAFE_SEARCH = "safesearch"
    BYPASS = "bypass"


class Want(enum.Enum):
    """What must come back."""

    BLOCKED = enum.auto()
    NOT_BLOCKED = enum.auto()
    REWRITTEN = enum.auto()
    NXDOMAIN = enum.auto()
    NEGATIVE = enum.auto()
    OWN_OR_NOTHING = enum.auto()
    NO_ECH = enum.auto()


@dataclass(frozen=True, slots=True)
class Check:
    """One question: `subject` is the category, engine or test it counts for; `target` are the
    answers of which one must be there when `want` is REWRITTEN."""

    kind: Kind
    tier: str
    subject: str
    name: str
    qtype: str
    want: Want
    target: tuple[str, ...] = ()


def always_blocked(tier: Tier, method: Method) -> frozenset[str]:
    """Categories that are blocked for the tier at every hour, whatever its schedule says."""
    loosened = {category for period in tier.schedule for category in period.effect.allow}
    return frozenset(tier.blocked - loosened) | method.locked(tier.pupils)


def tiers(policy: Policy) -> dict[str, Tier]:
    """Every tier under its id, and the strictest under `unknown`."""
    found = {str(tier.id): tier for tier in policy.tiers}
    chosen: TierId = policy.unknown if policy.unknown is not None else strictest(policy)
    return {**found, UNKNOWN: found[chosen]}


def plan(policy: Policy, taxonomy: Taxonomy, method: Method, turn: int | None) -> list[Check]:
    """Every check of one run. `turn` picks the part of the must-allow pack for this run (each name
    comes up once in `PARTS` turns); None takes the whole pack."""
    return [
        check
        for place, tier in tiers(policy).items()
        for part in (
            _must_block(place, tier, method),
            _must_allow(place, tier, taxonomy, turn),
            _safe_search(place, tier, taxonomy),
            _bypass(place, tier, method),
        )
        for check in part
    ]


PARTS = 12
"""The must-allow pack is asked in this many turns, so that one run stays short."""


def _must_block(place: str, tier: Tier, method: Method) -> Iterator[Check]:
    for category in sorted(always_blocked(tier, method)):
        for qtype in QTYPES:
            yield Check(Kind.BLOCK, place, category, f"{category}.{ZONE}", qtype, Want.BLOCKED)
            # The same canary behind a CNAME of a name on no list: what trackers do to hide.
            yield Check(
                Kind.BLOCK, place, category, f"cloak-{category}.{ZONE}", qtype, Want.BLOCKED
            )


def _must_allow(place: str, tier: Tier, taxonomy: Taxonomy, turn: int | None) -> Iterator[Check]:
    yield Check(
        Kind.ALLOW, place, "allowed_canary", f"allowed.{ZONE}", "A", Want.REWRITTEN, ("192.0.2.1",)
    )
    groups = taxonomy.must_allow
    chosen = tier.allowed_groups if tier.allow_only else tuple(groups)
    names = sorted({name for id_ in chosen if id_ in groups for name in groups[id_].names})
    for number, name in enumerate(names):
        if turn is None or number % PARTS == turn % PARTS:
            yield Check(Kind.ALLOW, place, "must_allow", name, "A", Want.NOT_BLOCKED)


def _safe_search(place: str, tier: Tier, taxonomy: Taxonomy) -> Iterator[Check]:
    # An allow-only tier blocks engines before it would rewrite them: blocked is safe too.
    table = taxonomy.safe_search
    for engine in table.engines:
        if engine.id in tier.safe_search:
            for name in _samples(engine):
                yield _rewrite(place, engine.id, name, _targets(engine))
    if tier.youtube is not YouTube.OFF:
        target = table.strict if tier.youtube is YouTube.STRICT else table.moderate
        for name in table.youtube:
            yield _rewrite(place, "youtube", name, (str(target),))
    if tier.block_unsafe_engines:
        for name in table.unsafe[:4]:
            yield Check(Kind.SAFE_SEARCH, place, "unsafe_engines", name, "A", Want.BLOCKED)


def _rewrite(place: str, subject: str, name: str, target: tuple[str, ...]) -> Check:
    return Check(Kind.SAFE_SEARCH, place, subject, name, "A", Want.REWRITTEN, target)


def _samples(engine: Engine) -> tuple[str, ...]:
    """All names of a small engine; of Google's table the Vietnamese, the main and every tenth."""
    names = [str(name) for name in engine.names]
    if len(names) <= 12:
        return tuple(names)
    wanted = {f"www.{engine.id}.com", f"www.{engine.id}.com.vn", *names[::10]}
    return tuple(name for name in names if name in wanted)


def _targets(engine: Engine) -> tuple[str, ...]:
    return tuple(map(str, engine.cnames)) or (*engine.a, *engine.aaaa)


def _bypass(place: str, tier: Tier, method: Method) -> Iterator[Check]:
    def one(subject: str, name: str, qtype: str, want: Want) -> Check:
        return Check(Kind.BYPASS, place, subject, name, qtype, want)

    yield one("firefox_canary", "use-application-dns.net", "A", Want.NXDOMAIN)
    yield one("firefox_canary", "use-application-dns.net", "AAAA", Want.NXDOMAIN)
    for relay in ("mask.icloud.com", "mask-h2.icloud.com"):
        yield one("apple_relay", relay, "A", Want.NEGATIVE)
        yield one("apple_relay", relay, "AAAA", Want.NEGATIVE)
    yield one("ddr", "_dns.resolver.arpa", "SVCB", Want.OWN_OR_NOTHING)
    yield one("rebinding", f"rebind.{ZONE}", "A", Want.BLOCKED)
    yield one("ech_stripped", f"ech.{ZONE}", "HTTPS", Want.NO_ECH)
    if "bypass" in always_blocked(tier, method):
        for host in DOH_HOSTS:
            yield one("doh_hosts", host, "A", Want.BLOCKED)
            yield one("doh_hosts", host, "HTTPS", Want.BLOCKED)
        for host in VPN_HOSTS:
            yield one("vpn_tor", host, "A", Want.BLOCKED)
