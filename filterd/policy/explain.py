"""Why a name comes out as it does, in every tier, and what to do about it: for people.

Reads names as people paste them. Knows how to word a verdict in both languages; decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from filterd.policy.expect import outcome
from filterd.policy.model import Name, TierId, Title
from filterd.policy.onward import Hop, Internet, follow, looks_up
from filterd.policy.origins import REBINDING
from filterd.policy.ruleset import Ruleset
from filterd.policy.taxonomy import WITHOUT_EXCEPTION
from filterd.policy.verdict import Alias, Blocked, Placement, Question, Rewritten, Step, Verdict
from filterd.wire.constants import NXDOMAIN
from filterd.wire.names import from_text

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(?=//)|^mailto:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One tier's verdict; `until`: when other rules come into force, `change`: the way to it.

    `hops` are the names and addresses behind the name, in order; a refusal of the last one is the
    verdict. `unknown`: there may be some, and nobody could be asked.
    """

    tier: TierId
    verdict: Verdict
    until: datetime | None
    change: Title
    hops: tuple[Hop, ...] = ()
    unknown: bool = False

    def as_json(self) -> dict[str, object]:
        """The fields that scripts and the console read."""
        origin = self.verdict.origin
        return {
            "tier": self.tier,
            "verdict": outcome(self.verdict),
            "step": origin.step.value,
            "rule": origin.rule,
            "list": origin.list,
            "category": origin.category,
            "file": origin.file,
            "line": origin.line,
            "answer": answer_text(self.verdict),
            "chain": None if self.unknown else [_hop(hop) for hop in self.hops],
            "until": self.until.isoformat() if self.until else None,
            "change": {"vi": self.change.vi, "en": self.change.en},
        }


def typed_name(text: str) -> Name:
    """A name as people type or paste it: URL, mail address, port, capitals, IDN, final dot.

    ValueError says what is wrong.
    """
    rest = _SCHEME.sub("", text.strip()).removeprefix("//")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = re.sub(r":\d{1,5}$", "", host).removeprefix("*.").strip()
    if not host:
        raise ValueError(f"{text[:80]!r} holds no name")
    return from_text(host)


def explain(
    ruleset: Ruleset,
    question: Question,
    placements: Iterable[Placement],
    at: datetime | None,
    internet: Internet = lambda name: None,
) -> tuple[Explanation, ...]:
    """The verdict on a question for each of these places, and on where its answer leads."""
    found = []
    for placement in placements:
        effective = ruleset.effective(placement, at)
        verdict = effective.verdict(question)
        hops: tuple[Hop, ...] = ()
        looked, wanted = None, looks_up(question, verdict)
        if wanted is not None:
            looked = internet(wanted)
        if looked is not None and looked.error is None:
            hops, refusal = follow(effective, question, verdict, looked)
            verdict = verdict if refusal is None else refusal
        unknown = wanted is not None and (looked is None or looked.error is not None)
        found.append(
            Explanation(
                effective.tier, verdict, effective.until, change_text(verdict), hops, unknown
            )
        )
    return tuple(found)


def wanted(
    ruleset: Ruleset, question: Question, placements: Iterable[Placement], at: datetime | None
) -> tuple[Name, ...]:
    """The names that must be looked up to explain a question for all these places."""
    verdicts = (ruleset.effective(each, at).verdict(question) for each in placements)
    names = (looks_up(question, verdict) for verdict in verdicts)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _hop(hop: Hop) -> dict[str, object]:
    origin = None if hop.refusal is None else hop.refusal.origin
    return {
        "name": hop.text,
        "verdict": "allowed" if origin is None else "blocked",
        "rule": origin.rule if origin else None,
        "list": origin.list if origin else None,
        "category": origin.category if origin else None,
    }


def answer_text(verdict: Verdict) -> str | None:
    """What the client is told, or None where the Internet answers."""
    if isinstance(verdict, Blocked):
        return verdict.action.value
    if not isinstance(verdict, Rewritten):
        return None
    if isinstance(verdict.answer, Alias):
        return f"CNAME {verdict.answer.target}"
    if verdict.answer.rcode == NXDOMAIN:
        return "NXDOMAIN"
    return ", ".join(f"{type} {value}" for _, type, _, value in verdict.answer.records) or "NODATA"


def change_text(verdict: Verdict) -> Title:
    """What a school does to change a verdict: the shortest honest way, or that there is none."""
    if verdict.origin.category in WITHOUT_EXCEPTION:
        return Title("Không ai ở trường mở được", "Nobody at the school can open this")
    if verdict.origin == REBINDING:
        return _INTERNAL
    return CHANGES[verdict.origin.step]


_INTERNAL = Title(
    "Địa chỉ nội bộ trong câu trả lời công khai: khai báo vùng của tên này ở `conditional` "
    "trong filterd.yaml hoặc ở `local` trong school.yaml",
    "A private address in a public answer: name its zone under `conditional` in filterd.yaml "
    "or under `local` in school.yaml",
)
_EXCEPTION = Title(
    "Nếu bị liệt kê nhầm: ngoại lệ tối đa 30 ngày, có người duyệt thứ hai",
    "If listed wrongly: an exception of at most 30 days with a second approver",
)
_BLOCK = Title("Thêm quyết định chặn cho tên này", "Add an override that blocks the name")
CHANGES: Mapping[Step, Title] = {
    Step.SPECIAL: Title("Cố định, không đổi được", "Fixed; cannot be changed"),
    Step.LOCAL: Title("Sửa `local` trong school.yaml", "Edit `local` in school.yaml"),
    Step.FLOOR_EVERYONE: _EXCEPTION,
    Step.FLOOR_PUPILS: _EXCEPTION,
    Step.OVERRIDE: Title("Sửa hoặc huỷ quyết định này", "Edit or cancel this override"),
    Step.EXCEPTION: _BLOCK,
    Step.FORWARD: _BLOCK,
    Step.SERVICE: Title(
        "Bỏ dịch vụ khỏi `block.services` của bậc",
        "Take the service out of the tier's `block.services`",
    ),
    Step.CATEGORY: Title(
        "Thêm quyết định cho phép tên này, hoặc mở loại này cho bậc",
        "Add an override that allows the name, or open the category for the tier",
    ),
    Step.ALLOW_ONLY: Title(
        "Thêm tên vào `allow.names` của bậc", "Add the name to the tier's `allow.names`"
    ),
    Step.SAFE_SEARCH: Title("Sửa `safe_search` của bậc", "Edit the tier's `safe_search`"),
}
