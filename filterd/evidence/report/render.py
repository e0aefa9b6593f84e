"""A record as HTML and PDF: one template, nothing fetched, nothing scripted."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, cast

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from filterd.evidence.method import Method
from filterd.evidence.report.record import Record
from filterd.evidence.report.words import Words
from filterd.policy.model import Category, Title


def html(record: Record, method: Method, titles: Mapping[str, Title], language: str) -> str:
    """The whole report as one self-contained page."""
    words = Words(language)
    environment = Environment(
        loader=PackageLoader("filterd.evidence.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = files("filterd.evidence.report").joinpath("templates", "report.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        r=record,
        w=words,
        css=Markup(css),  # noqa: S704  our own file
        qr=Markup(qr(record)),  # noqa: S704  made by segno from our own text
        names={id_: _in(limit.title, words) for id_, limit in method.thresholds.items()},
        categories=_category_names(titles, words),
        keep=_keeping(words),
    )


def pdf(page: str) -> bytes:
    """The page as PDF; nothing outside of it is loaded."""
    from weasyprint import HTML  # slow to import, and only needed here

    made = HTML(string=page, url_fetcher=_nothing).write_pdf()
    return cast("bytes", made)


def qr(record: Record) -> str:
    """An SVG of the signed digest: school, period, digest, device, signature."""
    seal = cast("dict[str, str]", record["signature"])
    period = cast("dict[str, str]", record["period"])
    text = " ".join(
        ("filterd-report/1", str(record["school_id"]), period["id"], seal["digest"],
         seal["device"], seal["ed25519"])
    )  # fmt: skip
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=0, omitsize=True
    )
    return out.getvalue().decode("ascii")


def titles_of(categories: Mapping[Any, Category]) -> dict[str, Title]:
    return {str(id_): category.title for id_, category in categories.items()}


def _in(title: Title, words: Words) -> str:
    return title.vi if words.language == "vi" else title.en


def _category_names(titles: Mapping[str, Title], words: Words) -> Callable[[list[str]], str]:
    def name(ids: list[str]) -> str:
        return ", ".join(_in(titles[id_], words) if id_ in titles else id_ for id_ in ids)

    return name


def _keeping(words: Words) -> Callable[[str], str]:
    units = {
        "d": {"vi": "ngày", "en": "days"},
        "m": {"vi": "tháng", "en": "months"},
        "y": {"vi": "năm", "en": "years"},
    }

    def keep(code: str) -> str:
        if code == "0":
            return {"vi": "không lưu", "en": "not kept"}[words.language]
        return f"{code[:-1]} {units[code[-1]][words.language]}"

    return keep


def _nothing(url: str) -> dict[str, Any]:
    raise ValueError(f"a report loads nothing: {url[:60]}")
