"""A password link works once, for a day, and for nobody's workspace but those it was made about."""

from datetime import timedelta
from typing import Any

import pytest

from postcall.work import clock
from postcall.workspaces.models import Membership, User, Workspace
from postcall.workspaces.passwords import link_by, link_parts, may_make_link, person_of, use_link

pytestmark = pytest.mark.django_db
Role = Membership.Role


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def kim() -> User:
    return User.objects.create_user("kim@northgate.example", "the first long password")


def join(person: User, name: str, role: str = Role.EDITOR) -> Workspace:
    workspace, _ = Workspace.objects.get_or_create(name=name)
    Membership.objects.create(workspace=workspace, user=person, role=role)
    return workspace


def test_it_works_once(kim: User) -> None:
    link = link_parts(kim)
    assert use_link(*link, "the second long password") == kim
    assert User.objects.get(pk=kim.pk).check_password("the second long password")
    assert use_link(*link, "the third long password") is None


def test_it_is_over_after_a_day(kim: User, monkeypatch: pytest.MonkeyPatch) -> None:
    link = link_parts(kim)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=23, minutes=59))
    assert person_of(*link) == kim
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=24, seconds=2))
    assert person_of(*link) is None


def test_it_is_over_once_another_tenant_knows_the_person(kim: User) -> None:
    join(kim, "Northgate Clinic")
    link = link_parts(kim)
    join(kim, "Copperkettle Garage")
    assert person_of(*link) is None


@pytest.mark.parametrize(
    ("who", "token"), [("", ""), ("!!", "x"), ("eA", "x-y"), ("____", "a-b"), ("A" * 500, "1-2")]
)
def test_it_takes_no_nonsense(who: str, token: str) -> None:
    assert person_of(who, token) is None


def test_it_fits_nobody_else_nor_who_is_switched_off(kim: User) -> None:
    lee = User.objects.create_user("lee@northgate.example", "the first long password")
    assert person_of(link_parts(kim)[0], link_parts(lee)[1]) is None
    link = link_parts(kim)
    User.objects.filter(pk=kim.pk).update(is_active=False)
    assert person_of(*link) is None


def test_it_is_an_owners_to_make_of_every_workspace_alone(kim: User) -> None:
    dana = User.objects.create_user("dana@northgate.example", "the first long password")
    assert not may_make_link(dana, kim)
    join(kim, "Northgate Clinic")
    join(dana, "Northgate Clinic", Role.OWNER)
    assert may_make_link(dana, kim)
    link = link_by(dana, kim)
    assert link is not None
    assert person_of(*link) == kim
    garage = join(kim, "Copperkettle Garage")
    assert link_by(dana, kim) is None
    theirs = Membership.objects.create(workspace=garage, user=dana, role=Role.EDITOR)
    assert not may_make_link(dana, kim)
    theirs.role = Role.OWNER
    theirs.save()
    assert may_make_link(dana, kim)
