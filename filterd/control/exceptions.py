"""`exceptions.add`: one name that a floor list names wrongly is opened for at most 30 days.

Always two people, also on the box itself: the document names both, and is refused otherwise.
`csam` and `authority` know no exception (contract §5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.edits import Proposal, changed_files, put
from filterd.control.owner import Owner, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Refusal, Route
from filterd.control.short_edits import narrow_name
from filterd.live import LivePolicy
from filterd.policy.model import Exception_, Floor, Name, Override, Policy, TierId
from filterd.policy.verdict import Question
from filterd.storage.revisions import ChangeText

LONGEST_DAYS = 30
_TYPE_A = 1


@dataclass(frozen=True, slots=True)
class AddException:
    """Open `name` although the floor lists it, for some tiers (none: all), for some days."""

    name: str
    days: int
    reason: str
    tiers: tuple[str, ...] = ()


def routes(owner: Owner, live: LivePolicy) -> dict[str, Route]:
    """The methods of this noun."""
    return {"exceptions.add": Route(AddException, Permission.EDIT, _Exceptions(owner, live).add)}


class _Exceptions:
    def __init__(self, owner: Owner, live: LivePolicy) -> None:
        self._owner = owner
        self._live = live

    async def add(self, caller: Caller, request: AddException) -> dict[str, Any]:
        reason, name = required_reason(request.reason), narrow_name(request.name)
        if not 1 <= request.days <= LONGEST_DAYS:
            raise Refusal("invalid", "Từ 1 đến 30 ngày", "From 1 to 30 days")
        unknown = set(request.tiers) - {t.id for t in self._live.running.policy.tiers}
        if unknown:
            raise Refusal("invalid", "Không có bậc này", f"No tier {', '.join(sorted(unknown))}")
        lists = self._listed(name)
        if caller.agreed_by is not None:
            return {"revision": await self._write(request, caller, caller.agreed_by)}
        if caller.local:
            raise Refusal(
                "denied",
                "Ngoại lệ của mức sàn luôn cần hai người: hãy đăng nhập trang quản trị",
                "An exception to the floor always needs two people: use the console",
            )
        vi = f"Ngoại lệ mức sàn: mở {name} trong {request.days} ngày (có trong {lists})"
        en = f"Exception to the floor: open {name} for {request.days} days (listed in {lists})"
        asked = {"name": name, "days": request.days, "reason": reason, "tiers": request.tiers}
        change = ChangeText(vi, en, True)
        await second_person(
            self._owner, caller, Wish("exceptions.add", asked, vi, en, reason, (change,))
        )
        raise AssertionError("a second person is always asked")

    def _listed(self, name: Name) -> str:
        """The floor lists that name it; refused for none, or one that knows no exception."""
        taxonomy, index = self._live.ground.taxonomy, self._live.ground.index
        kinds = taxonomy.categories
        found = [
            each for each in index.listings(Question(name, _TYPE_A))
            if each.category in kinds and kinds[each.category].floor is not Floor.NONE
        ]  # fmt: skip
        if any(not kinds[each.category].excepted for each in found):
            raise Refusal("denied", "Loại này không có ngoại lệ ở trường",
                          "No exception is possible at the school for this category")  # fmt: skip
        if not found:
            raise Refusal("invalid", "Mức sàn không chặn tên này: hãy dùng “Mở hoặc chặn ngay”",
                          "The floor does not block it: use “Open or close now”")  # fmt: skip
        return ", ".join(sorted({each.list for each in found}))

    async def _write(self, request: AddException, author: Caller, approver: str) -> int:
        now, name = self._owner.clock().replace(microsecond=0), narrow_name(request.name)
        made = Override(
            name, True, frozenset(map(TierId, request.tiers)), frozenset(), request.reason,
            author.name, now + timedelta(days=request.days), Exception_(approver, now),
        )  # fmt: skip

        def change(policy: Policy) -> Policy:
            return replace(policy, overrides=(*policy.overrides, made))

        files = changed_files(self._live, change, now)
        proposal = Proposal(files, None, request.reason, approver)
        return await put(self._owner, self._live, author, proposal)
