"""Members: inviting, roles, leaving, password links; a viewer only looks."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from smtp_stand_in import Mails, mail_server

from postcall.config import config
from postcall.dashboard.views.people.members import MAX_INVITATIONS
from postcall.workspaces.models import ApiKey, Invitation, Membership, User, Workspace

from .factories import a_member, a_workspace, an_invitation

pytestmark = pytest.mark.django_db
Role = Membership.Role
KIM = "kim@northgate.example"


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mails]:
    with mail_server() as mails:
        monkeypatch.setenv("POSTCALL_SMTP_URL", mails.url)
        monkeypatch.setenv("POSTCALL_MAIL_FROM", "postcall@northgate.example")
        config.cache_clear()
        yield mails
    config.cache_clear()


def members_of(workspace: Workspace) -> str:
    return f"/w/{workspace.pk}/settings/members"


def invite(client: Client, workspace: Workspace, email: str = KIM, role: str = "editor") -> Any:
    return client.post(f"{members_of(workspace)}/invite", {"email": email, "role": role})


def link_in(page: str, path: str) -> str:
    """The address of a link that a page or mail shows, without its host."""
    return path + page.split(path, 1)[1].split('"')[0].split()[0]


def test_it_shows_an_invitations_link_this_once(browser_client: Client, workspace: Workspace) -> None:
    page = invite(browser_client, workspace).content.decode()
    link = link_in(page, "/invitations/")
    assert Client().get(link).status_code == 200
    again = browser_client.get(members_of(workspace)).content.decode()
    assert (KIM in again, link in again) == (True, False)


def test_it_mails_an_invitation_to_the_public_address(
    browser_client: Client, workspace: Workspace, mails: Mails
) -> None:
    page = invite(browser_client, workspace).content.decode()
    (mail,) = mails.taken
    assert mail["To"] == KIM
    assert config().base_url + link_in(page, "/invitations/") in mail.get_content()


def test_it_has_the_link_where_the_mail_does_not_leave(
    browser_client: Client, workspace: Workspace, mails: Mails
) -> None:
    mails.refusals["RCPT"] = "550 nobody"
    page = invite(browser_client, workspace).content.decode()
    assert "was made, but not mailed" in page
    assert "/invitations/" in page


def test_it_keeps_what_was_typed_of_a_refused_invitation(browser_client: Client, workspace: Workspace) -> None:
    answer = invite(browser_client, workspace, "kim at northgate", "viewer")
    assert answer.status_code == 422
    assert 'value="kim at northgate"' in answer.content.decode()
    assert '<option value="viewer" selected>' in answer.content.decode()


def test_it_is_no_engine_of_unwanted_mail(browser_client: Client, workspace: Workspace) -> None:
    for number in range(MAX_INVITATIONS):
        assert invite(browser_client, workspace, f"k{number}@northgate.example").status_code == 200
    assert invite(browser_client, workspace).status_code == 422
    assert Invitation.objects.count() == MAX_INVITATIONS


def test_it_revokes_an_invitation(browser_client: Client, workspace: Workspace) -> None:
    made = an_invitation(workspace, KIM, "a-token")
    browser_client.post(f"/w/{workspace.pk}/settings/invitations/{made.pk}/revoke")
    assert Client().get("/invitations/a-token").status_code == 404


def test_it_changes_a_role(browser_client: Client, workspace: Workspace) -> None:
    row = Membership.objects.get(user=a_member(workspace, Role.VIEWER, KIM))
    assert "Change" in browser_client.get(f"{members_of(workspace)}?change={row.pk}").content.decode()
    browser_client.post(f"{members_of(workspace)}/{row.pk}/role", {"role": "editor"})
    row.refresh_from_db()
    assert row.role == Role.EDITOR


def test_it_removes_a_member_from_their_next_click_on(browser_client: Client, workspace: Workspace) -> None:
    kim, theirs = a_member(workspace, Role.VIEWER, KIM), Client()
    theirs.force_login(kim)
    assert theirs.get(f"/w/{workspace.pk}/").status_code == 200
    browser_client.post(f"{members_of(workspace)}/{kim.memberships.get().pk}/remove")
    assert theirs.get(f"/w/{workspace.pk}/").status_code == 404


def test_it_warns_that_keys_outlive_an_owner(browser_client: Client, workspace: Workspace) -> None:
    ApiKey.issue(workspace, "till", ApiKey.Scope.ADMIN)
    for role, warned in ((Role.OWNER, True), (Role.EDITOR, False)):
        row = a_member(workspace, role).memberships.get()
        page = browser_client.post(f"{members_of(workspace)}/{row.pk}/remove", follow=True).content.decode()
        assert ("1 API key works as before" in page) is warned


@pytest.mark.parametrize(("verb", "box"), [("role", "sure"), ("remove", "sure_to_leave")])
def test_it_asks_before_an_owner_shuts_themselves_out(
    browser_client: Client, workspace: Workspace, owner: User, verb: str, box: str
) -> None:
    a_member(workspace)
    mine = f"{members_of(workspace)}/{owner.memberships.get().pk}/{verb}"
    assert browser_client.post(mine, {"role": "viewer"}).status_code == 422
    assert owner.memberships.get().role == Role.OWNER
    assert browser_client.post(mine, {"role": "viewer", box: "1"}).status_code == 302
    assert not owner.memberships.filter(role=Role.OWNER).exists()


def test_it_never_lets_the_last_owner_go(browser_client: Client, workspace: Workspace, owner: User) -> None:
    a_member(workspace, Role.EDITOR)
    mine = f"{members_of(workspace)}/{owner.memberships.get().pk}"
    for verb, typed in (("role", {"role": "viewer", "sure": "1"}), ("remove", {"sure_to_leave": "1"})):
        answer = browser_client.post(f"{mine}/{verb}", typed)
        assert (answer.status_code, "needs an owner" in answer.content.decode()) == (422, True)
    assert owner.memberships.get().role == Role.OWNER


def test_it_makes_a_password_link_that_signs_others_out(browser_client: Client, workspace: Workspace) -> None:
    kim, theirs = a_member(workspace, Role.EDITOR, KIM), Client()
    theirs.force_login(kim)
    answer = browser_client.post(f"{members_of(workspace)}/{kim.memberships.get().pk}/password")
    link = link_in(answer.content.decode(), "/reset/")
    typed = {"password": "quite another long one", "password_again": "quite another long one"}
    assert Client().post(link, typed)["Location"] == "/sign-in"
    assert theirs.get("/")["Location"].startswith("/sign-in")
    assert Client().get(link).status_code == 404


def test_it_opens_no_other_tenant_by_a_password_link(browser_client: Client, workspace: Workspace) -> None:
    kim = a_member(workspace, Role.EDITOR, KIM)
    Membership.objects.create(workspace=a_workspace("Copperkettle Garage"), user=kim, role=Role.VIEWER)
    row = Membership.objects.get(workspace=workspace, user=kim)
    shown = browser_client.get(f"{members_of(workspace)}?change={row.pk}").content.decode()
    assert "a workspace that is not yours" in shown
    answer = browser_client.post(f"{members_of(workspace)}/{row.pk}/password")
    assert (answer.status_code, "/reset/" in answer.content.decode()) == (422, False)


def test_it_shows_others_who_is_here_and_no_button(client: Client, workspace: Workspace) -> None:
    an_invitation(workspace, KIM)
    for role in (Role.EDITOR, Role.VIEWER):
        client.force_login(a_member(workspace, role))
        page = client.get(members_of(workspace)).content.decode()
        assert KIM in page
        assert page.count('method="post"') == 1  # signing out
        assert invite(client, workspace).status_code == 403


def test_it_tells_when_a_member_was_seen(browser_client: Client, workspace: Workspace, owner: User) -> None:
    assert owner.memberships.get().seen_at is None
    browser_client.get(f"/w/{workspace.pk}/")
    seen = owner.memberships.get().seen_at
    assert seen is not None
    browser_client.get(f"/w/{workspace.pk}/")
    assert owner.memberships.get().seen_at == seen
