"""What a school has after some weeks: a held list update, traffic, requests, decisions that wait.

Put into the state of a box before its start (lists) or through its control socket and database.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filterd.control.client import CallError, ControlClient
from filterd.lists.library import Library, Surroundings
from filterd.lists.state import Quarantine, SourceState, Version
from tests.lab.staff import sign_in

ROOT = Path(__file__).parents[3]
HELD = "hostsvn_gambling_vn"
"""A list of the catalogue whose newest version waits for a decision."""
STAYS, GOES = "nhacai5.example", "nhacai40.example"
"""Names of the version in use; the held one has only the first."""
TIERS = ("preschool", "primary", "lower_secondary", "upper_secondary", "staff")
CATEGORIES = {"ads": 900, "games": 400, "social": 330, "video": 210, "porn": 60, "phishing": 21}


def hold_an_update(state_dir: Path) -> None:
    """A list with a version in use and a much shorter one in quarantine, as the gate leaves it."""
    around = Surroundings(
        state_dir / "lists", ROOT / "blocklists" / "catalogue.yaml", ("gambling",), set
    )
    store = Library(around).store
    store.prepare()
    now = datetime.now(UTC)
    bodies = {"a" * 16: range(60), "b" * 16: range(12)}
    versions = []
    for version, numbers in bodies.items():
        path = store.body(HELD, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"nhacai{n}.example\n" for n in numbers), "utf-8")
        at = (now - timedelta(days=3)).isoformat()
        versions.append(Version(version, at, len(numbers), path.stat().st_size))
    gone = tuple(f"nhacai{n}.example" for n in range(40, 60))
    why = ("shrinks from 60 to 12 entries (-80 %)",)
    held = Quarantine(versions[1], why, 60, 12, 0, 48, (), gone)
    known = SourceState(
        checked=now.isoformat(), changed=versions[0].at, versions=(versions[0],),
        current=versions[0].version, quarantine=held, due=(now + timedelta(days=9)).isoformat(),
    )  # fmt: skip
    with store.locked():
        store.save(store.state().put(HELD, known))


def traffic(database: Path) -> None:
    """A month of sums by tier, quarter hour and category, shaped like school days."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as db, db:
        for weight, tier in enumerate(TIERS, 1):
            for back in range(7 * 96):
                at = now - timedelta(minutes=15 * back)
                hour = (at.hour + 7) % 24 + at.minute / 60
                busy = max(0.0, math.sin((hour - 6.5) / 11 * math.pi)) if 6.5 < hour < 17.5 else 0
                few = not busy or at.weekday() == 6
                count = None if few else round(300 * weight * busy)
                blocked = None if count is None else count // (4 + weight)
                db.execute("INSERT OR REPLACE INTO traffic VALUES (900,?,?,?,?)",
                           (at.isoformat(), tier, count, blocked))  # fmt: skip
            for back in range(31):
                at = (now - timedelta(days=back)).replace(hour=17)
                count = None if at.weekday() == 6 else 4000 * weight + 170 * (back % 5)
                blocked = None if count is None else count // (4 + weight)
                db.execute("INSERT OR REPLACE INTO traffic VALUES (86400,?,?,?,?)",
                           (at.isoformat(), tier, count, blocked))  # fmt: skip
                for category, share in CATEGORIES.items():
                    kept = None if count is None else share * weight
                    db.execute("INSERT OR REPLACE INTO traffic_categories VALUES (?,?,?,?)",
                               (at.date().isoformat(), tier, category, kept))  # fmt: skip


def decisions(control: ControlClient) -> None:
    """Requests and reports, running openings, wishes that wait, people of every role."""
    lan = sign_in(control, "lan.nguyen", "administrator")
    sign_in(control, "minh.tran", "teacher", segments=["thu-thcs"])
    control.call("people.add", name="thanh.tra", title="Thanh tra Sở", role="inspector")
    for number, (kind, name, note) in enumerate((
        ("unblock", "violympic.vn", "Em cần để luyện thi ạ"),
        ("unblock", "www.roblox.com", "Câu lạc bộ lập trình của chúng em dùng Roblox Studio."),
        ("harmful", "xemphim-khong-ro-nguon-goc.example", "Trang này hiện ảnh không phù hợp"),
        ("other", "thuvien.truong.example", "Thư viện mở rất chậm"),
    )):  # fmt: skip
        control.call("tickets.submit", "@portal", type=kind, name=name, note=note,
                     address=f"127.0.12.{number + 10}")  # fmt: skip
    closed = control.call("tickets.list")["items"][-1]
    control.call("tickets.decide", id=closed["id"], decision="accepted", reason="Trang học tập")
    lan.call("overrides.add", name="youtube.com", allow=True, segments=["thu-thpt"], minutes=45,
             reason="Phòng 3 xem phim tư liệu")  # fmt: skip
    until = (datetime.now(UTC) + timedelta(minutes=90)).isoformat()
    lan.call("exams.add", segments=["thu-tieu-hoc"], until=until, allowed=["azota.vn"],
             reason="Kiểm tra giữa kỳ")  # fmt: skip
    lan.waits("overrides.add", name="www.roblox.com", allow=True, tiers=["upper_secondary"],
              reason="Câu lạc bộ lập trình")  # fmt: skip
    with contextlib.suppress(CallError):
        lan.call("lists.set_enabled", id="own_ads", enabled=False, reason="Chặn nhầm báo")
    lan.call("lists.local_set", category="games", reason="Trường quyết định",
             text="# trò chơi mới\nlienquan.example\ngamehay.example\n")  # fmt: skip
