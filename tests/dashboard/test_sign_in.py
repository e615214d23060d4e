"""Signing in and out: what is wrong is never told apart, and guessing is slowed down."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postcall.dashboard.models import SignInTry
from postcall.dashboard.signing_in import (
    MAX_TRIES,
    MAX_TRIES_FROM_ADDRESS,
    TOO_MANY,
    WITHIN,
    WRONG,
    is_throttled,
    note_try,
)
from postcall.workspaces.models import User, Workspace

from .factories import PASSWORD, a_member

pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str = PASSWORD, next: str = "", address: str = "10.0.0.1") -> str:
    """Where it led to, or the page that it showed."""
    answer = client.post("/sign-in", {"username": email, "password": password, "next": next}, REMOTE_ADDR=address)
    return answer["Location"] if answer.status_code == 302 else answer.content.decode()


def test_it_leads_a_member_into_the_workspace(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace, email="dana@northgate.example")
    assert sign_in(client, person.email) == "/"
    assert client.get("/")["Location"] == f"/w/{workspace.pk}/"


def test_it_takes_the_address_in_any_case(client: Client, workspace: Workspace) -> None:
    a_member(workspace, email="dana@northgate.example")
    assert sign_in(client, "Dana@Northgate.Example") == "/"


def test_it_says_the_same_of_a_wrong_password_and_an_unknown_person(client: Client, workspace: Workspace) -> None:
    a_member(workspace, email="dana@northgate.example")
    assert WRONG in sign_in(client, "dana@northgate.example", "not this one")
    assert WRONG in sign_in(client, "nobody@northgate.example", "not this one")


def test_it_says_the_same_of_somebody_who_was_switched_off(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace)
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert WRONG in sign_in(client, person.email)


def test_it_keeps_the_address_that_was_typed(client: Client, workspace: Workspace) -> None:
    assert 'value="dana@northgate.example"' in sign_in(client, "dana@northgate.example", "no")


def test_it_stops_guessing_even_with_the_right_password(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace)
    for _ in range(MAX_TRIES):
        assert WRONG in sign_in(client, person.email, "a guess")
    assert TOO_MANY in sign_in(client, person.email)


def test_it_throttles_only_that_person_from_that_place(client: Client, workspace: Workspace) -> None:
    person, other = a_member(workspace), a_member(workspace)
    for _ in range(MAX_TRIES):
        sign_in(client, person.email, "a guess")
    assert sign_in(client, other.email) == "/"
    assert sign_in(client, person.email, address="10.0.0.2") == "/"


def test_it_lets_one_try_again_after_a_while(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace)
    for _ in range(MAX_TRIES):
        sign_in(client, person.email, "a guess")
    SignInTry.objects.update(at=timezone.now() - WITHIN - timedelta(seconds=1))
    assert sign_in(client, person.email) == "/"


def test_it_forgets_failures_once_one_is_in(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace)
    sign_in(client, person.email, "a slip")
    sign_in(client, person.email)
    assert not SignInTry.objects.exists()


def test_it_leads_on_to_where_one_was_going(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace)
    asked = client.get(f"/w/{workspace.pk}/calls?reason=voicemail")["Location"]
    assert asked == f"/sign-in?next=/w/{workspace.pk}/calls%3Freason%3Dvoicemail"
    assert sign_in(client, person.email, next=f"/w/{workspace.pk}/calls") == f"/w/{workspace.pk}/calls"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"],
)
def test_it_leads_nowhere_but_here(client: Client, workspace: Workspace, elsewhere: str) -> None:
    person = a_member(workspace)
    assert sign_in(client, person.email, next=elsewhere) == "/"


def test_it_signs_out_by_a_button_only(browser_client: Client) -> None:
    assert browser_client.get("/sign-out").status_code == 405
    assert browser_client.post("/sign-out")["Location"] == "/sign-in"
    assert browser_client.get("/")["Location"] == "/sign-in?next=/"


def test_it_asks_for_a_token_against_forged_forms(workspace: Workspace) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/sign-in", {"username": "dana@northgate.example", "password": "x"})
    assert answer.status_code == 403
    assert "Please try again" in answer.content.decode()


def test_it_tells_a_person_without_a_workspace_how_to_get_into_one(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("new@northgate.example", PASSWORD))
    assert "You are in no workspace yet" in client.get("/").content.decode()


@pytest.mark.parametrize(("address", "throttled"), [("10.0.0.1", False), ("127.0.0.1", False), ("8.8.4.4", True)])
def test_it_locks_no_one_out_by_the_address_of_a_proxy(db: None, address: str, throttled: bool) -> None:
    now = timezone.now()
    tries = [SignInTry(who=f"{n}", address=address, at=now) for n in range(MAX_TRIES_FROM_ADDRESS)]
    SignInTry.objects.bulk_create(tries)
    assert is_throttled(note_try("dana@northgate.example", address)) is throttled
