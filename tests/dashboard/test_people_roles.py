"""No page shows anybody a button that would be refused to them."""

import re

import pytest
from django.test import Client
from django.urls import resolve

from postcall.workspaces.models import Membership

from .factories import a_member
from .test_isolation import BUTTONS, everything, names

pytestmark = pytest.mark.django_db

# A person's own, whatever their role.
OWN = {"sign-out"}


def buttons_shown(page: str) -> dict[str, str]:
    """Where the forms of a page lead that change something: the name of the address, and the address."""
    forms = [form for form in re.findall(r"<form\b[^>]*>", page) if 'method="post"' in form]
    actions = [found[1] for form in forms if (found := re.search(r'action="([^"]*)"', form))]
    return {str(resolve(action).url_name): action for action in actions}


@pytest.mark.parametrize("role", [Membership.Role.VIEWER, Membership.Role.EDITOR])
def test_it_shows_no_button_that_would_be_refused(client: Client, role: str) -> None:
    ours = everything("Northgate Clinic")
    client.force_login(a_member(ours.workspace, role))
    shown: dict[str, tuple[str, str]] = {}
    for name in names():
        if name in BUTTONS:
            continue
        answer = client.get(ours.address(name))
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            shown |= {button: (action, name) for button, action in buttons_shown(answer.content.decode()).items()}
    refused = {
        button: page
        for button, (action, page) in shown.items()
        if button not in OWN and client.post(action).status_code == 403
    }
    assert refused == {}
    assert role == Membership.Role.EDITOR or set(shown) == OWN
