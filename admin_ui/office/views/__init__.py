"""The office's pages, one module per noun."""

from admin_ui.office.views import (
    awareness,
    communes,
    compare,
    overview,
    people,
    public,
    publish,
    refusals,
    register,
    report,
    school,
    schools,
)

BLUEPRINTS = tuple(
    module.bp
    for module in (
        overview, communes, schools, school, compare, refusals, awareness, report, register,
        publish, people, public,
    )
)  # fmt: skip
