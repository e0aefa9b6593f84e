"""What decisions with an end have in common: who may make them, for which names, and how.

Knows neither overrides nor exams; they build on it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

from filterd.control.approvals import Wish, second_person
from filterd.control.edits import Change, Proposal, changed_files, put
from filterd.control.owner import Owner
from filterd.control.permissions import Role
from filterd.control.protocol import Caller, Refusal
from filterd.lists.entry import Why
from filterd.lists.protect import public_suffixes
from filterd.live import LivePolicy
from filterd.policy.model import Name, Policy
from filterd.wire import names

LESSON = timedelta(hours=8)
"""What one person may decide for a room; longer or wider is judged like any edit."""
TOO_LONG = Refusal("denied", "Tối đa 8 giờ, cho phòng cụ thể", "At most eight hours, for rooms")


class ShortEdits:
    """Makes edits that end by themselves, or asks a second person for them."""

    def __init__(self, owner: Owner, live: LivePolicy) -> None:
        self._owner = owner
        self._live = live

    @property
    def policy(self) -> Policy:
        """The policy that runs."""
        return self._live.running.policy

    def own_segments(self, caller: Caller, segments: tuple[str, ...]) -> None:
        """A teacher acts on the segments of the account alone."""
        if caller.role is Role.TEACHER and not (segments and set(segments) <= set(caller.segments)):
            raise Refusal(
                "denied",
                "Bạn chỉ được mở cho phòng của mình",
                "You may do this for your own rooms only",
            )

    async def change(
        self, caller: Caller, change: Change, reason: str, approver: str | None = None
    ) -> int:
        """Apply a change whose right was checked."""
        files = changed_files(self._live, change, self._owner.clock())
        proposal = Proposal(files, None, reason, approver)
        return await put(self._owner, self._live, caller, proposal)

    async def judged_change(self, caller: Caller, change: Change, wish: Wish) -> int:
        """Apply a change, or file the wish for a second person when it weakens protection.

        The wish is the method's own request, so that what was agreed to is done to the policy of
        that time, whatever else was changed meanwhile.
        """
        look = await self._live.look(changed_files(self._live, change, self._owner.clock()))
        if look.weakens:
            await second_person(self._owner, caller, replace(wish, changes=look.changes))
        return await self.change(caller, change, wish.reason)


def narrow_name(text: str) -> Name:
    """A name that is no root and no public suffix, which nobody opens or blocks in one go."""
    name = whole_name(text)
    if name in _suffixes():
        raise Refusal("invalid", f"“{text}” quá rộng: hãy ghi tên của một trang",
                      f"{text!r} is too wide: give the name of a site")  # fmt: skip
    return name


@cache
def _suffixes() -> frozenset[Name]:
    listed = (name for name, why in public_suffixes().items() if why is Why.SUFFIX)
    return frozenset((Name(""), *listed))


def whole_name(text: str) -> Name:
    """Any name as typed; refused when it is none."""
    try:
        return names.from_text(text.strip())
    except ValueError:
        raise Refusal("invalid", f"“{text}” không phải tên miền", f"{text!r} is no name") from None
