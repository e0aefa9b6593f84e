"""The acts of the audit log in words; an act without words shows its code."""

from __future__ import annotations

from admin_ui.shared.i18n import gettext as _


def act_titles() -> dict[str, str]:
    """Action → what was done."""
    return {
        "policy.apply": _("policy changed"),
        "policy.refused": _("policy change refused"),
        "policy.weaken": _("policy made weaker"),
        "approvals.ask": _("asked a second person"),
        "approvals.approved": _("agreed to a request"),
        "approvals.refused": _("refused a request"),
        "backup.export": _("backup made"),
        "backup.import": _("backup restored"),
        "tail.start": _("debug view turned on"),
        "tail.stop": _("debug view turned off"),
        "contacts.set": _("helplines changed"),
        "evidence.enrol": _("joined the Education office"),
        "evidence.hand_in": _("report noted as handed in"),
        "evidence.report": _("report downloaded"),
        "evidence.set_governance": _("governance record changed"),
        "lists.on": _("list turned on"),
        "lists.off": _("list turned off"),
        "lists.add_source": _("list added"),
        "lists.remove_source": _("list removed"),
        "lists.approve": _("list update let in"),
        "lists.refuse": _("list update refused"),
        "lists.rollback": _("list taken back to an older version"),
        "lists.local_set": _("own names changed"),
        "lists.pair": _("lists taken from the other box"),
        "lists.update": _("lists updated"),
        "lists.reload": _("lists loaded anew"),
        "people.add": _("person added"),
        "people.set": _("person changed"),
        "people.role": _("role given"),
        "people.reset": _("new one-time password"),
        "people.remove": _("person removed"),
        "people.password": _("own password set"),
        "people.totp": _("second step turned on"),
        "sessions.start": _("signed in"),
        "sessions.end": _("signed out"),
        "sessions.refused": _("sign-in refused"),
        "sessions.revoke": _("session ended"),
        "setup.done": _("set-up finished"),
        "tickets.decide": _("request decided"),
        "tickets.handoff": _("handed to an authority"),
        "lists.set_enabled": _("turning a list off"),
        "overrides.add": _("opening a name"),
        "overrides.cancel": _("ending a block"),
        "exams.add": _("exam mode"),
        "exceptions.add": _("exception to the floor"),
        "pause.start": _("pause"),
        "tokens.add": _("API token made"),
        "tokens.revoke": _("API token ended"),
    }
