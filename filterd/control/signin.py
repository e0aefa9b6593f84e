"""Signing in: passwords (argon2id), the second factor, growing delays, sessions and API tokens.

Secrets of sessions and tokens are 256-bit random and stored as SHA-256; passwords are hashed one
at a time in a thread, and at most 20 wrong ones a minute, so that guessing cannot starve DNS.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from filterd.control.owner import Owner, new_id
from filterd.control.permissions import GRANTS, HALF_SIGNED_IN, TOTP_REQUIRED, Permission, Role
from filterd.control.protocol import Caller, Refusal
from filterd.storage.accounts import Account
from filterd.storage.sessions import Session

if TYPE_CHECKING:
    from argon2 import PasswordHasher

ABSOLUTE = timedelta(hours=12)
IDLE = timedelta(minutes=30)
CLOCK_SLACK = timedelta(minutes=5)
TOKEN_PREFIX = "fdt_"  # noqa: S105 - marks a token, is none
_FREE_TRIES = {"account": 3, "address": 10}
_LONGEST_DELAY_SECONDS = 900
_WRONG_PER_MINUTE = 20
_MIN_PASSWORD, _MAX_PASSWORD = 10, 256
_TOUCH_EVERY = timedelta(seconds=60)

SIGNED_OUT = Refusal("signed_out", "Hãy đăng nhập", "Sign in first")
WRONG = Refusal("denied", "Tên hoặc mật khẩu không đúng", "The name or the password is wrong")
WRONG_CODE = Refusal("denied", "Mã không đúng", "The code is wrong")


def digest(secret: str) -> str:
    """How a random secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Passwords:
    """argon2id with the library's recommended cost (RFC 9106, second choice), one at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._given = hasher
        self._one = asyncio.Semaphore(1)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher  # with the first password: nobody signs in while we start

        return self._given or PasswordHasher()

    @cached_property
    def _dummy(self) -> str:
        """A hash that no password fits; it costs 64 MiB for a moment."""
        return self._hasher.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """Hash a new password; refused when too short or too long."""
        if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
            raise Refusal(
                "invalid",
                f"Mật khẩu phải có ít nhất {_MIN_PASSWORD} ký tự",
                f"A password has at least {_MIN_PASSWORD} characters",
            )
        async with self._one:
            return await asyncio.to_thread(self._hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password fits; an unknown account (None) takes as long as a known one."""
        async with self._one:
            return await asyncio.to_thread(self._verify, hashed, password[: _MAX_PASSWORD + 1])

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def _verify(self, hashed: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        dummy = self._dummy  # made for known accounts too: the first try must not tell them apart
        try:
            return self._hasher.verify(hashed or dummy, password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


class SignIn:
    """Turns passwords, codes and tokens into callers."""

    def __init__(self, owner: Owner, passwords: Passwords) -> None:
        self._owner = owner
        self._stores = owner.stores
        self.passwords = passwords
        self._wrong: deque[datetime] = deque(maxlen=_WRONG_PER_MINUTE)

    async def password(self, name: str, password: str, address: str) -> Account:
        """The account of a right password; raises Refusal `denied` or `too_soon`."""
        now = self._owner.clock()
        keys = (f"account:{name.lower()[:80]}|{address}", f"address:{address}")
        await self.not_too_soon(keys)
        account = await self._stores.accounts.named(name[:80])
        right = await self.passwords.verify(account.password if account else None, password)
        if account is None or not right or account.locked:
            self._wrong.append(now)
            await self._stores.failures.add(keys, now)
            raise WRONG
        await self._stores.failures.clear(keys[0])
        return account

    async def not_too_soon(self, keys: tuple[str, ...]) -> None:
        """Refuse while the delay of earlier failures under one of the keys runs."""
        now = self._owner.clock()
        wait = 0.0
        full = len(self._wrong) == _WRONG_PER_MINUTE
        if full and now - self._wrong[0] < timedelta(minutes=1):
            wait = 60 - (now - self._wrong[0]).total_seconds()
        for key in keys:
            failures = await self._stores.failures.get(key)
            free = _FREE_TRIES[key.partition(":")[0]]
            if failures is not None and failures.count >= free:
                delay = min(2.0 ** (failures.count - free), _LONGEST_DELAY_SECONDS)
                wait = max(wait, delay - abs((now - failures.last).total_seconds()))
        if wait > 0:
            raise Refusal(
                "too_soon",
                f"Hãy thử lại sau {int(wait) + 1} giây",
                f"Try again in {int(wait) + 1} seconds",
                retry_after=int(wait) + 1,
            )

    async def begin(self, account: Account, address: str, agent: str) -> str:
        """A new session after a right password; its secret."""
        now = self._owner.clock()
        token = secrets.token_urlsafe(32)
        session = Session(
            new_id(), digest(token), account.id, now, now, address[:64], agent[:200], False
        )
        await self._stores.sessions.put(session)
        await self._stores.accounts.set(account.id, last_login=now.isoformat())
        return token

    async def rotate(self, session: Session, proven: bool) -> str:
        """A new secret for the session (after each gain of rights); the old one is dead."""
        token = secrets.token_urlsafe(32)
        await self._stores.sessions.put(replace(session, hash=digest(token), proven=proven))
        return token

    async def session(self, token: str) -> tuple[Session, Account]:
        """The live session of a secret and its account; raises Refusal `signed_out`."""
        session = await self._stores.sessions.by_hash(digest(token))
        if session is None:
            raise SIGNED_OUT
        now = self._owner.clock()
        account = await self._stores.accounts.get(session.account)
        alive = (
            now - session.since < ABSOLUTE
            and now - session.last < IDLE
            and session.last - now < CLOCK_SLACK  # a clock set back must not revive a session
        )
        if not alive or account is None or account.locked:
            await self._stores.sessions.end(session.id)
            raise SIGNED_OUT
        if now - session.last > _TOUCH_EVERY:
            await self._stores.sessions.touch(session.id, now)
        return session, account

    async def code(self, account: Account, code: str) -> bool:
        """Whether a TOTP code (RFC 6238, one step of drift, each once) or recovery code fits."""
        text = code.replace(" ", "").replace("-", "").lower()
        totp = await self._stores.accounts.totp(account.id)
        if totp.secret is not None and text.isdigit() and len(text) == 6:
            step = self._step(self._owner.vault.open(totp.secret, account.id), text)
            return step is not None and await self._stores.accounts.use_totp_step(account.id, step)
        return await self._stores.accounts.use_recovery_code(account.id, digest(text))

    def _step(self, secret: str, code: str) -> int | None:
        """The time step whose code this is, among the current one and its neighbours."""
        import pyotp

        totp, now = pyotp.TOTP(secret), int(self._owner.clock().timestamp())
        for step in (now // 30 - 1, now // 30, now // 30 + 1):
            if secrets.compare_digest(totp.at(step * 30), code):
                return step
        return None

    def confirm(self, secret: str, code: str) -> bool:
        """Whether a code proves that the app has this (not yet used) secret."""
        return self._step(secret, code.replace(" ", "")) is not None

    def needs(self, account: Account, session: Session) -> str | None:
        """What is missing before the account's rights hold: totp, password, enrol or nothing."""
        if account.totp and not session.proven:
            return "totp"
        if account.must_change:
            return "password"
        if Role(account.role) in TOTP_REQUIRED and not account.totp:
            return "enrol"
        return None

    async def identify(self, token: str) -> Caller:
        """The caller of a session secret or an API token."""
        if token.startswith(TOKEN_PREFIX):
            return await self._identify_token(token)
        session, account = await self.session(token)
        rights = GRANTS[Role(account.role)]
        return _caller(account, HALF_SIGNED_IN if self.needs(account, session) else rights, token)

    async def _identify_token(self, secret: str) -> Caller:
        token = await self._stores.tokens.by_hash(digest(secret))
        account = await self._stores.accounts.get(token.account) if token else None
        now = self._owner.clock()
        if token is None or account is None or account.locked or account.must_change:
            raise SIGNED_OUT
        if token.expires is not None and token.expires <= now:
            raise SIGNED_OUT
        if token.last_used is None or now - token.last_used > _TOUCH_EVERY:
            await self._stores.tokens.touch(token.id, now)
        scopes = frozenset(Permission(scope) for scope in token.scopes)
        return _caller(account, GRANTS[Role(account.role)] & scopes, None)


def _caller(account: Account, rights: frozenset[Permission], token: str | None) -> Caller:
    return Caller(account.name, rights, account.id, Role(account.role), account.segments, token)
