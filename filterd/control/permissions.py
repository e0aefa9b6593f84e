"""Who may do what: one permission for each method, a set of them for each role. Deny by default."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """The roles of school staff."""

    VIEWER = "viewer"
    TEACHER = "teacher"
    ADMINISTRATOR = "administrator"
    APPROVER = "approver"
    INSPECTOR = "inspector"


class Permission(enum.StrEnum):
    """What a method needs; a method without one does not exist."""

    GUEST = "guest"  # before signing in
    PORTAL = "portal"  # the page that pupils reach
    SELF = "self"  # one's own account, after the password but maybe before TOTP
    VIEW = "view"  # aggregates, policy, lists, explain
    EVIDENCE = "evidence"
    TIMED = "timed"  # timed overrides (a teacher: for the segments of the account)
    EDIT = "edit"  # policy, lists, contacts, drafts
    DECIDE = "decide"  # tickets
    APPROVE = "approve"  # somebody else's weakening change
    PEOPLE = "people"
    AUDIT = "audit"
    DEBUG = "debug"
    BACKUP = "backup"
    LOCAL = "local"  # only the machine's own administrator


_VIEW = frozenset({Permission.SELF, Permission.PORTAL, Permission.VIEW, Permission.EVIDENCE})
_EDIT = _VIEW | {
    Permission.TIMED,
    Permission.EDIT,
    Permission.DECIDE,
    Permission.PEOPLE,
    Permission.AUDIT,
    Permission.DEBUG,
    Permission.BACKUP,
}
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEW,
    Role.TEACHER: _VIEW | {Permission.TIMED},
    Role.ADMINISTRATOR: _EDIT,
    Role.APPROVER: _EDIT | {Permission.APPROVE},
    Role.INSPECTOR: _VIEW | {Permission.AUDIT},
}
TOTP_REQUIRED = frozenset({Role.ADMINISTRATOR, Role.APPROVER})
"""Roles that can weaken a policy sign in with a second factor."""

PORTAL_ONLY = frozenset({Permission.PORTAL})
GUEST_ONLY = frozenset({Permission.GUEST})
HALF_SIGNED_IN = frozenset({Permission.SELF})
EVERYTHING = frozenset(Permission)
