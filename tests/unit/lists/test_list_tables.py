"""The two tables and the two ways of reading say the same, whatever the list says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filterd.errors import ListError
from filterd.lists import bulk, fdx, parsed_file, reader
from filterd.lists.builder import build
from filterd.lists.canary import canary_lists
from filterd.lists.formats import FORMATS, Options, parse
from filterd.lists.index import Index, file_table, open_index
from filterd.lists.memory import Loaded, MemoryTable
from filterd.lists.parsed import Parsed, gather
from filterd.lists.precedence import ListMeta
from filterd.lists.protect import Protection, protected
from filterd.policy.model import CategoryId, ListId
from filterd.policy.verdict import Asker, Listing, Question
from filterd.wire.names import Name

LABELS = ("a", "b", "ads", "x-1", "_t", "example", "com", "net", "vn", "co", "xn--bcher-kva")
NAMES = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
TEMPLATES = (
    "{n}", "||{n}^", "@@||{n}^", "||{n}^$important", "@@||{n}^$important", "|{n}^", ".{n}^",
    "*.{n}", "0.0.0.0 {n}", "127.0.0.1 {n} {n}", "local=/{n}/", "address=/{n}/0.0.0.0",
    "server=/{n}/#", "{n} CNAME .", "*.{n} CNAME .", "{n} CNAME rpz-passthru.", "||{n}^$badfilter",
    "||{n}^$dnstype=AAAA", "||{n}^$client=10.0.0.0/8", "||{n}^$denyallow=a.{n}", "||*-{n}^",
    "/^{n}/", "# {n}", "{n}.", "{n}:80", "  {n}  ", "=", "", "{n} # note", "||{n}", "||{n}^$script",
    "@@||{n}^$dnsrewrite", "||{n}^$dnsrewrite=1.2.3.4", "1.2.3.4 {n}", "192.0.2.1", "\tX{n}",
)  # fmt: skip
LINES = st.builds(lambda t, n: t.replace("{n}", n), st.sampled_from(TEMPLATES), NAMES)
LOOKALIKES = ("192.0.2.7", "256.1.1.1", "01.2.3.4", "1.2.3", "localhost.localdomain", "l" * 260)
RUNS = st.builds(
    lambda t, names: "\n".join(t.replace("{n}", n) for n in names),
    st.sampled_from(TEMPLATES),
    st.lists(st.one_of(NAMES, NAMES, st.sampled_from(LOOKALIKES)), min_size=17, max_size=40),
)
"""Lines in one form, long enough for the bulk filter, with lines among them that only look so."""
LISTS = st.lists(st.one_of(LINES, st.text(max_size=20)), max_size=30).map("\n".join)
LONG_LISTS = st.lists(st.one_of(RUNS, RUNS, LISTS), min_size=1, max_size=4).map("\n".join)


def load(text: str, form: str, number: int = 0, category: str = "c") -> Loaded:
    options = Options(rewrites=True)
    lines = enumerate(text.split("\n"), 1)
    return Loaded(
        ListMeta(ListId(f"l{number}"), CategoryId(category), form),
        gather(parse(form, lines, options), Parsed()),
    )


def content(found: Parsed) -> object:
    """All that was read, in the order of the list."""
    groups = {
        place: (group.joined(), list(group.lines)) for place, group in sorted(found.groups.items())
    }
    samples = {why: [tuple(each) for each in some] for why, some in found.samples.items()}
    return groups, found.rules, found.addresses, found.dropped, samples


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMATS), st.one_of(LISTS, LONG_LISTS))
def test_the_bulk_filter_changes_nothing(form: str, text: str) -> None:
    text = text.replace("\r", "").replace("\x00", "")
    options = Options()
    slow = gather(parse(form, enumerate(text.encode().decode().split("\n"), 1), options), Parsed())
    quick = Parsed()
    blocks = reader.blocks(io.BytesIO(text.encode()))
    lines = bulk.slow_lines(blocks, bulk.shapes(form, options), quick)
    gather(parse(form, lines, options), quick)
    assert content(quick) == content(slow)


@pytest.mark.parametrize("form", FORMATS)
def test_the_bulk_filter_takes_long_runs(form: str) -> None:
    shape = {
        "hosts": "0.0.0.0 {}", "wildcard": "*.{}", "adblock": "||{}^", "rpz": "*.{} CNAME .",
        "dnsmasq": "local=/{}/",
    }.get(form, "{}")  # fmt: skip
    if form in ("regex", "addresses"):
        pytest.skip("has no plain names")
    text = "".join(shape.format(f"n{i}.Example.com") + "\r\n" for i in range(5000))
    found = Parsed()
    lines = bulk.slow_lines(
        reader.blocks(io.BytesIO(text.encode())), bulk.shapes(form, Options()), found
    )
    assert list(lines) == []
    assert found.names == 5000
    assert found.lines == 5000
    assert len(set(next(iter(found.groups.values())).joined().split(b"\n"))) == 5000


def test_addresses_are_taken_in_runs_too() -> None:
    text = "".join(f"192.0.2.{i}\n" for i in range(256))
    found = Parsed()
    forms = bulk.shapes("addresses", Options())
    assert list(bulk.slow_lines(reader.blocks(io.BytesIO(text.encode())), forms, found)) == []
    assert [str(each.network) for each in found.addresses[:2]] == ["192.0.2.0/32", "192.0.2.1/32"]
    assert len(found.addresses) == 256 and found.addresses[-1].line == 256


def same(left: tuple[Listing, ...], right: tuple[Listing, ...]) -> bool:
    def winners(found: tuple[Listing, ...]) -> dict[str, tuple[object, ...]]:
        first: dict[str, tuple[object, ...]] = {}
        for one in found:
            seen = (one.exception, one.important, one.rewrite, one.personal, one.list, one.line)
            first.setdefault(one.category, seen)
        return first

    return winners(left) == winners(right)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(FORMATS), LISTS, st.sampled_from("pq")), min_size=1, max_size=3
    ),
    st.lists(NAMES, min_size=1, max_size=10),
)
def test_the_file_says_what_memory_says(
    tmp_path: Path, wanted: list[tuple[str, str, str]], names: list[str]
) -> None:
    lists = [load(t, f, i, c) for i, (f, t, c) in enumerate(wanted)]
    path = tmp_path / "index.fdx"
    build(lists, Protection(), lambda _list, _why: True, path)
    compiled, memory = open_index(path), Index((MemoryTable(lists),), "m")
    asker = Asker("10.1.1.1")
    for name in names:
        for qtype in (1, 28):
            asked = Question(Name(name), qtype, asker)
            assert same(compiled.listings(asked), memory.listings(asked)), name


@pytest.mark.parametrize(("count", "width"), [(200, 1), (700, 2)], ids=["octets", "pairs"])
def test_who_lists_a_name_takes_no_more_room_than_it_must(
    tmp_path: Path, count: int, width: int
) -> None:
    """Every name in lists of its own: the file tells of each the same, however wide its numbers,
    and whether this version wrote it or the one that knew no numbers of one octet."""
    texts = ["\n".join(f"n{n}.example" for n in range(1, count) if n >> j & 1) for j in range(10)]
    path = tmp_path / "index.fdx"
    lists = [load(text, "domains", number, f"c{number}") for number, text in enumerate(texts)]
    build(lists, Protection(), lambda _list, _why: True, path)
    for version in (5, 4):
        raw = bytearray(path.read_bytes())
        raw[8] = version
        path.write_bytes(bytes(raw))
        index = open_index(path)
        assert file_table(index).halves[1].width == width
        for number in range(1, count, 7):
            found = index.listings(Question(Name(f"n{number}.example"), 1))
            assert {int(one.list[1:]) for one in found} == {j for j in range(10) if number >> j & 1}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FORMATS), LISTS)
def test_what_was_parsed_comes_back_from_the_cache(tmp_path: Path, form: str, text: str) -> None:
    found = {"": load(text, form).parsed, "adult": load("a.example\n2001:db8::/32", "ut1").parsed}
    with (tmp_path / "x.parsed").open("wb") as out:
        parsed_file.save(found, out)
    back = parsed_file.load(tmp_path / "x.parsed")
    assert {name: content(each) for name, each in back.items()} == {
        name: content(each) for name, each in found.items()
    }


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_cache_file_is_refused(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "x.parsed"
    with path.open("wb") as out:
        parsed_file.save({"": load("a.example\n192.0.2.1", "domains").parsed}, out)
    whole = bytearray(path.read_bytes())
    if harm == "cut":
        del whole[-3:]
    elif harm == "flip":
        whole[-6] ^= 1
    else:
        whole.clear()
    path.write_bytes(bytes(whole))
    with pytest.raises(ListError):
        parsed_file.load(path)


def test_every_category_has_its_canary_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "index.fdx"
    build(list(canary_lists()), protected([]), lambda _list, _why: True, path)
    index = open_index(path)
    for category in ("porn", "csam", "ads", "authority"):
        found = index.listings(Question(Name(f"{category}.canary.filterd.test"), 1))
        assert [(one.category, one.list) for one in found] == [(category, "canary")]
        assert index.listings(Question(Name(f"www.{category}.canary.filterd.test"), 1))
    assert index.listings(Question(Name("allowed.canary.filterd.test"), 1)) == ()


@pytest.mark.parametrize("harm", ["cut", "flip_body", "flip_head", "magic", "version", "empty"])
def test_a_damaged_index_is_refused_with_what_to_run(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "index.fdx"
    build([load("a.example\nb.example", "domains")], Protection(), lambda _list, _why: True, path)
    whole = bytearray(path.read_bytes())
    if harm == "cut":
        del whole[-9:]
    elif harm == "flip_body":
        whole[-20] ^= 1
    elif harm == "flip_head":
        whole[40] ^= 1
    elif harm == "magic":
        whole[0] ^= 1
    elif harm == "version":
        whole[8] = 99
    else:
        whole.clear()
    path.write_bytes(bytes(whole))
    with pytest.raises(ListError, match="filterd lists compile"):
        open_index(path)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="tells of memory on Linux alone")
def test_the_check_of_a_file_leaves_its_pages_to_the_system(tmp_path: Path) -> None:
    """Who checks an index does not keep it: it would be charged with all of it from then on."""
    path, part = tmp_path / "index.fdx", tmp_path / "part"
    part.write_bytes(bytes(8 << 20))
    fdx.write(path, {}, {"names": part})
    found = fdx.read(path, verify=True)
    about = Path("/proc/self/smaps").read_text().split(f"{path}\n")[1]
    assert int(about.split("Rss:")[1].split()[0]) < 4096
    assert not any(found.sections["names"])


def test_a_missing_index_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"no compiled list index .* filterd lists compile"):
        open_index(tmp_path / "none.fdx")


def test_building_again_gives_the_same_digest(tmp_path: Path) -> None:
    lists = [load("a.example\n||b.example^$client=10.0.0.1|a|b|c,ctag=x|y|z", "adblock")]
    digests = {
        build(lists, Protection(), lambda _list, _why: True, tmp_path / f"{n}.fdx").digest
        for n in "ab"
    }
    assert len(digests) == 1
    assert fdx.read(tmp_path / "a.fdx").head["digest"] in digests


def test_suffixes_and_protected_names_are_never_blocked(tmp_path: Path) -> None:
    text = "com\ncom.vn\ngithub.io\ngoogle.com\nclassroom.google.com\nads.google.com\nexample.com\n"
    rules = "||*^\n/google/\n||go*.com^\n@@||google.com^\n||vn^$dnstype=A\n||ok-*.example^"
    names = load(text, "ut1", 0, "p")
    complex_rules = load(rules, "adblock", 1, "q")
    protection = protected(["classroom.google.com"])
    path = tmp_path / "index.fdx"
    built = build([names, complex_rules], protection, lambda _list, _why: False, path)
    index = open_index(path)

    def blocked(name: str) -> bool:
        found = index.listings(Question(Name(name), 1))
        return any(not one.exception for one in found)

    assert not any(map(blocked, ("com", "shop.com", "x.com.vn", "me.github.io")))
    assert not any(
        map(blocked, ("google.com", "classroom.google.com", "mail.google.com", "abc.vn"))
    )
    assert blocked("ads.google.com") and blocked("www.example.com") and blocked("ok-1.example")
    first, second = built.lists
    assert first.dropped["public_suffix"] == 1 and first.dropped["private_suffix"] == 1
    assert first.dropped["protected_name"] == 3
    assert set(first.protected_hits) >= {"google.com", "classroom.google.com"}
    assert second.dropped["protected_name"] == 4


def test_figures_of_lists_that_overlap(tmp_path: Path) -> None:
    one = load("a.example\nb.example\nb.example\nc.example", "domains", 1)
    two = load("b.example\nc.example\nd.example", "domains", 2)
    built = build([one, two], Protection(), lambda _list, _why: True, tmp_path / "i.fdx")
    first, second = built.lists
    assert (first.entries, first.unique, first.shared) == (3, 1, {"l2": 2})
    assert (second.entries, second.unique, second.shared) == (3, 1, {"l1": 2})
    assert built.names == 4
    index = open_index(tmp_path / "i.fdx")
    found = index.listings(Question(Name("c.example"), 1))
    assert sorted((one.list, one.line) for one in found) == [("l1", 4), ("l2", 2)]


def test_what_one_client_is_told_is_not_kept_for_another(tmp_path: Path) -> None:
    """A rule for single clients marks every outcome it could have changed."""
    lists = [load("||x.example^$client=10.0.0.1\n||y.example^", "adblock")]
    path = tmp_path / "index.fdx"
    build(lists, Protection(), lambda _list, _why: True, path)
    for index in (open_index(path), Index((MemoryTable(lists),), "m")):
        mine = index.listings(Question(Name("x.example"), 1, Asker("10.0.0.1")))
        other = index.listings(Question(Name("x.example"), 1, Asker("10.0.0.2")))
        assert [(one.exception, one.personal) for one in mine] == [(False, True)]
        assert [(one.exception, one.personal) for one in other] == [(True, True)]
        assert not index.listings(Question(Name("y.example"), 1))[0].personal
