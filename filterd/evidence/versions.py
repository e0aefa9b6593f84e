"""The versions of the method, each with its dates, and which of them judges a day.

Knows no school and no file but the shipped methods. A month is judged as a whole, by the version
in force on its first day: a threshold that changes in its middle would make two halves of one
verdict, and a month that is over is never judged by a later version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files

from filterd.errors import EvidenceError
from filterd.evidence import method
from filterd.evidence.method import Method, Threshold
from filterd.policy.taxonomy import FLOOR

FIRST = "v0"
_UNMEASURED = frozenset({"insufficient", "cap", "ignore"})


@dataclass(frozen=True, slots=True)
class Versions:
    """At least one method; no two of the same version."""

    methods: tuple[Method, ...]

    def on(self, day: date) -> Method:
        """What judges the month of that day; before and between all of them the last that had
        begun, or the first there is, so that every month has exactly one."""
        first = day.replace(day=1)
        ordered = sorted(self.methods, key=lambda each: (each.valid_from, each.version))
        begun = [each for each in ordered if each.valid_from <= first]
        in_force = [each for each in begun if each.valid_on(first)]
        return (in_force or begun or ordered[:1])[-1]

    def knows(self, version: str) -> bool:
        return any(each.version == version for each in self.methods)

    @property
    def newest(self) -> Method:
        """The one that begins last."""
        return max(self.methods, key=lambda each: (each.valid_from, each.version))


class InUse:
    """The versions that this box goes by: the shipped ones until an office's bundle brings its."""

    def __init__(self) -> None:
        self._source: Callable[[], Versions | None] = lambda: None

    def follow(self, source: Callable[[], Versions | None]) -> None:
        """Go by what `source` says from now on; None from it means the shipped ones."""
        self._source = source

    def on(self, day: date) -> Method:
        return (self._source() or shipped()).on(day)


@cache
def shipped_texts() -> Mapping[str, str]:
    """The method files of this release by version."""
    folder = files("filterd.evidence").joinpath("methods")
    found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".yaml"))
    names = [name.removeprefix("method-").removesuffix(".yaml") for name in found]
    return {name: folder.joinpath(f"method-{name}.yaml").read_text("utf-8") for name in names}


@cache
def shipped() -> Versions:
    return of_texts(shipped_texts())


def of_texts(texts: Mapping[str, str]) -> Versions:
    """The methods of these texts; EvidenceError `bad_method` when one is none or is misnamed."""
    if not texts:
        raise EvidenceError("bad_method", "no method at all")
    found = {version: checked(text) for version, text in texts.items()}
    for version, each in found.items():
        if each.version != version:
            raise EvidenceError("bad_method", f"{version!r} calls itself {each.version!r}")
    return Versions(tuple(found.values()))


def of_bundle(named: str, texts: Mapping[str, str]) -> Versions:
    """What a school goes by under a bundle that names this version; EvidenceError when it cannot.

    A bundle without texts means a version that this release ships, and that one alone.
    """
    found = of_texts(texts) if texts else Versions((method.load(named),))
    if not found.knows(named):
        raise EvidenceError("unknown_method", f"no method {named!r} in the bundle")
    return found


@lru_cache(maxsize=32)
def checked(text: str) -> Method:
    """A method somebody may have edited, every value looked at; EvidenceError `bad_method`."""
    found = method.parse(text)
    fault = _fault(found)
    if fault is not None:
        raise EvidenceError("bad_method", fault)
    return found


@cache
def _first() -> Method:
    return method.load(FIRST)


def _fault(found: Method) -> str | None:
    first = _first()
    if not (found.version.isalnum() and len(found.version) <= 16):
        return f"version: {found.version!r} is not made of letters and digits"
    if type(found.valid_from) is not date or type(found.valid_to) not in (date, type(None)):
        return "valid_from, valid_to: days are needed"
    if found.valid_to is not None and found.valid_to < found.valid_from:
        return "valid_to: before valid_from"
    if list(found.thresholds) != list(first.thresholds):
        return f"indicators: exactly {', '.join(first.thresholds)}, in this order"
    for each in found.thresholds.values():
        if (why := _threshold_fault(each)) is not None:
            return f"{each.id}: {why}"
    return _numbers_fault(found, first) or _floor_fault(found, first)


def _threshold_fault(each: Threshold) -> str | None:
    if not all(type(n) is int and 0 <= n <= 10_000 for n in (each.ok, each.warn)):
        return "pass and warn are basis points from 0 to 10000"
    if (each.ok > each.warn) if each.lower_is_better else (each.ok < each.warn):
        return "warn is stricter than pass"
    return None if each.unmeasured in _UNMEASURED else f"unmeasured: {each.unmeasured!r}"


def _numbers_fault(found: Method, first: Method) -> str | None:
    """Whole numbers where v0 has whole numbers, and none of its entries missing."""
    for each in fields(Method):
        ours, theirs = getattr(found, each.name), getattr(first, each.name)
        if type(theirs) is int and type(ours) is not int:
            return f"{each.name}: a whole number is needed"
        if not isinstance(theirs, Mapping) or each.name in ("thresholds", "mandatory", "lists"):
            continue
        if ours.keys() != theirs.keys() or not all(type(n) is int for n in ours.values()):
            return f"{each.name}: whole numbers for {', '.join(theirs)}"
    for name, rule in found.lists.items():
        if type(rule.max_age_h) is not int or type(rule.min_entries) is not int:
            return f"lists: {name}: whole numbers are needed"
    return None


def _floor_fault(found: Method, first: Method) -> str | None:
    """An office makes the method stricter or other, never looser than what nobody may loosen."""
    everyone = {str(each) for each, floor in FLOOR.items() if floor.value == "everyone"}
    if not everyone <= found.locked_everyone or not {str(e) for e in FLOOR} <= found.locked(True):
        return "locked: a category of the floor is missing"
    wanted = set().union(*found.mandatory.values()) | found.locked(True)
    if missing := sorted(wanted - found.lists.keys()):
        return f"lists: no rule for {', '.join(missing)}"
    ours, theirs = found.privacy, first.privacy
    if not all(type(n) is int for n in (ours.k, ours.dominance, ours.rounding)):
        return "privacy: whole numbers are needed"
    if ours.k < theirs.k or ours.dominance > theirs.dominance or ours.rounding < theirs.rounding:
        return f"privacy: k at least {theirs.k}, dominance at most {theirs.dominance}, " \
               f"rounding at least {theirs.rounding}"  # fmt: skip
    return None
