"""Settings, Members: who may enter the workspace, and as what."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.links import to_mail, to_pass_on
from postcall.dashboard.signing_in import TOO_MANY, noted_too_often
from postcall.dashboard.verbs import people as verbs
from postcall.mail import CannotMail, can_mail, send_mail
from postcall.work import clock
from postcall.workspaces.invitations import InvitationOver
from postcall.workspaces.members import CannotChange, is_last_owner
from postcall.workspaces.models import ApiKey, Invitation, Membership
from postcall.workspaces.passwords import LASTS_H, may_make_link

# What a role may do, in the order in which it is offered.
ROLES: Final = {
    Membership.Role.EDITOR.value: "Editor: actions, agents, reviews, sending rules",
    Membership.Role.VIEWER.value: "Viewer: sees everything but secrets, changes nothing",
    Membership.Role.OWNER.value: "Owner: all of it, with members, keys and accounts",
}
MAX_INVITATIONS: Final = 20


@require_GET
@member
def members(visit: Visit) -> HttpResponse:
    """`?change=` the id of a member opens what can be changed about them."""
    return _page(visit, Form())


def _page(visit: Visit, form: Form, **more: Any) -> HttpResponse:
    rows = visit.rows(Membership).select_related("user").order_by("user__email")
    return visit.page(
        "people/members.html",
        {
            "tab": "members",
            "form": form,
            "members": rows,
            "invitations": visit.rows(Invitation).order_by("-created_at"),
            "roles": ROLES,
            "mails": can_mail(),
            "now": clock.now(),
            **_about_to_change(visit),
            **more,
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _about_to_change(visit: Visit) -> dict[str, Any]:
    if not visit.is_owner:
        return {}
    try:
        pk = UUID(visit.request.GET.get("change", ""))
    except ValueError:
        return {}
    membership = visit.rows(Membership).select_related("user").filter(pk=pk).first()
    return _changing(visit, membership) if membership else {}


def _changing(visit: Visit, membership: Membership) -> dict[str, Any]:
    return {
        "changing": membership,
        "is_me": membership.user_id == visit.person.pk,
        "may_link": may_make_link(visit.person, membership.user),
        "is_last_owner": is_last_owner(membership),
    }


@require_POST
@owner
def invite(visit: Visit) -> HttpResponse:
    """Shows the link, this once, and mails it where mail is set up."""
    form = Form.posted(visit.request)
    if noted_too_often(f"invitations of {visit.person.pk}", visit.request, MAX_INVITATIONS, from_anywhere=True):
        form.refuse("", TOO_MANY)
        return _page(visit, form)
    try:
        made, token = verbs.invite(visit, form["email"], form["role"])
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
        return _page(visit, form)
    path = reverse("invitation", args=[token])
    return _page(
        visit,
        Form(),
        invited=made,
        link=to_pass_on(visit.request, path),
        mailed=_mailed(visit, made, path),
        changing=None,
    )


def _mailed(visit: Visit, invitation: Invitation, path: str) -> bool:
    """Where it cannot be mailed the page still has the link, and says why."""
    if not can_mail():
        return False
    workspace = visit.workspace.name
    text = (
        f"{visit.person.email} invites you to the workspace {workspace} on Postcall, as {invitation.role}.\n\n"
        f"Accept within 7 days:\n{to_mail(path)}\n\n"
        "The link is for this e-mail address alone. If you did not expect it, do nothing.\n"
    )
    try:
        send_mail(invitation.email, f"Invitation to {workspace} on Postcall", text)
    except CannotMail as problem:
        flashes.error(visit.request, f"The invitation was made, but not mailed. {problem}")
        return False
    return True


@require_POST
@owner
def revoke(visit: Visit, invitation_id: UUID) -> HttpResponse:
    invitation = visit.one(visit.rows(Invitation), invitation_id)
    try:
        verbs.revoke(visit, invitation)
    except (CannotChange, InvitationOver) as refusal:
        flashes.error(visit.request, str(refusal) or f"{invitation.email} was faster, or somebody revoked it.")
    else:
        flashes.success(visit.request, f"Revoked: the link for {invitation.email} opens nothing any more.")
    return redirect(visit.to("members"))


@require_POST
@owner
def change_role(visit: Visit, membership_id: UUID) -> HttpResponse:
    membership = visit.one(visit.rows(Membership).select_related("user"), membership_id)
    form = Form.posted(visit.request)
    if form["role"] != Membership.Role.OWNER and _is_own_end(visit, membership, form, "sure"):
        return _page(visit, form, **_changing(visit, membership))
    was = membership.role
    try:
        verbs.change_role(visit, membership, form["role"])
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
        return _page(visit, form, **_changing(visit, membership))
    flashes.success(visit.request, f"{membership.user} is {_named(membership.role)} now.")
    if membership.role != Membership.Role.OWNER:
        _warn_of_keys(visit, membership, was)
    return redirect(visit.to("members"))


def _warn_of_keys(visit: Visit, membership: Membership, was: str) -> None:
    """A key goes on working, whoever made it."""
    keys = visit.rows(ApiKey).filter(revoked_at=None).count()
    if was == Membership.Role.OWNER and keys:
        living = "1 API key works" if keys == 1 else f"{keys} API keys work"
        flashes.warning(
            visit.request, f"{living} as before: revoke under API keys what {membership.user} may have kept."
        )


def _named(role: str) -> str:
    return f"{'a' if role == Membership.Role.VIEWER else 'an'} {role}"


@require_POST
@owner
def remove(visit: Visit, membership_id: UUID) -> HttpResponse:
    membership = visit.one(visit.rows(Membership).select_related("user"), membership_id)
    form = Form.posted(visit.request)
    if _is_own_end(visit, membership, form, "sure_to_leave"):
        return _page(visit, form, **_changing(visit, membership))
    is_me = membership.user_id == visit.person.pk
    try:
        verbs.remove(visit, membership)
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
        return _page(visit, form, **_changing(visit, membership))
    if is_me:
        return redirect("home")
    flashes.success(visit.request, f"{membership.user} is no member any more.")
    _warn_of_keys(visit, membership, membership.role)
    return redirect(visit.to("members"))


def _is_own_end(visit: Visit, membership: Membership, form: Form, said_by: str) -> bool:
    """Whether somebody is about to shut themselves out and has not said by that box that they mean it."""
    if membership.user_id != visit.person.pk or form.ticked(said_by):
        return False
    form.refuse(said_by, "This is you: say that you are sure.")
    return True


@require_POST
@owner
def password_link(visit: Visit, membership_id: UUID) -> HttpResponse:
    """A link by which the member sets another password, shown this once."""
    membership = visit.one(visit.rows(Membership).select_related("user"), membership_id)
    made = verbs.make_password_link(visit, membership.user)
    if made is None:
        form = Form()
        form.refuse("", "Only an owner of every workspace that they are a member of can make their link.")
        return _page(visit, form, **_changing(visit, membership))
    link = to_pass_on(visit.request, reverse("reset", args=made))
    return _page(visit, Form(), password_link=link, hours=LASTS_H, changing=None, linked=membership.user)
