"""A password typed into a form, twice, since nobody sees what they type."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from postcall.dashboard.forms import Form
from postcall.workspaces.members import LONGEST_NAME
from postcall.workspaces.models import User

LONGEST: int = 1_000


def new_password(form: Form, person: User) -> str:
    """What was typed, with what is wrong with it noted; `person` is whose it shall be, since it may not resemble
    their name."""
    typed = form["password"]
    if typed != form["password_again"]:
        form.refuse("password_again", "The two passwords differ.")
    if len(typed) > LONGEST:
        form.refuse("password", f"At most {LONGEST:,} characters, please.")
        return typed
    try:
        validate_password(typed, person)
    except ValidationError as error:
        form.refuse("password", " ".join(error.messages))
    return typed


def name_of_person(form: Form) -> str:
    name = " ".join(form["name"].split())
    if not name or len(name) > LONGEST_NAME:
        form.refuse("name", f"Type a name of 1 to {LONGEST_NAME} characters.")
    return name
