"""Coming in: by an invitation, by a password link, by the link that makes the first person."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from smtp_stand_in import Mails, mail_server

from postcall.bootstrap import default_workspace
from postcall.config import config
from postcall.dashboard.views.people.password import MAX_AT_ONCE, MAX_MAILS, mail_link, mailing
from postcall.workspaces.claim import token_of
from postcall.workspaces.models import AuditEntry, Membership, User, Workspace

from .factories import PASSWORD, a_member, an_invitation

pytestmark = pytest.mark.django_db
KIM = "kim@northgate.example"
LINK = "/invitations/a-token"
AS_KIM = {"name": "Kim Hale", "password": "quite a long one", "password_again": "quite a long one"}


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mails]:
    with mail_server() as mails:
        monkeypatch.setenv("POSTCALL_SMTP_URL", mails.url)
        monkeypatch.setenv("POSTCALL_MAIL_FROM", "postcall@northgate.example")
        config.cache_clear()
        yield mails
        # Links are mailed by threads of their own: they end before the server, the rows and the connections do.
        for thread in threading.enumerate():
            if thread.name == "password mail":
                thread.join(60)
                assert not thread.is_alive()
    config.cache_clear()


def test_it_lets_a_new_person_in_by_name_and_password(client: Client, workspace: Workspace) -> None:
    an_invitation(workspace, KIM, "a-token")
    assert client.post(LINK, AS_KIM)["Location"] == f"/w/{workspace.pk}/"
    assert "Welcome to Northgate Clinic" in client.get(f"/w/{workspace.pk}/").content.decode()
    membership = workspace.memberships.get()
    assert (membership.user.email, membership.user.name, membership.role) == (KIM, "Kim Hale", "editor")
    assert membership.user.check_password("quite a long one")


def test_it_keeps_the_name_that_was_typed_beside_a_weak_password(client: Client, workspace: Workspace) -> None:
    an_invitation(workspace, KIM, "a-token")
    answer = client.post(LINK, {**AS_KIM, "password": KIM, "password_again": KIM})
    assert (answer.status_code, 'value="Kim Hale"' in answer.content.decode()) == (422, True)
    assert not User.objects.exists()


def test_it_has_a_known_person_sign_in_first(client: Client, workspace: Workspace) -> None:
    kim = User.objects.create_user(KIM, PASSWORD)
    an_invitation(workspace, KIM.upper(), "a-token")
    page = client.get(LINK).content.decode()
    assert ("/sign-in?next=/invitations/a-token" in page, "Password" in page) == (True, False)
    client.post(LINK, AS_KIM)
    assert User.objects.get(pk=kim.pk).check_password(PASSWORD)
    assert not workspace.memberships.exists()
    answer = client.post("/sign-in", {"username": KIM, "password": PASSWORD, "next": LINK})
    assert answer["Location"] == LINK
    client.post(LINK)
    assert workspace.memberships.get().user == kim


def test_it_lets_nobody_accept_for_another(browser_client: Client, workspace: Workspace) -> None:
    an_invitation(workspace, KIM, "a-token")
    page = browser_client.get(LINK).content.decode()
    assert "You are signed in as" in page
    browser_client.post(LINK, AS_KIM)
    assert not User.objects.filter(email=KIM).exists()
    out = browser_client.post("/sign-out", {"next": LINK})
    assert out["Location"] == LINK


def test_it_gives_another_session_to_who_joins(client: Client, workspace: Workspace) -> None:
    an_invitation(workspace, KIM, "a-token")
    session = client.session
    session["planted"] = "x"
    session.save()
    planted = session.session_key
    client.cookies["postcall_session"] = str(planted)
    client.post(LINK, AS_KIM)
    assert client.session.session_key != planted


def test_it_says_that_a_link_is_over_and_no_more(client: Client, workspace: Workspace) -> None:
    for address in ("/invitations/another", "/reset/MQ/x-y", "/reset/%00/%00", "/invitations/%00"):
        answer = client.get(address)
        assert (answer.status_code, "This link is over" in answer.content.decode()) == (404, True), address


def test_it_mails_a_link_to_whom_it_knows_alone(workspace: Workspace, mails: Mails) -> None:
    person = a_member(workspace, email=KIM)
    mail_link("nobody@northgate.example", "10.0.0.1")
    mail_link(KIM.upper(), "10.0.0.1")
    (mail,) = mails.taken
    assert mail["To"] == KIM
    link = next(line for line in mail.get_content().splitlines() if "/reset/" in line)
    assert link.startswith(config().base_url)
    typed = {"password": "quite another long one", "password_again": "quite another long one"}
    assert Client().post(link.removeprefix(config().base_url), typed)["Location"] == "/sign-in"
    assert User.objects.get(pk=person.pk).check_password("quite another long one")
    told = AuditEntry.objects.order_by("id").values_list("verb", "actor_name")
    assert list(told) == [("password_link", "somebody at 10.0.0.1"), ("update", KIM)]


@pytest.mark.django_db(transaction=True)
def test_it_answers_the_same_whether_it_knows_the_address(client: Client, mails: Mails) -> None:
    User.objects.create_user(KIM, PASSWORD)
    answers = []
    for email in (KIM, "nobody@northgate.example"):
        page = client.post("/forgotten", {"email": email}).content.decode()
        answers.append(page.replace(email, "").split("card top")[1])
    for thread in threading.enumerate():
        if thread.name == "password mail":
            thread.join()
    assert answers[0] == answers[1]
    assert [mail["To"] for mail in mails.taken] == [KIM]


def test_it_mails_one_address_only_so_often_from_wherever(
    client: Client, workspace: Workspace, mails: Mails
) -> None:
    for number in range(MAX_MAILS):
        asked = client.post("/forgotten", {"email": "nobody@x.example"}, REMOTE_ADDR=f"10.0.0.{number}")
        assert asked.status_code == 200
    assert client.post("/forgotten", {"email": "Nobody@x.example"}, REMOTE_ADDR="10.0.1.1").status_code == 422


def test_it_mails_only_so_many_links_at_once(client: Client, workspace: Workspace, mails: Mails) -> None:
    taken = [mailing.acquire(blocking=False) for _ in range(MAX_AT_ONCE)]
    assert all(taken)
    try:
        assert client.post("/forgotten", {"email": "nobody@x.example"}).status_code == 422
    finally:
        mailing.release(MAX_AT_ONCE)


def test_it_says_how_to_get_in_where_no_mail_leaves(client: Client, workspace: Workspace) -> None:
    assert 'href="/forgotten"' in client.get("/sign-in").content.decode()
    assert "postcall user password" in client.get("/forgotten").content.decode()


def set_up_link() -> str:
    return f"/set-up/{token_of(settings.SECRET_KEY, str(default_workspace().pk))}"


AS_DANA = {
    "name": "Dana Reyes",
    "email": "dana@northgate.example",
    "password": "quite a long one",
    "password_again": "quite a long one",
    "workspace_name": "Northgate Clinic",
}


def test_it_makes_the_first_person_by_the_printed_link(client: Client, db: None) -> None:
    assert "Nobody can sign in yet" in client.get("/").content.decode()
    link = set_up_link()
    assert client.get(link).status_code == 200
    assert client.post(link, AS_DANA)["Location"] == "/"
    membership = Membership.objects.get()
    assert (membership.user.email, membership.workspace.name) == ("dana@northgate.example", "Northgate Clinic")
    assert (membership.role, membership.workspace.is_default) == ("owner", True)
    assert client.get("/")["Location"] == f"/w/{membership.workspace_id}/"


@pytest.mark.parametrize("token", ["x", "A" * 43, "é", "%00"])
def test_it_is_nobodys_without_the_link(client: Client, db: None, token: str) -> None:
    answer = client.post(f"/set-up/{token}", AS_DANA)
    assert (answer.status_code, "Nobody can sign in yet" in answer.content.decode()) == (404, True)
    assert not User.objects.exists()


def test_it_is_made_once(client: Client, db: None) -> None:
    link = set_up_link()
    client.post(link, AS_DANA)
    assert Client().post(link, {**AS_DANA, "email": "mallory@x.example"})["Location"] == "/"
    assert User.objects.count() == 1


def test_it_keeps_what_was_typed_of_a_refused_set_up(client: Client, db: None) -> None:
    answer = client.post(set_up_link(), {**AS_DANA, "email": "dana", "password_again": "a slip"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert all(f'value="{AS_DANA[name]}"' in page for name in ("name", "workspace_name"))
    assert AS_DANA["password"] not in page


@pytest.mark.parametrize("address", ["/forgotten", LINK, "/set-up/x", "/me/password"])
def test_it_asks_for_a_token_against_forged_forms(
    client: Client, workspace: Workspace, owner: User, address: str, mails: Any
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    an_invitation(workspace, KIM, "a-token")
    assert strict.post(address, headers={"Origin": "https://elsewhere.example"}).status_code == 403
