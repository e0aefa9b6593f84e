"""Policy files: everything wrong is found at once with its place, and what is right comes back."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filterd.errors import PolicyError, Problem
from filterd.policy import document
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy

TIER = 'id: primary\ntitle: {vi: "Tiểu học", en: "Primary"}\n'
STAFF = 'id: staff\ntitle: {vi: "Nhân viên", en: "Staff"}\npupils: false\n'


def problems(taxonomy: Taxonomy, school: str = "", tier: str = "", **more: str) -> list[Problem]:
    files = {"school.yaml": school, "primary.yaml": TIER + tier, "staff.yaml": STAFF, **more}
    with pytest.raises(PolicyError) as caught:
        document.parse(files, taxonomy)
    return list(caught.value.problems)


def read(taxonomy: Taxonomy, school: str = "", tier: str = "") -> Policy:
    files = {"school.yaml": school, "primary.yaml": TIER + tier, "staff.yaml": STAFF}
    return document.parse(files, taxonomy)


def test_shipped_policies_come_back_the_same(shipped: Policy, taxonomy: Taxonomy) -> None:
    again = document.parse(document.dump(shipped), taxonomy)
    assert again == shipped


def test_every_mistake_is_found_at_once_with_file_line_and_advice(taxonomy: Taxonomy) -> None:
    found = problems(
        taxonomy,
        school=(
            "tme_zone: Asia/Ho_Chi_Minh\n"
            "segments:\n"
            "  - {id: a, network: 10.0.0.0/24, tier: primry}\n"
            "  - {id: a, network: 10.0.0.0/24, tier: primary}\n"
            "  - {id: b, network: 10.0.1.7/24, tier: primary}\n"
            "overrides:\n"
            "  - {name: '*.vidu.vn', action: alow, reason: r, author: a}\n"
        ),
        tier='schedule:\n  - {name: s, hours: ["7h-9h"], block: {categories: [game]}}\n',
    )
    places = {(p.file, p.line, p.key): p for p in found}
    assert set(places) == {
        ("school.yaml", 1, "tme_zone"),
        ("school.yaml", 3, "segments[1].tier"),
        ("school.yaml", 4, "segments[2].id"),
        ("school.yaml", 4, "segments[2].network"),
        ("school.yaml", 5, "segments[3].network"),
        ("school.yaml", 7, "overrides[1].name"),
        ("school.yaml", 7, "overrides[1].action"),
        ("primary.yaml", 4, "schedule[1].hours"),
        ("primary.yaml", 4, "schedule[1].block.categories"),
        ("primary.yaml", 4, "schedule[1]"),
    }
    assert places["school.yaml", 1, "tme_zone"].suggestion == "did you mean 'time_zone'?"
    assert places["school.yaml", 3, "segments[1].tier"].suggestion == "did you mean 'primary'?"
    assert places["school.yaml", 5, "segments[3].network"].suggestion == "10.0.1.0/24"
    assert places["school.yaml", 7, "overrides[1].name"].suggestion == "vidu.vn"
    assert all(problem.message_vi for problem in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x [1]\nb: *x\n", "anchors and aliases"),
        ("portal: !!python/object/apply:os.system ['id']\n", "tags are refused"),
        ("portal: []\nportal: []\n", "stands twice"),
        ("portal: [\n", "not YAML"),
        ("portal: []\n---\nportal: []\n", "second document"),
        ("portal: " + "[" * 40 + "]" * 40 + "\n", "nested too deeply"),
        ("? [a, b]\n: c\n", "a key must be a word"),
        ("- a\n- b\n", "must be keys with values"),
        ("just text\n", "must be keys with values"),
        ("identity: {name: '\x00'}\n", "not YAML"),
    ],
)
def test_dangerous_or_broken_yaml_is_one_clear_problem(
    taxonomy: Taxonomy, text: str, says: str
) -> None:
    assert any(says in problem.message for problem in problems(taxonomy, school=text))


@pytest.mark.parametrize(
    ("school", "key"),
    [
        ("time_zone: Asia/Saigonn\n", "time_zone"),
        ("time_zone: ../../etc/passwd\n", "time_zone"),
        ("unknown: staff\n", "unknown"),
        ("tiers: [primary]\n", "tiers"),
        ("tiers: [primary, staff, primary]\n", "tiers"),
        ("calendar: {terms: [{name: t, first: 2026-13-01}]}\n", "calendar.terms[1].first"),
        ("calendar: {terms: [{name: t, first: 2026-09-05, last: 2026-09-01}]}\n",
         "calendar.terms[1].last"),
        ("calendar: {terms: [{name: a, first: 2026-09-01, last: 2026-12-31},"
         " {name: b, first: 2026-12-31, last: 2027-05-31}]}\n", "calendar.terms[2].first"),
        ("devices: [{tier: primary}]\n", "devices[1]"),
        ("devices: [{mac: 'zz', tier: primary}]\n", "devices[1].mac"),
        ("local: {internal_zones: [com]}\n", "local.internal_zones"),
        ("local: {records: [{name: a.lan, type: AAAA, value: 10.0.0.1}]}\n",
         "local.records[1].value"),
        ("portal: [10.0.0.300]\n", "portal"),
        ("overrides: [{name: a.vn, action: allow}]\n", "overrides[1].reason"),
        ("overrides: [{name: a.vn, action: allow, reason: r, author: a, expires: 2026-12-01}]\n",
         "overrides[1].expires"),
        ("overrides: [{name: a.vn, action: allow, reason: r, author: a, segments: [x]}]\n",
         "overrides[1].segments"),
        ("overrides: [{name: a.vn, action: block, reason: r, author: a, safe_search: on}]\n",
         "overrides[1].safe_search"),
        ("exams: [{segments: [], until: 2026-12-22T11:00:00+07:00}]\n", "exams[1].segments"),
        ("authority: [{name: a.vn, issuer: i, issued: 2026-01-01}]\n", "authority[1].document"),
    ],
)  # fmt: skip
def test_mistakes_in_the_school_file(taxonomy: Taxonomy, school: str, key: str) -> None:
    assert key in [problem.key for problem in problems(taxonomy, school=school)]


@pytest.mark.parametrize(
    ("tier", "key"),
    [
        ("pupils: false\n", "pupils"),
        ("block_ttl: 9\n", "block_ttl"),
        ("block_ttl: 61\n", "block_ttl"),
        ("block_ttl: 1e1\n", "block_ttl"),
        ("action: nxdomian\n", "action"),
        ("safe_search: {google: maybe}\n", "safe_search.google"),
        ("safe_search: {gogle: on}\n", "safe_search.gogle"),
        ("block: {services: [tiktok], categories: [pron]}\n", "block.categories"),
        ("block: {services: [tiktok]}\nallow: {services: [tiktok]}\n", "block.services"),
        ("schedule: [{name: s, hours: ['07:00-25:00'], allow: {categories: [games]}}]\n",
         "schedule[1].hours"),
        ("schedule: [{name: s, hours: ['07:00-09:00'], weekdays: [monday],"
         " allow: {categories: [games]}}]\n", "schedule[1].weekdays"),
        ("schedule: [{name: s, hours: ['07:00-09:00'], allow: {categories: [porn]}}]\n",
         "schedule[1].allow.categories"),
        ("schedule: [{name: s, hours: ['07:00-09:00']}]\n", "schedule[1]"),
        ("expect: {'a..b': blocked}\n", "expect.a..b"),
        ("expect: {a.vn: bloked}\n", "expect.a.vn.outcome"),
    ],
)  # fmt: skip
def test_mistakes_in_a_tier_file(taxonomy: Taxonomy, tier: str, key: str) -> None:
    assert key in [problem.key for problem in problems(taxonomy, tier=tier)]


@pytest.mark.parametrize(
    "exception",
    [
        "{approved_by: an, approved_at: 2026-11-01T08:00:00+07:00}",  # same person
        "{approved_by: ' AN ', approved_at: 2026-11-01T08:00:00+07:00}",  # the same, disguised
        "{approved_by: binh, approved_at: 2026-10-31T07:59:59+07:00}",  # a second too long
        "{approved_by: binh, approved_at: 2026-12-01T08:00:00+07:00}",  # approved after its end
    ],
)
def test_an_exception_that_would_not_stand_is_refused(taxonomy: Taxonomy, exception: str) -> None:
    school = (
        "overrides: [{name: a.vn, action: allow, reason: r, author: an,"
        f" expires: 2026-11-30T08:00:00+07:00, exception: {exception}}}]\n"
    )
    assert "overrides[1].exception" in [p.key for p in problems(taxonomy, school=school)]


def test_nested_networks_are_fine_the_longest_wins(taxonomy: Taxonomy) -> None:
    policy = read(
        taxonomy,
        "segments:\n  - {id: a, network: 10.0.0.0/8, tier: primary}\n"
        "  - {id: b, network: 10.1.0.0/16, tier: staff}\n",
    )
    assert len(policy.segments) == 2


def test_two_files_for_one_tier_and_none_for_pupils(taxonomy: Taxonomy) -> None:
    found = problems(taxonomy, **{"again.yaml": TIER})
    assert any("two files" in problem.message for problem in found)
    with pytest.raises(PolicyError, match="no tier for pupils"):
        document.parse({"school.yaml": "", "staff.yaml": STAFF}, taxonomy)
    with pytest.raises(PolicyError, match="is missing"):
        document.parse({"primary.yaml": TIER}, taxonomy)


def test_on_and_off_are_words_not_booleans(taxonomy: Taxonomy) -> None:
    tier = read(taxonomy, tier="safe_search: {google: on, bing: no, youtube: off}\n").tiers[0]
    assert tier.safe_search == {"google"} and tier.youtube == "off"


def test_vietnamese_names_become_a_labels(taxonomy: Taxonomy) -> None:
    school = "overrides: [{name: 'Trường.vn.', action: block, reason: r, author: a}]\n"
    wanted = "trường".encode("idna").decode() + ".vn"
    assert read(taxonomy, school).overrides[0].name == wanted


def test_the_schema_accepts_what_ships_and_refuses_unknown_keys(
    shipped_files: dict[str, str], taxonomy: Taxonomy
) -> None:
    schema = document.schema(taxonomy)
    jsonschema.Draft202012Validator.check_schema(schema)
    for file, text in shipped_files.items():
        kind = "school" if file == "school.yaml" else "tier"
        validator = jsonschema.Draft202012Validator(
            {**schema, "anyOf": [{"$ref": f"#/$defs/{kind}"}]}
        )
        content = yaml.load(text, Loader=yaml.BaseLoader)
        content.pop("block_ttl", None)  # numbers and booleans are text to this loader
        validator.validate(_typed(content))
        assert not validator.is_valid({**_typed(content), "blok": {}})


def _typed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    return value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300))
def test_any_text_is_a_policy_or_problems(taxonomy: Taxonomy, text: str) -> None:
    for files in (
        {"school.yaml": text, "primary.yaml": TIER},
        {"school.yaml": "", "primary.yaml": text},
    ):
        try:
            document.parse(files, taxonomy)
        except PolicyError as error:
            assert error.problems


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_shipped_file_never_escapes(
    shipped_files: dict[str, str], taxonomy: Taxonomy, data: st.DataObject
) -> None:
    file = data.draw(st.sampled_from(sorted(shipped_files)))
    text = shipped_files[file]
    words = [match.span() for match in re.finditer(r"[\w.:/-]+", text)]
    start, end = data.draw(st.sampled_from(words))
    junk = data.draw(
        st.sampled_from(["", "null", "{}", "[]", "999999999999999999999", "*", "'\n", "2026-02-30"])
        | st.text(max_size=8)
    )
    files = {**shipped_files, file: text[:start] + junk + text[end:]}
    try:
        policy = document.parse(files, taxonomy)
    except PolicyError as error:
        assert all(problem.file in files for problem in error.problems)
    else:
        assert document.parse(document.dump(policy), taxonomy).tiers == policy.tiers
