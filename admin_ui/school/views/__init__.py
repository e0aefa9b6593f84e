"""The console's pages, one module per noun."""

from admin_ui.school.views import (
    account,
    api,
    approvals,
    audit,
    backup,
    contacts,
    history,
    lists,
    local_lists,
    names,
    networks,
    overrides,
    overview,
    people,
    preview,
    schedule,
    setup,
    sign_in,
    tail,
    tickets,
    tiers,
    tokens,
)

BLUEPRINTS = tuple(
    module.bp
    for module in (
        sign_in,
        overview,
        tiers,
        preview,
        schedule,
        overrides,
        names,
        tickets,
        contacts,
        approvals,
        lists,
        local_lists,
        networks,
        history,
        audit,
        people,
        account,
        backup,
        tail,
        tokens,
        setup,
        api,
    )
)
