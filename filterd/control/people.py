"""`people.*`: accounts of staff, one's own password and second factor."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from filterd.control.approvals import RESTS
from filterd.control.owner import Owner, new_id, not_found
from filterd.control.permissions import Permission, Role
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.control.signin import SIGNED_OUT, WRONG, WRONG_CODE, SignIn, digest
from filterd.control.vouching import Vouching
from filterd.storage.accounts import Account
from filterd.storage.database import Value
from filterd.storage.sessions import Session

RECOVERY_CODES = 10
ISSUER = "filterd"
_LANGUAGES = ("vi", "en")
_LAST = Refusal(
    "conflict",
    "Phải còn ít nhất một quản trị viên",
    "At least one administrator must remain",
)


@dataclass(frozen=True, slots=True)
class Add:
    """A new account; it gets a one-time password."""

    name: str
    title: str
    role: Role
    segments: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Set:
    """Changes to an account; None leaves a field as it is."""

    id: str
    title: str | None = None
    role: Role | None = None
    segments: tuple[str, ...] | None = None
    language: str | None = None
    locked: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ById:
    """An account by its id; the reason is for a second person."""

    id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """One's own password."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the authenticator app."""

    code: str


@dataclass(frozen=True, slots=True)
class Language:
    """vi or en."""

    language: str


def routes(owner: Owner, sign_in: SignIn, *, asks: bool = True) -> dict[str, Route]:
    """The methods of this noun; `asks`: whether wishes can be filed for a second person."""
    people, own = _People(owner, sign_in, Vouching(owner, asks)), _Own(owner, sign_in)
    return {
        "people.list": Route(Nothing, Permission.PEOPLE, people.list),
        "people.add": Route(Add, Permission.PEOPLE, people.add),
        "people.set": Route(Set, Permission.PEOPLE, people.set),
        "people.reset": Route(ById, Permission.PEOPLE, people.reset),
        "people.remove": Route(ById, Permission.PEOPLE, people.remove),
        "people.password": Route(NewPassword, Permission.SELF, own.password),
        "people.totp_begin": Route(Nothing, Permission.SELF, own.totp_begin),
        "people.totp_confirm": Route(Code, Permission.SELF, own.totp_confirm),
        "people.language": Route(Language, Permission.SELF, own.language),
    }


def new_account(name: str, title: str, role: Role, hashed: str, at: datetime) -> Account:
    """An account with a one-time password."""
    return Account(
        new_id(), name, title, role.value, (), "vi", hashed, True, False, False, at, None
    )


class _People:
    def __init__(self, owner: Owner, sign_in: SignIn, vouching: Vouching) -> None:
        self._owner = owner
        self._sign_in = sign_in
        self._accounts = owner.stores.accounts
        self._vouching = vouching

    async def list(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        return {
            "items": [
                {"id": a.id, "name": a.name, "title": a.title, "role": a.role,
                 "segments": a.segments, "totp": a.totp, "locked": a.locked,
                 "last_login": a.last_login}
                for a in await self._accounts.list()
            ],
            "approvers": await self._vouching.others(caller),
            "rests_hours": RESTS // timedelta(hours=1),
        }  # fmt: skip

    async def add(self, caller: Caller, request: Add) -> dict[str, Any]:
        name = request.name.strip()
        if not 2 <= len(name) <= 64 or not all(c.isalnum() or c in "._-@" for c in name):
            raise Refusal(
                "invalid",
                "Tên đăng nhập gồm 2–64 chữ, số hoặc . _ - @",
                "A sign-in name has 2 to 64 letters, digits or . _ - @",
            )
        await self._may_grant(caller, request.role)
        if await self._accounts.named(name) is not None:
            raise Refusal("conflict", "Tên này đã có", "This name is taken")
        await self._vouching.adding(caller, request)
        password = one_time_password()
        hashed = await self._sign_in.passwords.hash(password)
        made = new_account(name, request.title.strip()[:120], request.role, hashed,
                           self._owner.clock())  # fmt: skip
        await self._accounts.add(made)
        if request.segments:
            await self._accounts.set(made.id, segments=json.dumps(request.segments))
        await self._owner.audit(caller, "people.add", name, request.role.value)
        return {"id": made.id, "password": password}

    async def set(self, caller: Caller, request: Set) -> dict[str, Any]:
        account = await self._get(request.id)
        columns: dict[str, Value] = {}
        if request.title is not None:
            columns["title"] = request.title.strip()[:120]
        if request.role is not None and request.role.value != account.role:
            await self._may_grant(caller, request.role, Role(account.role))
            columns["role"] = request.role.value
        if request.segments is not None:
            columns["segments"] = json.dumps(request.segments)
        if request.language in _LANGUAGES:
            columns["language"] = request.language
        if request.locked is not None and request.locked != account.locked:
            await self._may_grant(caller, Role(account.role))
            columns["locked"] = int(request.locked)
        if columns.get("locked") or "role" in columns:
            await self._not_the_last(account, request.role)
        await self._vouching.changing(caller, account, request)
        if columns:
            await self._accounts.set(account.id, **columns)
        if columns.get("locked") or "role" in columns:
            await self._owner.stores.sessions.end_all(account.id)
        await self._owner.audit(caller, "people.set", account.name, ", ".join(sorted(columns)))
        if "role" in columns:
            await self._owner.audit(
                caller, "people.role", account.name, f"{account.role} → {columns['role']!s}"
            )
        return {}

    async def reset(self, caller: Caller, request: ById) -> dict[str, Any]:
        account = await self._get(request.id)
        await self._may_grant(caller, Role(account.role))
        await self._vouching.resetting(caller, account, request)
        password = one_time_password()
        await self._accounts.set(
            account.id, password=await self._sign_in.passwords.hash(password), must_change=1,
            totp_secret=None, totp_pending=None,
        )  # fmt: skip
        await self._accounts.set_recovery_codes(account.id, ())
        await self._owner.stores.sessions.end_all(account.id)
        await self._owner.audit(caller, "people.reset", account.name)
        return {"password": password}

    async def remove(self, caller: Caller, request: ById) -> dict[str, Any]:
        account = await self._get(request.id)
        await self._may_grant(caller, Role(account.role))
        await self._not_the_last(account, None)
        await self._vouching.removing(caller, account, request)
        await self._accounts.remove(account.id)
        await self._owner.audit(caller, "people.remove", account.name)
        return {}

    async def _may_grant(self, caller: Caller, *roles: Role) -> None:
        """Only an approver (or the machine's administrator) makes, changes or resets approvers.

        Otherwise an administrator would make himself the second person. The first approver of a
        school is made by its administrator: somebody must, and the audit trail says who.
        """
        if Role.APPROVER not in roles or caller.local or caller.role is Role.APPROVER:
            return
        if any(account.role == Role.APPROVER for account in await self._accounts.list()):
            raise Refusal(
                "denied",
                "Chỉ người duyệt mới thay đổi được tài khoản người duyệt",
                "Only an approver changes an approver's account",
            )

    async def _get(self, id: str) -> Account:
        account = await self._accounts.get(id)
        if account is None:
            raise not_found("account")
        return account

    async def _not_the_last(self, account: Account, role: Role | None) -> None:
        strong = {Role.ADMINISTRATOR.value, Role.APPROVER.value}
        others = [
            a for a in await self._accounts.list()
            if a.id != account.id and a.role in strong and not a.locked
        ]  # fmt: skip
        if account.role in strong and not others and (role is None or role.value not in strong):
            raise _LAST


class _Own:
    def __init__(self, owner: Owner, sign_in: SignIn) -> None:
        self._owner = owner
        self._sign_in = sign_in
        self._accounts = owner.stores.accounts

    async def password(self, caller: Caller, request: NewPassword) -> dict[str, Any]:
        session, account = await self._session(caller)
        keys = (f"account:{account.name.lower()}|{session.address}",)
        await self._sign_in.not_too_soon(keys)
        if not await self._sign_in.passwords.verify(account.password, request.old):
            await self._owner.stores.failures.add(keys, self._owner.clock())
            raise WRONG
        if request.new == request.old:
            raise Refusal("invalid", "Mật khẩu mới trùng mật khẩu cũ", "Choose another password")
        hashed = await self._sign_in.passwords.hash(request.new)
        await self._accounts.set(account.id, password=hashed, must_change=0)
        await self._owner.stores.sessions.end_all(account.id, but=session.id)
        await self._owner.audit(caller, "people.password", account.name)
        return {"token": await self._sign_in.rotate(session, session.proven)}

    async def totp_begin(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        session, account = await self._session(caller)
        if self._sign_in.needs(account, session) == "totp":
            raise WRONG_CODE
        import pyotp

        secret = pyotp.random_base32()
        sealed = self._owner.vault.seal(secret, account.id)
        await self._accounts.set(account.id, totp_pending=sealed)
        uri = pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name=ISSUER)
        return {"secret": secret, "uri": uri}

    async def totp_confirm(self, caller: Caller, request: Code) -> dict[str, Any]:
        session, account = await self._session(caller)
        pending = (await self._accounts.totp(account.id)).pending
        if pending is None or self._sign_in.needs(account, session) == "totp":
            raise not_found("pending second factor")
        if not self._sign_in.confirm(self._owner.vault.open(pending, account.id), request.code):
            raise WRONG_CODE
        codes = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
        await self._accounts.set(account.id, totp_secret=pending, totp_pending=None, totp_step=0)
        await self._accounts.set_recovery_codes(account.id, [digest(code) for code in codes])
        await self._owner.audit(caller, "people.totp", account.name)
        token = await self._sign_in.rotate(session, proven=True)
        return {"recovery_codes": [f"{c[:5]}-{c[5:]}" for c in codes], "token": token}

    async def language(self, caller: Caller, request: Language) -> dict[str, Any]:
        _, account = await self._session(caller)
        if request.language not in _LANGUAGES:
            raise Refusal("invalid", "Chỉ có vi hoặc en", "Only vi or en")
        await self._accounts.set(account.id, language=request.language)
        return {}

    async def _session(self, caller: Caller) -> tuple[Session, Account]:
        if caller.token is None:
            raise SIGNED_OUT
        return await self._sign_in.session(caller.token)


def one_time_password() -> str:
    """A password to be read from paper once: 4 groups of 5 unambiguous characters, 99 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
