"""Publishing to schools: the authority list, releases, laboratory results."""

from __future__ import annotations

import json

from flask import Blueprint, abort, flash, g, render_template, request
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from admin_ui.office import exports, methods, publish
from admin_ui.office.access import office, written
from admin_ui.office.assess import reassess_index
from admin_ui.office.database import upsert
from admin_ui.office.tables import devices, efficacy, releases
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.errors import ConfigError, EvidenceError
from filterd.evidence.bundle import Entry
from filterd.policy.taxonomy import CATEGORIES

bp = Blueprint("publish", __name__, url_prefix="/publish")


@bp.get("/")
def page() -> str:
    """What is published, and which schools have it."""
    columns = [c for c in releases.c if c.name != "envelope"]
    newest = office().rows(select(*columns).order_by(releases.c.version.desc()).limit(10))
    held = office().rows(
        select(devices.c.bundle, func.count().label("n"))
        .where(devices.c.state == "active")
        .group_by(devices.c.bundle)
    )
    laboratory = office().rows(select(efficacy.c.list_index, efficacy.c.entered).limit(20))
    return render_template(
        "publish/page.html", names=publish.entries(office()), releases=newest, held=held,
        laboratory=laboratory, zone=publish.proof_zone(office()),
        today=office().today().isoformat(), floor=publish.more_floor(office()),
        catalogue=publish.catalogue_text(office()), categories=CATEGORIES,
        locked=methods.current(office()).locked(pupils=True),
        methods=sorted(methods.versions(office()).methods, key=lambda each: each.valid_from),
    )  # fmt: skip


def _who() -> str:
    return str((g.account or {}).get("name", "office"))


@bp.post("/add")
def add() -> Response:
    """A name with the document that demands it; it goes out with the release made at once."""
    days = {key: fields.text(key, 10, required=key == "issued") for key in ("issued", "expires")}
    for day in days.values():
        if day and not publish.is_day(day):
            raise fields.FieldError(_("This is not a date."))
    entry = Entry(
        fields.text("name", 253), fields.text("document", 120), fields.text("issuer", 120),
        days["issued"], days["expires"] or None,
    )  # fmt: skip
    try:
        publish.add(office(), entry, _who())
    except EvidenceError:
        raise fields.FieldError(_("This is not a domain name.")) from None
    _release(f"+ {entry.name}")
    return back()


@bp.post("/remove")
def remove() -> Response:
    """Take a name off the list and publish."""
    name = fields.text("name", 253)
    if not publish.remove(office(), name):
        raise fields.FieldError(_("This name is not on the list."))
    _release(f"- {name}")
    return back()


@bp.post("/release")
def release() -> Response:
    """Publish again, with a new date of expiry."""
    _release("")
    return back()


def _release(what: str) -> None:
    version = publish.release(office(), _who(), what)
    written("publish.release", str(version), what)
    flash(_("Version %(n)s is published. Schools take it within ten minutes.", n=version), "ok")


@bp.post("/floor")
def floor() -> Response:
    """Categories that no school of this office may open for pupils, besides the method's own."""
    try:
        publish.set_floor(office(), request.form.getlist("categories"))
    except EvidenceError as error:
        raise fields.FieldError(str(error)) from None
    _release("floor")
    return back()


@bp.post("/catalogue")
def catalogue() -> Response:
    """Lists that every school of this office fetches."""
    try:
        publish.set_catalogue(office(), fields.text("text", 200_000, required=False, lines=True))
    except ConfigError as error:
        raise fields.FieldError(str(error)) from None
    _release("catalogue")
    return back()


@bp.post("/method")
def method() -> Response:
    """A version of the method, from the first whole month after its date."""
    try:
        added = methods.add(office(), fields.text("text", 60_000, lines=True))
    except EvidenceError as error:
        raise fields.FieldError(_why_no_method(error)) from None
    _release(f"method {added.version}")
    return back()


@bp.get("/method/<version>.yaml")
def method_file(version: str) -> Response:
    """A version as its file, to read and to start the next one from."""
    text = methods.texts(office()).get(version)
    if text is None:
        abort(404)
    return exports.attachment(text.encode(), "application/yaml", f"method-{version}.yaml")


def _why_no_method(error: EvidenceError) -> str:
    if error.code == "method_known":
        return _("This version is there already and is never changed.")
    if error.code == "method_begun":
        return _("A version must begin on a day to come.")
    return _("This is not a method: %(what)s", what=str(error))


@bp.post("/laboratory")
def laboratory() -> Response:
    """The efficacy of a list version, measured once in a laboratory (I6)."""
    try:
        body = json.loads(fields.text("body", 20_000, lines=True))
        index = str(body["index"])
        pairs = [*body["recall"].values(), *body["vietnamese"].values(), body["false_block"]]
        whole = all(len(pair) == 2 and all(type(n) is int and n >= 0 for n in pair)
                    and pair[0] <= pair[1] for pair in pairs)  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise fields.FieldError(_("This is not a laboratory result."))
    row = {"list_index": index, "body": json.dumps(body), "entered": office().moment(),
           "entered_by": _who()}  # fmt: skip
    with office().write() as connection:
        statement = upsert(connection, efficacy).values(**row)
        connection.execute(statement.on_conflict_do_update(index_elements=["list_index"], set_=row))
        reassess_index(connection, index, office().today())
    written("publish.laboratory", index)
    flash(_("Saved. The statuses of this month are computed again."), "ok")
    return back()
