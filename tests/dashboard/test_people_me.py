"""One's own page: name, password, and where one is signed in."""

from typing import Any

import pytest
from django.test import Client

from postcall.workspaces.models import Membership, User, Workspace

from .factories import PASSWORD, a_member

pytestmark = pytest.mark.django_db
Role = Membership.Role


def change(client: Client, current: str, password: str, again: str | None = None) -> Any:
    typed = {"current_password": current, "password": password, "password_again": again or password}
    return client.post("/me/password", typed)


def test_it_changes_the_password_and_ends_other_sessions(browser_client: Client, owner: User) -> None:
    other = Client()
    other.force_login(owner)
    assert change(browser_client, PASSWORD, "quite another long one").status_code == 302
    assert browser_client.get("/me").status_code == 200
    assert other.get("/me")["Location"].startswith("/sign-in")
    assert User.objects.get(pk=owner.pk).check_password("quite another long one")


@pytest.mark.parametrize(
    ("current", "password", "again", "field"),
    [
        ("wrong", "quite another long one", None, "current_password"),
        (PASSWORD, "short", None, "password"),
        (PASSWORD, "quite another long one", "another long two", "password_again"),
    ],
)
def test_it_says_what_is_wrong(
    browser_client: Client, owner: User, current: str, password: str, again: str | None, field: str
) -> None:
    answer = change(browser_client, current, password, again)
    assert (answer.status_code, f'id="{field}-error"' in answer.content.decode()) == (422, True)
    assert User.objects.get(pk=owner.pk).check_password(PASSWORD)


def test_it_lets_nobody_guess_the_present_password(browser_client: Client, owner: User) -> None:
    for _ in range(5):
        change(browser_client, "a guess", "quite another long one")
    assert change(browser_client, PASSWORD, "quite another long one").status_code == 422
    assert User.objects.get(pk=owner.pk).check_password(PASSWORD)


def test_it_signs_out_everywhere_else(browser_client: Client, owner: User) -> None:
    other = Client()
    other.force_login(owner)
    browser_client.post("/me/sign-out-elsewhere")
    assert browser_client.get("/me").status_code == 200
    assert other.get("/me")["Location"].startswith("/sign-in")


def test_it_is_a_viewers_too(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace, Role.VIEWER)
    client.force_login(person)
    client.post("/me/name", {"name": " Kim  Hale "})
    assert User.objects.get(pk=person.pk).name == "Kim Hale"
    assert "Kim Hale" in client.get("/me").content.decode()
