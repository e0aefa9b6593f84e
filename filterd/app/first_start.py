"""What only the first start does, and what every start prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from filterd.config import Address, Settings
from filterd.control.owner import Owner
from filterd.control.people import new_account, one_time_password
from filterd.control.permissions import Role
from filterd.control.signin import Passwords
from filterd.errors import ConfigError, Problem

FIRST_ACCOUNT = "admin"


def policy_files(directory: Path) -> dict[str, str]:
    """The YAML files of a policy directory; ConfigError when there are none."""
    try:
        found = {path.name: path.read_text("utf-8") for path in sorted(directory.glob("*.yaml"))}
    except (OSError, UnicodeDecodeError) as error:
        raise _problem(f"{directory} cannot be read: {error}") from None
    if not found:
        raise _problem(f"{directory} holds no policy (*.yaml)")
    return found


def _problem(text: str) -> ConfigError:
    return ConfigError([Problem("filterd.yaml", None, "policies", text)])


async def first_account(owner: Owner, passwords: Passwords, at: datetime) -> str | None:
    """Make the first administrator when there is no account; the password, to be shown once."""
    if await owner.stores.accounts.count():
        return None
    password = one_time_password()
    hashed = await passwords.hash(password)
    account = new_account(FIRST_ACCOUNT, "Quản trị viên", Role.ADMINISTRATOR, hashed, at)
    await owner.stores.accounts.add(account)
    return password


def welcome(settings: Settings, pages: Mapping[str, Address], password: str | None) -> str:
    """The text for the terminal: addresses, the one-time password, three lines to try."""
    lines = ["", "filterd đang chạy / is running"]
    lines += [f"  DNS      {address} (UDP, TCP)" for address in settings.listen.dns]
    lines += [f"  {name:<8} http://{address}" for name, address in pages.items()]
    if settings.metrics is not None:
        lines.append(f"  metrics  http://{settings.metrics}/metrics")
    if password is not None:
        lines += [
            "",
            "  Đăng nhập lần đầu / first sign-in (chỉ hiện một lần / shown once):",
            f"    {FIRST_ACCOUNT}  {password}",
        ]
    server = next((a for a in settings.listen.dns if ":" not in a.host), None)
    if server is not None and server.loopback:
        dig = f"dig -p {server.port} @{server.host}"
        lines += [
            "",
            "  Thử / try:",
            f"    {dig} -b 127.0.11.1 games.canary.filterd.test     # primary: blocked",
            f"    {dig} -b 127.0.14.1 games.canary.filterd.test     # staff: not blocked",
            f"    {dig} -b 127.0.12.1 www.google.com                # lower secondary: safe search",
        ]
    return "\n".join([*lines, ""])
