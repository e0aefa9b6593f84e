"""Which tier an unknown source gets: the strictest. Knows no lists and no clock."""

from __future__ import annotations

from filterd.policy.model import Policy, TierId


def strictest(policy: Policy) -> TierId:
    """`policy.unknown` if set, else the first by (allow-only, most blocked categories, order)."""
    if policy.unknown is not None:
        return policy.unknown
    return min(policy.tiers, key=lambda tier: (not tier.allow_only, -len(tier.blocked))).id
