"""A policy as a set of YAML files: `school.yaml` and one file per tier (contract §3).

`parse` finds every mistake of every file at once. Knows which files make a policy and what must
agree between them; their keys are known to `school_document` and `tier_document`.
"""

from __future__ import annotations

from collections.abc import Mapping

from filterd.errors import PolicyError, Problem
from filterd.policy.dump import dump as dump
from filterd.policy.model import Policy, Tier, TierId
from filterd.policy.reader import Fields, Log, ValueProblem
from filterd.policy.schema import schema as schema
from filterd.policy.school_document import KEYS, SCHOOL, School, read_school
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.tier_document import known_words, read_tier
from filterd.policy.tree import Mapping as Tree
from filterd.policy.tree import read_tree

MAX_TIERS = 32


def parse(files: Mapping[str, str], taxonomy: Taxonomy) -> Policy:
    """The policy of these files (name → text); PolicyError carries all their mistakes.

    Every `*.yaml` besides `school.yaml` is a tier. Tiers stand in the order of `tiers:` in
    `school.yaml`, without it in the order of their file names.
    """
    problems: list[Problem] = []
    tiers = _tiers(files, taxonomy, problems)
    if SCHOOL not in files:
        problems.append(
            Problem(SCHOOL, None, "(file)", "is missing", None, "còn thiếu tệp school.yaml")
        )
    tree = read_tree(SCHOOL, files.get(SCHOOL, ""))
    if isinstance(tree, Problem):
        problems.append(tree)
        tree = Tree(1, ())
    fields = Fields(Log(SCHOOL, problems), tree, "", KEYS)
    ids = tuple(str(tier.id) for tier in tiers)
    school = read_school(fields, ids, tuple(str(tier.id) for tier in tiers if tier.pupils))
    ordered = _ordered(fields, school, tiers)
    if problems:
        raise PolicyError(problems)
    return _policy(school, ordered)


def _tiers(files: Mapping[str, str], taxonomy: Taxonomy, problems: list[Problem]) -> list[Tier]:
    known = known_words(taxonomy)
    found: list[Tier] = []
    for file in sorted(name for name in files if name != SCHOOL and name.endswith(".yaml")):
        log = Log(file, problems)
        tree = read_tree(file, files[file])
        if isinstance(tree, Problem):
            problems.append(tree)
            continue
        tier = read_tier(log, tree, known)
        if any(other.id == tier.id for other in found):
            log.add(
                1, "id", ValueProblem(f"{tier.id!r} stands in two files", f"{tier.id!r} có hai tệp")
            )
        found.append(tier)
    if not any(tier.pupils for tier in found):
        problems.append(
            Problem(SCHOOL, None, "tiers", "no tier for pupils", None, "chưa có bậc học sinh nào")
        )
    if len(found) > MAX_TIERS:
        problems.append(
            Problem(SCHOOL, None, "tiers", f"more than {MAX_TIERS}", None, f"quá {MAX_TIERS} bậc")
        )
    return found


def _ordered(fields: Fields, school: School, tiers: list[Tier]) -> tuple[Tier, ...]:
    if not school.order:
        return tuple(tiers)
    missing = [tier.id for tier in tiers if tier.id not in school.order]
    if missing or len(set(school.order)) != len(school.order):
        fields.wrong(
            "tiers",
            ValueProblem(
                "must name every tier once; missing: " + (", ".join(missing) or "none"),
                "phải nêu mỗi bậc đúng một lần; thiếu: " + (", ".join(missing) or "không"),
            ),
        )
    place: dict[TierId, int] = {tier: number for number, tier in enumerate(school.order)}
    return tuple(sorted(tiers, key=lambda tier: place.get(tier.id, len(place))))


def _policy(school: School, tiers: tuple[Tier, ...]) -> Policy:
    return Policy(
        identity=school.identity,
        time_zone=school.time_zone,
        tiers=tiers,
        segments=school.segments,
        devices=school.devices,
        records=school.records,
        internal_zones=school.internal_zones,
        overrides=school.overrides,
        exams=school.exams,
        calendar=school.calendar,
        authority=school.authority,
        portal=school.portal,
        unknown=school.unknown,
    )
