"""`filterd setup`: a gateway box in eight answers; `filterd setup ha`: two boxes."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_interface
from pathlib import Path

import yaml

from filterd import config
from filterd.cli import setup_people
from filterd.control.client import CallError, ControlClient
from filterd.errors import ConfigError, Problem
from filterd.gateway import box, install, interfaces, keepalived, pair_link, questions
from filterd.gateway.answers import Answers, parse
from filterd.gateway.written import files
from filterd.policy import document, taxonomy
from filterd.supervise.holder import port_holder

_LIMITS = """Không chặn được bằng DNS / Not stopped by a DNS filter:
  địa chỉ IP gõ thẳng, ứng dụng VPN qua cổng 443, dữ liệu di động, trang dùng chung máy chủ
  addresses typed as numbers, VPN apps on port 443, mobile data, pages on shared hosts"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("setup", help="install on a gateway box (guided, or --answers)")
    parser.add_argument("--answers", metavar="FILE", help="YAML answers instead of questions")
    parser.add_argument("--dry-run", action="store_true", help="show what would change")
    parser.add_argument("--root", default="/", metavar="DIR", help="write below DIR, start nothing")
    parser.set_defaults(run=run)
    more = parser.add_subparsers(dest="part", metavar="ha")
    pair = more.add_parser("ha", help="print keepalived's configuration for one of two boxes")
    about = "print this box's certificate, for /etc/filterd/pair.pem of the other"
    pair.add_argument("--certificate", action="store_true", help=about)
    pair.add_argument("--interface", help="the school-side interface")
    pair.add_argument("--address", action="append", default=[], help="virtual address/prefix")
    pair.add_argument("--box", choices=("1", "2"), help="which box this is")
    pair.add_argument("--peer", default="", help="the other box's address (else multicast)")
    pair.add_argument("--router-id", type=int, default=53)
    pair.add_argument("--stop", action="store_true", help="print the systemd drop-in instead")
    pair.set_defaults(run=run_pair)


def run(arguments: argparse.Namespace) -> int:
    """0: in place (or nothing to do); 1: something is missing; 78: the answers cannot be used."""
    root = Path(arguments.root)
    here = interfaces.found()
    names = [i.name for i in here] if root == Path("/") else None
    answers = _answers(arguments.answers, here, names)
    wanted = files(answers, _shipped(answers))
    changes = install.compare(wanted, root)
    for change in changes:
        print(f"{change.state.upper():<8} {change.file.path}")
        if arguments.dry_run and change.difference:
            print(change.difference)
    if lacking := install.missing(answers):
        print(f"cần cài / to be installed: apt-get install {' '.join(lacking)}", file=sys.stderr)
        if root == Path("/") and not arguments.dry_run:
            return 1
    if rival := _rival(answers):
        print(rival, file=sys.stderr)
        if root == Path("/") and not arguments.dry_run:
            return 1
    if arguments.dry_run:
        return 0
    return _install(answers, changes, root)


def _rival(answers: Answers) -> str | None:
    """The DNS server that holds port 53 now, and what to do about it."""
    holder = port_holder(config.Address("0.0.0.0", 53), socket.SOCK_DGRAM)  # noqa: S104
    name = holder.partition(" ")[0]
    moves = name == "unbound" and answers.upstreams == "unbound"
    if name not in box.RIVALS or moves:
        return None
    return f"cổng 53 do {holder} giữ / port 53 is held by {holder}: {box.advice(holder)}"


def _install(answers: Answers, changes: Sequence[install.Change], root: Path) -> int:
    written = install.write(changes, root)
    if fingerprint := install.make_certificate(answers, root, datetime.now(UTC)):
        print(f"SHA-256 {fingerprint}")
    if root == Path("/"):
        install.start(answers, written, install.execute)
        print("Xong. Kiểm tra / Done. Now check: filterd doctor")
    print(_LIMITS)
    return _people(answers) if root == Path("/") else 0


def _people(answers: Answers) -> int:
    """0: the first administrator is there, and the office knows this school if it was named."""
    client = ControlClient(config.load(config.find(None, system=True)).control_socket)
    try:
        setup_people.wait_for(client.call)
        if first := setup_people.first_administrator(client.call, answers.administrator):
            print("Quản trị viên, mật khẩu dùng một lần / administrator, one-time password:")
            print(f"    {first[0]}  {first[1]}")
        if answers.office is not None:
            school = setup_people.join_office(client.call, answers.office)
            print(f"Sở / office: {answers.office.url} {school or '✓'}")
    except (CallError, OSError) as error:
        print(f"{getattr(error, 'vi', '')} / {error}", file=sys.stderr)
        print("Chạy lại setup sau / run setup again later", file=sys.stderr)
        return 1
    return 0


def run_pair(arguments: argparse.Namespace) -> int:
    """Print the configuration of one box, or what the other box must know of it."""
    if arguments.certificate:
        return _print_certificate()
    if not (arguments.interface and arguments.address and arguments.box):
        text = "--interface, --address and --box are needed, or --certificate"
        raise ConfigError([Problem("setup ha", None, "(arguments)", text)])
    try:
        addresses = [ip_interface(text) for text in arguments.address]
    except ValueError as error:
        problem = Problem("setup ha", None, "--address", str(error), "such as 10.0.10.53/24")
        raise ConfigError([problem]) from None
    pair = keepalived.Pair(
        arguments.interface, addresses, arguments.box == "1", arguments.peer, arguments.router_id
    )
    print(keepalived.stop_drop_in(pair) if arguments.stop else keepalived.render(pair), end="")
    return 0


def _print_certificate() -> int:
    path = config.load(config.find(None, system=True)).state_dir / "keys" / pair_link.CERTIFICATE
    try:
        print(path.read_text("ascii"), end="")
    except OSError as error:
        hint = "answer `pair:` in setup and start filterd first; only root may read it"
        raise ConfigError([Problem(str(path), None, "(file)", str(error), hint)]) from None
    return 0


def _answers(
    file: str | None, here: Sequence[interfaces.Interface], known: Sequence[str] | None
) -> Answers:
    if file is not None:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(file, None, "(file)", str(error))]) from None
        return parse(text, file, known)
    if not sys.stdin.isatty():
        hint = "give --answers FILE, or run it on a terminal"
        raise ConfigError([Problem("setup", None, "--answers", "there is nobody to ask", hint)])
    given = questions.ask_all(here, input, print)
    return parse(yaml.safe_dump(given, allow_unicode=True), "(answers)", known)


def _shipped(answers: Answers) -> dict[str, str]:
    """The shipped policies, checked with this school's networks before anything is written."""
    settings = config.load(None)
    shipped = {p.name: p.read_text("utf-8") for p in sorted(settings.policies.glob("*.yaml"))}
    found = {f.path.name: f.text for f in files(answers, shipped) if f.path.name in shipped}
    document.parse(found, taxonomy.load(settings.blocklists))
    return shipped
