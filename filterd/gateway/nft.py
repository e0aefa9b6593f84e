"""nft(8) as a process: load a transaction, read a table, compare two tables. Knows no plan."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from filterd.errors import FilterdError
from filterd.gateway.firewall import COUNTERS, TABLE

TIMEOUT_S = 20.0


class FirewallError(FilterdError):
    """nft is missing, refused the rules, or may not be used by this user."""


def load(transaction: str) -> None:
    """Apply the text as one transaction: all of it or nothing."""
    _run(["nft", "-f", "-"], transaction)


def listing(table: str = TABLE, kind: str = "table", name: str = "") -> list[dict[str, Any]] | None:
    """The running table, or one set or counter of it, as nft's JSON objects; None: not there."""
    try:
        return _objects(_run(["nft", "-j", "list", kind, "inet", table, *([name] if name else [])]))
    except FirewallError as error:
        if "No such file" in str(error) or "does not exist" in str(error):
            return None
        raise


def wanted(transaction: str, table: str = TABLE) -> list[dict[str, Any]]:
    """What nft makes of the text: loaded in a network namespace of its own and read back.

    Only so can running and wanted rules be compared as the kernel sees them.
    """
    script = f"nft -f - && nft -j list table inet {table}"
    return _objects(_run(["unshare", "--net", "sh", "-c", script], transaction))


def counted(objects: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Packets and bytes of the named counters in a listing."""
    found = {}
    for item in objects:
        counter = item.get("counter")
        if counter and counter["name"] in COUNTERS:
            found[counter["name"]] = (int(counter["packets"]), int(counter["bytes"]))
    return found


def differences(running: list[dict[str, Any]], wished: list[dict[str, Any]]) -> list[str]:
    """Names of what differs, one line each; handles and counts do not matter."""
    have, want = _plain(running), _plain(wished)
    lines = [f"missing: {item}" for item in want if item not in have]
    lines += [f"not ours: {item}" for item in have if item not in want]
    if not lines and have != want:
        lines.append("the rules stand in another order")
    return lines


def other_captures(timeout_s: float = TIMEOUT_S) -> list[str]:
    """NAT chains of other tables that see port 53 before ours, and flow tables that skip us."""
    found = []
    for item in _objects(_run(["nft", "-j", "list", "ruleset"], timeout_s=timeout_s)):
        chain, flow = item.get("chain"), item.get("flowtable")
        if flow:
            found.append(
                f"flowtable {flow['table']}/{flow['name']}: offloaded flows skip the rules"
            )
        if chain and chain["table"] != TABLE and _captures_first(chain):
            found.append(f"chain {chain['table']}/{chain['name']} redirects before filterd")
    return found


def _captures_first(chain: Mapping[str, Any]) -> bool:
    hooked = (chain.get("type"), chain.get("hook")) == ("nat", "prerouting")
    return hooked and int(chain["prio"]) <= -110


def _plain(objects: list[dict[str, Any]]) -> list[str]:
    lines = []
    for item in objects:
        if "metainfo" in item:
            continue
        kind, body = next(iter(item.items()))
        kept = {k: v for k, v in body.items() if k not in {"handle", "packets", "bytes", "index"}}
        if "elem" in kept:
            kept["elem"] = sorted(json.dumps(element, sort_keys=True) for element in kept["elem"])
        lines.append(json.dumps({kind: kept}, sort_keys=True))
    return lines


def _objects(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["nftables"]
    return found


def _run(command: list[str], stdin: str = "", timeout_s: float = TIMEOUT_S) -> str:
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise FirewallError(f"{command[0]} is missing: apt-get install nftables") from None
    except subprocess.TimeoutExpired:
        raise FirewallError(f"{command[0]} gave no answer for {timeout_s:g} s") from None
    if done.returncode == 0:
        return done.stdout
    text = done.stderr.strip() or f"{command[0]} failed with {done.returncode}"
    if "Operation not permitted" in text:
        text = "only root may change the firewall (sudo filterd firewall …)"
    raise FirewallError(text)


def packets(counts: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Only the numbers of attempts."""
    return {name: count for name, (count, _) in counts.items()}
