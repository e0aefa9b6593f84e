"""What can be told apart: categories, services, safe search, must-allow and protected names.

Read from `blocklists/*.yaml`; the floors are constants here, so that no edit of the data loosens
them. Knows no tier and no list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from filterd.errors import ConfigError, Problem
from filterd.policy import values
from filterd.policy.model import Category, CategoryId, Floor, Name, Service, ServiceId, Title
from filterd.policy.reader import Fields, Log, ValueProblem, choice, truth
from filterd.policy.tree import Mapping as Tree
from filterd.policy.tree import read_tree

FILES = ("taxonomy.yaml", "services.yaml", "safesearch.yaml", "must_allow.yaml", "protected.yaml")
CATEGORIES = (
    *("csam", "authority", "extremism", "malware", "phishing", "bypass", "porn", "gambling"),
    *("self_harm", "violence", "drugs", "hate", "dating", "piracy", "games", "social", "video"),
    *("chat", "genai", "shopping", "ads"),
)
"""Contract §5: exactly these, in this order."""
FLOOR: Mapping[str, Floor] = {
    **dict.fromkeys(("csam", "authority", "malware", "phishing"), Floor.EVERYONE),
    **dict.fromkeys(("extremism", "porn", "gambling"), Floor.PUPILS),
}
WITHOUT_EXCEPTION = frozenset({"csam", "authority"})
SENSITIVE = frozenset({"csam", "authority", "self_harm"})
"""Never a time series (a counter that moves by one identifies a child)."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A search engine: its exact names are answered with the first of `cnames` that exists, or
    with the addresses; `line` is its line in safesearch.yaml."""

    id: str
    title: str
    names: tuple[Name, ...]
    cnames: tuple[Name, ...] = ()
    a: tuple[str, ...] = ()
    aaaa: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SafeSearch:
    """The rewrite table; `unsafe` names (and all below) have no safe mode by DNS."""

    engines: tuple[Engine, ...]
    youtube: tuple[Name, ...]
    moderate: Name
    strict: Name
    unsafe: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A named bundle of the must-allow pack; tiers in allow-only mode refer to it."""

    id: str
    title: Title
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Everything that can be told apart; immutable."""

    categories: Mapping[CategoryId, Category]
    services: Mapping[ServiceId, Service]
    safe_search: SafeSearch
    must_allow: Mapping[str, Group]
    protected: frozenset[Name]


def load(directory: Path) -> Taxonomy:
    """The taxonomy of a `blocklists` directory; ConfigError with all its mistakes."""
    files: dict[str, str] = {}
    for name in FILES:
        try:
            files[name] = (directory / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                [Problem(str(directory / name), None, "(file)", f"cannot be read: {error}")]
            ) from None
    return parse(files)


def parse(files: Mapping[str, str]) -> Taxonomy:
    """The taxonomy of the five files (file name → text); ConfigError with all their mistakes."""
    problems: list[Problem] = []
    roots = {name: _root(name, files.get(name, ""), keys, problems) for name, keys in _KEYS.items()}
    categories = _categories(roots["taxonomy.yaml"])
    found = Taxonomy(
        categories=categories,
        services=_services(roots["services.yaml"]),
        safe_search=_safe_search(roots["safesearch.yaml"]),
        must_allow=_groups(roots["must_allow.yaml"]),
        protected=frozenset(roots["protected.yaml"].values("names", values.name)),
    )
    if problems:
        raise ConfigError(problems)
    return found


_KEYS = {
    "taxonomy.yaml": ("categories",),
    "services.yaml": ("services",),
    "safesearch.yaml": ("engines", "youtube", "unsafe_engines"),
    "must_allow.yaml": ("groups",),
    "protected.yaml": ("names",),
}


def _root(file: str, text: str, keys: tuple[str, ...], problems: list[Problem]) -> Fields:
    tree = read_tree(file, text)
    if isinstance(tree, Problem):
        problems.append(tree)
        tree = Tree(1, ())
    return Fields(Log(file, problems), tree, "", keys)


def title_of(fields: Fields) -> Title:
    """`title: {vi: …, en: …}`; both are needed."""
    child = fields.child("title", ("vi", "en"))
    if child is None:
        fields.wrong("title", ValueProblem("is missing", "còn thiếu", "{vi: …, en: …}"))
        return Title("", "")
    return Title(
        child.value("vi", values.line, "", need=True), child.value("en", values.line, "", need=True)
    )


def _categories(root: Fields) -> dict[CategoryId, Category]:
    known = ("id", "floor", "excepted", "sensitive", "title")
    found: dict[CategoryId, Category] = {}
    for item in root.children("categories", known):
        name = CategoryId(item.value("id", choice(CATEGORIES), "", need=True))
        category = Category(
            name,
            title_of(item),
            Floor(item.value("floor", choice([f.value for f in Floor]), Floor.NONE.value)),
            item.value("excepted", truth, True),
            item.value("sensitive", truth, False),
        )
        wanted = (
            FLOOR.get(name, Floor.NONE),
            name not in WITHOUT_EXCEPTION,
            name in SENSITIVE,
        )
        if name and (category.floor, category.excepted, category.sensitive) != wanted:
            item.wrong(
                "id",
                ValueProblem(
                    f"the floor of {name} is fixed: {wanted[0]}, excepted {wanted[1]}, "
                    f"sensitive {wanted[2]}",
                    f"mức sàn của {name} là cố định",
                ),
            )
        found[name] = category
    missing = [name for name in CATEGORIES if name not in found]
    if missing:
        root.wrong(
            "categories",
            ValueProblem("missing: " + ", ".join(missing), "thiếu: " + ", ".join(missing)),
        )
    return {CategoryId(name): found[CategoryId(name)] for name in CATEGORIES if name in found}


def _unique(item: Fields, name: str, found: Collection[str]) -> None:
    if name in found:
        item.wrong("id", ValueProblem(f"{name!r} stands twice", f"{name!r} có hai lần"))


def _services(root: Fields) -> dict[ServiceId, Service]:
    found: dict[ServiceId, Service] = {}
    for item in root.children("services", ("id", "title", "category", "names")):
        name = item.value("id", values.identifier, "", need=True)
        _unique(item, name, found)
        category = CategoryId(item.value("category", choice(CATEGORIES), "", need=True))
        names = item.values("names", values.name)
        found[ServiceId(name)] = Service(
            ServiceId(name), title_of(item), category, names, item.line
        )
    return found


def _groups(root: Fields) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for item in root.children("groups", ("id", "title", "names")):
        name = item.value("id", values.identifier, "", need=True)
        _unique(item, name, found)
        found[name] = Group(name, title_of(item), item.values("names", values.name))
    return found


def _safe_search(root: Fields) -> SafeSearch:
    engines = []
    for item in root.children("engines", ("id", "title", "target", "names")):
        target = item.child("target", ("cname", "a", "aaaa"))
        engine = Engine(
            item.value("id", values.identifier, "", need=True),
            item.value("title", values.line, "", need=True),
            item.values("names", values.name),
            target.values("cname", values.name) if target else (),
            target.values("a", values.address) if target else (),
            target.values("aaaa", values.address) if target else (),
            item.line,
        )
        if not engine.cnames and not engine.a + engine.aaaa:
            item.wrong("target", ValueProblem("names no target", "chưa có đích"))
        engines.append(engine)
    youtube = root.child("youtube", ("names", "moderate", "strict"))
    empty = Name("")
    return SafeSearch(
        tuple(engines),
        youtube.values("names", values.name) if youtube else (),
        youtube.value("moderate", values.name, empty, need=True) if youtube else empty,
        youtube.value("strict", values.name, empty, need=True) if youtube else empty,
        root.values("unsafe_engines", values.name),
    )
