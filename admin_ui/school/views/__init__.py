"""The console's pages, one module per noun."""

from admin_ui.school.views import (
    account,
    approvals,
    audit,
    contacts,
    history,
    names,
    overrides,
    overview,
    people,
    sign_in,
    tickets,
)

BLUEPRINTS = (
    sign_in.bp,
    overview.bp,
    overrides.bp,
    names.bp,
    tickets.bp,
    contacts.bp,
    approvals.bp,
    history.bp,
    audit.bp,
    people.bp,
    account.bp,
)
