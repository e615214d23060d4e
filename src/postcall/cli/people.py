"""`postcall workspace`, `user` and `key`: tenants, who signs in, and what programs sign in with."""

from __future__ import annotations

import getpass
import secrets
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from postcall.cli.environment import prepared
from postcall.cli.output import fail, out, print_json

if TYPE_CHECKING:
    from postcall.workspaces.models import Workspace

workspace = typer.Typer(help="Tenants.", no_args_is_help=True)
user = typer.Typer(help="People who sign in.", no_args_is_help=True)
key = typer.Typer(help="API keys for programs.", no_args_is_help=True)

InWorkspace = Annotated[str, typer.Option("--workspace", help="The workspace's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


class Role(StrEnum):
    owner = "owner"
    editor = "editor"
    viewer = "viewer"


class Scope(StrEnum):
    read = "read"
    ingest = "ingest"
    admin = "admin"


def workspace_named(name: str) -> Workspace:
    """Fails with the names there are."""
    from postcall.workspaces.models import Workspace

    found = Workspace.objects.filter(name__iexact=name).first()
    if found is None:
        known = ", ".join(Workspace.objects.order_by("name").values_list("name", flat=True))
        raise fail(f"there is no workspace “{name}”; there are: {known}")
    return found


@workspace.command("create")
def create_workspace(
    name: str,
    from_name: Annotated[
        str | None,
        typer.Option("--from", help="Copy this workspace's actions and sending rules; no secrets, no calls."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a new tenant."""
    with prepared():
        from postcall.actions.copying import create_workspace as create
        from postcall.workspaces.models import Workspace

        name = name.strip()
        if not name or len(name) > 100:
            raise fail("NAME: 1 to 100 characters")
        if Workspace.objects.filter(name__iexact=name).exists():
            raise fail(f"there is a workspace “{name}” already: choose another name")
        source = workspace_named(from_name) if from_name else None
        made, actions = create(name, source)
        if as_json:
            print_json({"id": made.pk, "name": made.name, "actions": actions})
        else:
            copied = f" with {actions} actions of {source.name}" if source else ""
            out.print(f"Workspace [bold]{made.name}[/bold] made{copied}. It sends nothing until Twilio is set up.")


@user.command("create")
def create_user(
    email: str,
    in_workspace: InWorkspace = "Default",
    role: Annotated[Role, typer.Option(help="A viewer changes nothing.")] = Role.owner,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in. The password is asked for, or made and shown where nobody can be asked."""
    with prepared():
        from django.contrib.auth.password_validation import validate_password
        from django.core.exceptions import ValidationError
        from django.core.validators import validate_email

        from postcall.workspaces.models import Membership, User

        tenant = workspace_named(in_workspace)
        try:
            validate_email(email)
        except ValidationError:
            raise fail(f"EMAIL: “{email}” is no e-mail address") from None
        person = User.objects.filter(email__iexact=email).first()
        made_up = None
        if person is None:
            password = _password(password_stdin)
            if password is None:
                password = made_up = secrets.token_urlsafe(12)
            try:
                validate_password(password)
            except ValidationError as error:
                raise fail(f"the password: {' '.join(error.messages)}") from None
            person = User.objects.create_user(email, password)
        Membership.objects.update_or_create(workspace=tenant, user=person, defaults={"role": role.value})
        if as_json:
            print_json({"email": person.email, "workspace": tenant.name, "role": role, "password": made_up})
            return
        out.print(f"{person.email} is {role.value} of {tenant.name}.")
        if made_up:
            out.print(f"Password, shown this once: [bold]{made_up}[/bold]", highlight=False)


def _password(from_stdin: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        return None
    first = getpass.getpass("Password (empty: one is made for you): ")
    if not first:
        return None
    if getpass.getpass("Again: ") != first:
        raise fail("the two passwords differ")
    return first


@key.command("create")
def create_key(
    in_workspace: InWorkspace = "Default",
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    scope: Annotated[Scope, typer.Option(help="ingest: POST calls only; admin: everything.")] = Scope.admin,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is printed this once."""
    with prepared():
        from postcall.workspaces.models import ApiKey

        tenant = workspace_named(in_workspace)
        row, secret = ApiKey.issue(tenant, name, scope.value)
        if as_json:
            print_json({"id": row.pk, "workspace": tenant.name, "name": name, "scope": scope, "key": secret})
        else:
            out.print(secret, highlight=False, soft_wrap=True)
