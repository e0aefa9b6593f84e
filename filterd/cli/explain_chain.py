"""What stands behind a name that is explained: asked of the running service, or told by hand.

The service asks upstream, for whoever may speak with its control socket. Without it nothing is
asked; then the chain is what `--chain` says, or unknown, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from filterd.control.client import ControlClient
from filterd.errors import ControlError
from filterd.policy.explain import typed_name
from filterd.policy.model import Name
from filterd.policy.onward import Looked

_SECONDS = 10.0
UNKNOWN = (
    "chưa rõ tên này dẫn tới đâu (CNAME, địa chỉ): {}. Dùng --chain để cho biết",
    "what stands behind the name (CNAME, addresses) is unknown: {}. Tell it with --chain",
)
OFFLINE = ("không hỏi ai", "nobody was asked")


def typed_chain(text: str, names: Iterable[Name]) -> dict[Name, Looked]:
    """`a.example,b.example,192.0.2.1` as what is behind each of `names`; raises ValueError."""
    targets: list[Name] = []
    addresses: list[bytes] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            addresses.append(ip_address(part).packed)
        except ValueError:
            targets.append(typed_name(part))
    return {name: Looked(name, tuple(targets), tuple(addresses)) for name in names}


def asked(socket: Path, name: Name, kind: str, at: str | None) -> dict[Name, Looked] | str:
    """What the running service finds behind `name`, or why it cannot be asked."""
    fields = {"name": name, "type": kind, **({} if at is None else {"at": at})}
    try:
        found = ControlClient(socket, _SECONDS).call("explain", **fields)
    except ControlError as error:
        return str(error)
    return {
        Name(each["name"]): Looked(
            Name(each["name"]),
            tuple(Name(target) for target in each["targets"]),
            tuple(bytes.fromhex(address) for address in each["addresses"]),
            each["error"],
        )
        for each in found["lookups"]
    }
