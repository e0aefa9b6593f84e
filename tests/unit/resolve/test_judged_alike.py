"""One verdict for all names of which the lists say the same: never another than each by itself."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from filterd.listen import drain
from filterd.lists.compiler import run
from filterd.lists.job import Job, JobList
from filterd.metrics import layout
from filterd.policy.taxonomy import CATEGORIES
from filterd.resolve.ports import Running
from filterd.ruleset_frame import RulesetReader
from filterd.wire.names import from_text, from_wire, to_wire
from tests.lab.forwarding import Box
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.worker import shipped_policy

pytestmark = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")
if drain.COMPILED:
    from filterd.listen import _native

ROOT = Path(__file__).parents[3]
SOURCES = [f"127.0.{tier}.1" for tier in (10, 11, 12, 13, 14)]

LISTS = {
    "porn.txt": ("porn", "domains", "p1.example.com\np2.example.org\np3.vn\nboth.example.net\n"),
    "games.txt": (
        "games",
        "adblock",
        "||g1.example.com^\n||g2.example.com^\n@@||open.g1.example.com^\n||both.example.net^\n"
        "||strong.example.com^$important\n@@||strong.example.com^\n||typed.example.com^$dnstype=AAAA\n"
        "||mine.example.com^$client=127.0.11.1\n/qxzj[0-9]+/\n",
    ),
    "gambling.txt": ("gambling", "hosts", "0.0.0.0 b1.example.com\n0.0.0.0 both.example.net\n"),
    "ads.txt": (
        "ads", "rpz", "*.near.example.com CNAME .\nok.near.example.com CNAME rpz-passthru.\n"
    ),
    "malware.txt": ("malware", "wildcard", "*.m1.example.com\nm2.example.com\n"),
}  # fmt: skip
OWN = "own.example.com\n@@||g2.example.com^\n||cname.example.com^$dnsrewrite=good.example.org\n"

NAMES = [
    "p1.example.com", "a.p1.example.com", "b.p1.example.com", "p2.example.org",
    "x.p2.example.org", "p3.vn", "q.p3.vn", "both.example.net", "c.both.example.net",
    "g1.example.com", "a.g1.example.com", "open.g1.example.com", "d.open.g1.example.com",
    "g2.example.com", "e.g2.example.com", "strong.example.com", "f.strong.example.com",
    "typed.example.com", "h.typed.example.com", "mine.example.com", "i.mine.example.com",
    "aqxzj7.example.com", "qxzj.example.com", "b1.example.com", "j.b1.example.com",
    "near.example.com", "k.near.example.com", "l.near.example.com", "ok.near.example.com",
    "m1.example.com", "m.m1.example.com", "m2.example.com", "n.m2.example.com",
    "own.example.com", "o.own.example.com", "cname.example.com", "r.cname.example.com",
    "youtube.com", "www.youtube.com", "i.youtube.com", "tiktok.com", "a.tiktok.com",
    "google.com", "www.google.com", "bing.com", "duckduckgo.com", "yandex.ru",
    "vi.wikipedia.org", "moet.gov.vn", "use-application-dns.net", "_esni.example.com",
    "porn.canary.filterd.test", "x.local", "cloak-porn.canary.filterd.test",
    "free.example.com", "very.free.example.com", "free.example",
    "allowed.canary.filterd.test", "1.0.168.192.in-addr.arpa", "single", "retrogames.cc",
    "under_score.example.com", "UPPER.P1.example.com", "facebook.com",
    "a.b.c.d.e.p1.example.com",
]  # fmt: skip


@dataclass(frozen=True)
class Whole:
    """A school that is exactly this."""

    said: Running

    def running(self, portal: tuple[bytes, ...] = ()) -> Running:
        return self.said


@pytest.fixture(scope="module")
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of small lists in many formats, with an own list beside it."""
    base = tmp_path_factory.mktemp("alike")
    wanted = []
    for file, (category, form, text) in LISTS.items():
        (base / file).write_text(text, "utf-8")
        wanted.append(JobList(Path(file).stem, category, str(base / file), form, file=file))
    shipped = ROOT / "blocklists" / "lists"
    wanted += [
        JobList(f"shipped_{path.stem}", path.stem, str(path), "domains", file=path.name)
        for path in sorted(shipped.glob("*.txt"))
        if path.stem in CATEGORIES
    ]
    run(Job(str(base / "index.fdx"), tuple(wanted), CATEGORIES))
    (base / "local").mkdir()
    (base / "local" / "social.txt").write_text(OWN, "utf-8")
    return next(path for path in base.glob("index*.fdx") if not path.is_symlink())


def running(index: Path, school: str = "") -> Running:
    """What a worker puts in force; `school` is put behind the shipped policy of the school."""
    files = shipped_policy()
    files["school.yaml"] = files["school.yaml"].replace("overrides: []", school or "overrides: []")
    frame = {"files": files, "index": str(index), "revision": 1}
    settings = {"blocklists": str(ROOT / "blocklists")}
    return RulesetReader(settings, drain.open_outline).read(frame, {}, ())[1]


def counted(box: Box) -> dict[int, int]:
    """Every counter but those of time: refusals, outcomes and rcodes by tier and category."""
    times = range(layout.DURATION_AT, layout.DURATION_AT + len(layout.BUCKETS) + 1)
    left_out = {layout.single_place("duration_microseconds"), *times}
    return {at: n for at, n in enumerate(box.counters.values) if n and at not in left_out}


SCHOOLS = {
    "as shipped": "",
    "with overrides": "overrides:\n"
    '  - {name: g1.example.com, action: block, tiers: [staff], reason: "thử", author: "a"}\n'
    '  - {name: b1.example.com, action: allow, tiers: [staff, primary], reason: "t", author: "a"}\n'
    '  - {name: very.free.example.com, action: block, reason: "thử", author: "a"}\n',
}


@pytest.mark.parametrize("school", SCHOOLS)
async def test_answers_and_counts_are_those_of_each_name_by_itself(
    upstream: LyingUpstream, index: Path, school: str
) -> None:
    shared = running(index, SCHOOLS[school])
    assert shared.outline is not None
    alone = replace(running(index, SCHOOLS[school]), outline=None)
    chance = random.Random(7)
    order = [(n, t, s) for n in NAMES for t in ("A", "AAAA", "TXT") for s in SOURCES]
    order = chance.sample(order, 500) + chance.sample(order, 200)
    async with (
        Box(Whole(shared), (upstream.url,), True) as together,  # type: ignore[arg-type]
        Box(Whole(alone), (upstream.url,), True) as single,  # type: ignore[arg-type]
    ):
        asked = {box: _asked(box) for box in (together, single)}
        for name, rtype, source in order:
            answers = await asyncio.gather(
                *(box.ask(name, rtype, None, source) for box in (together, single))
            )
            texts = [_said(answer.to_text()) for answer in answers]
            assert texts[0] == texts[1], (name, rtype, source)
        assert counted(together) == counted(single)
        for box in (together, single):
            box.handler.placements.collect()
        names = [set(box.seen.take(bytes(16)).names) for box in (together, single)]
        assert names[0] == names[1]
        assert len(asked[together]) < len(asked[single]), "so it has judged several at once"


def _asked(box: Box) -> list[bytes]:
    """The queries that the handler will be given."""
    found: list[bytes] = []
    whole = box.handler.try_answer

    def noted(wire: bytes, *rest: object) -> bytes | None:
        found.append(wire)
        return whole(wire, *rest)  # type: ignore[arg-type]

    box.handler.try_answer = noted  # type: ignore[method-assign, assignment]
    return found


def _said(text: str) -> str:
    """Without its id, and without TTLs: the two are asked at different times of a second."""
    return re.sub(r" \d+ IN ", " IN ", text.partition("\n")[2])


async def test_a_thousand_names_of_a_listed_domain_are_judged_once(
    upstream: LyingUpstream, index: Path
) -> None:
    async with Box(Whole(running(index)), (upstream.url,), True) as box:  # type: ignore[arg-type]
        first = await box.ask("p1.example.com")  # where the entry stands is said otherwise
        await box.ask("first.p1.example.com")
        asked = _asked(box)
        for number in range(1000):
            answer = await box.ask(f"n{number}.p1.example.com")
            assert answer.rcode() == first.rcode() == 3
            assert answer.question[0].name.to_text() == f"n{number}.p1.example.com."
        assert asked == []
        box.handler.placements.collect()
        names = {name for name, _, _ in box.seen.take(bytes(16)).names}
        assert len(names) > 1000, "each is counted by its own name"


async def test_new_names_on_no_list_are_forwarded_after_one_verdict(
    upstream: LyingUpstream, index: Path
) -> None:
    async with Box(Whole(running(index)), (upstream.url,), True) as box:  # type: ignore[arg-type]
        await box.ask("a0.quiet.example")
        judged = box.handler.placements.find(bytes(10) + b"\xff\xff\x7f\x00\x0b\x01", None, 0)
        assert judged is not None
        before = len(judged.rules._verdicts)
        for number in range(200):
            answer = await box.ask(f"b{number}.quiet.example")
            assert answer.answer[0][0].to_text() == "192.0.2.1"
        assert len(judged.rules._verdicts) == before


async def test_what_python_has_in_hand_is_asked_of_it_however_alike(
    upstream: LyingUpstream, index: Path
) -> None:
    """A negative answer is Python's to keep: asking again costs no second upstream query."""
    async with Box(Whole(running(index)), (upstream.url,), True) as box:  # type: ignore[arg-type]
        await box.ask("good.quiet.example")
        assert (await box.ask("nxdomain.quiet.example")).rcode() == 3
        before = len(upstream.log)
        for do in (True, None, True):
            assert (await box.ask("nxdomain.quiet.example", do=do)).rcode() == 3
        assert len(upstream.log) == before


async def test_under_other_lists_nothing_of_the_old_verdicts_is_left(
    upstream: LyingUpstream, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "few.txt").write_text("z9.example.com\n", "utf-8")
    wanted = (JobList("few", "porn", str(tmp_path / "few.txt"), "domains", file="few.txt"),)
    run(Job(str(tmp_path / "index.fdx"), wanted, CATEGORIES))
    other = next(path for path in tmp_path.glob("index*.fdx") if not path.is_symlink())
    async with Box(Whole(running(index)), (upstream.url,), True) as box:  # type: ignore[arg-type]
        for name in ("a.p1.example.com", "b.p1.example.com"):
            assert (await box.ask(name)).rcode() == 3
        assert (await box.ask("z9.example.com")).rcode() == 0
        box.handler.placements.swap(running(other))
        for name in ("a.p1.example.com", "b.p1.example.com", "c.p1.example.com"):
            assert (await box.ask(name)).rcode() == 0
        for name in ("z9.example.com", "y.z9.example.com"):
            assert (await box.ask(name)).rcode() == 3


async def test_before_a_swap_only_that_is_judged_which_the_lists_alone_do_not_decide(
    upstream: LyingUpstream, index: Path
) -> None:
    """A swap waits for who is judged ahead: what the tables answer by themselves need not be."""
    now, then = running(index), running(index, SCHOOLS["with overrides"])
    async with Box(Whole(now), (upstream.url,), True) as box:  # type: ignore[arg-type]
        for name in ("a.p1.example.com", "b.p1.example.com", "www.youtube.com") * 2:
            await box.ask(name)
        for name in ("c.b1.example.com", "d.b1.example.com"):
            await box.ask(name)
        held = {outline: _held(box, outline) for outline in (None, now.outline, then.outline)}
    assert {"b.p1.example.com", "d.b1.example.com", "www.youtube.com"} <= held[None]
    assert "b.p1.example.com" not in held[now.outline] | held[then.outline]
    assert "www.youtube.com" in held[now.outline] & held[then.outline]
    assert "d.b1.example.com" in held[then.outline] - held[now.outline], "the policy names it then"


def _held(box: Box, outline: object | None) -> set[str]:
    found: set[str] = set()
    while (some := box.memo.held_some(outline)) is not None:
        found.update(from_wire(question[:-4]) for _, question, _ in some)
    return found


def test_a_rule_about_everything_leaves_every_name_to_python(index: Path, tmp_path: Path) -> None:
    (tmp_path / "any.txt").write_text("/^.{40,}$/\n", "utf-8")
    wanted = (JobList("any", "ads", str(tmp_path / "any.txt"), "regex", file="any.txt"),)
    run(Job(str(tmp_path / "index.fdx"), wanted, CATEGORIES))
    other = next(path for path in tmp_path.glob("index*.fdx") if not path.is_symlink())
    assert running(other).outline is None
    assert running(index).outline is not None


def test_no_outline_of_what_the_policy_or_a_rule_speaks_of(index: Path) -> None:
    outline = running(index).outline
    assert isinstance(outline, _native.Outline)
    for name in (
        *("a.youtube.com", "own.example.com", "x.own.example.com", "aqxzj1.example.com"),
        *("x.typed.example.com", "a.local", "_esni.free.example.com", "a\\043b.example.com"),
    ):
        assert outline.outline(to_wire(from_text(name))) is None, name
    assert outline.outline(to_wire(from_text("free.example.com"))) == b""
    assert outline.outline(to_wire(from_text("x.p1.example.com")))
