"""Who may make, raise or reset the accounts that decide: a second person, where the school has one.

Otherwise one person could make the second one. Owns which changes of accounts need somebody else
and in which words he is asked; how long a new account rests is `approvals.RESTS`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from filterd.control.approvals import Wish, needs_second, second_person
from filterd.control.owner import Owner
from filterd.control.permissions import TOTP_REQUIRED, Role
from filterd.control.protocol import Caller
from filterd.storage.accounts import Account

ROLE_TITLES = {
    Role.VIEWER: ("người xem", "viewer"),
    Role.TEACHER: ("giáo viên", "teacher"),
    Role.ADMINISTRATOR: ("quản trị viên", "administrator"),
    Role.APPROVER: ("người duyệt", "approver"),
    Role.INSPECTOR: ("thanh tra", "inspector"),
}


class Vouching:
    """Asks a second person before an account gets, or gives somebody, the power to decide."""

    def __init__(self, owner: Owner, asks: bool = True) -> None:
        self._owner = owner
        self._asks = asks  # False: an office, which files no wishes

    async def others(self, caller: Caller, but: str = "") -> int:
        """Approvers who could agree: not the caller, not the account `but`, not locked."""
        return sum(
            a.role == Role.APPROVER and not a.locked and a.id not in (caller.account, but)
            for a in await self._owner.stores.accounts.list()
        )

    async def adding(self, caller: Caller, request: Any) -> None:
        """A new account whose role decides."""
        if request.role in TOTP_REQUIRED:
            vi, en = ROLE_TITLES[request.role]
            await self._ask(
                caller, "people.add", request,
                (f"Thêm tài khoản {request.name} ({vi})", f"Add the account {request.name} ({en})"),
            )  # fmt: skip

    async def changing(self, caller: Caller, account: Account, request: Any) -> None:
        """A role that decides is given, or opened again, or an approver loses his."""
        role = Role(account.role)
        after = request.role or role
        locked = account.locked if request.locked is None else request.locked
        raised = after in TOTP_REQUIRED and after is not role
        opened = after in TOTP_REQUIRED and account.locked and not locked
        lost = role is Role.APPROVER and (after is not role or (locked and not account.locked))
        if not (raised or opened or lost):
            return
        (vi, en), (vi2, en2) = ROLE_TITLES[role], ROLE_TITLES[after]
        shut = (", khoá", ", locked") if locked else ("", "")
        words = (
            f"Đổi tài khoản {account.name}: {vi} → {vi2}{shut[0]}",
            f"Change the account {account.name}: {en} → {en2}{shut[1]}",
        )
        await self._ask(caller, "people.set", request, words, account.id)

    async def resetting(self, caller: Caller, account: Account, request: Any) -> None:
        """A new one-time password: who reads it is that account."""
        if account.role in TOTP_REQUIRED and account.id != caller.account:
            words = (
                f"Cấp mật khẩu một lần mới cho {account.name}",
                f"A new one-time password for {account.name}",
            )
            await self._ask(caller, "people.reset", request, words, account.id)

    async def removing(self, caller: Caller, account: Account, request: Any) -> None:
        """One approver fewer: the next change would have nobody to ask."""
        if account.role == Role.APPROVER:
            words = (f"Xoá tài khoản {account.name}", f"Delete the account {account.name}")
            await self._ask(caller, "people.remove", request, words, account.id)

    async def _ask(
        self, caller: Caller, method: str, request: Any, words: tuple[str, str], target: str = ""
    ) -> None:
        if not (self._asks and needs_second(caller)) or not await self.others(caller, target):
            return
        fields = {key: value for key, value in asdict(request).items() if value is not None}
        await second_person(self._owner, caller, Wish(method, fields, *words, request.reason))


GATED = ("people.add", "people.set", "people.reset", "people.remove")
"""Methods that a second person's agreement carries out by calling them once more."""
