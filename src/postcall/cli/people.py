"""`postcall workspace`, `user` and `key`: tenants, who signs in, and what programs sign in with."""

from __future__ import annotations

import getpass
import secrets
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.environment import looking, prepared
from postcall.cli.output import fail, note, out, print_json
from postcall.config import config

if TYPE_CHECKING:
    from postcall.workspaces.audit import Actor, Thing
    from postcall.workspaces.models import ApiKey, Membership, User, Workspace

# A hint is the key's first characters; fewer than these say too little to revoke by.
SHORTEST_HINT = 5

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
    """Fails with the names there are. The default workspace goes by its first name, too."""
    from postcall.workspaces.models import DEFAULT_WORKSPACE, Workspace

    found = Workspace.objects.filter(name__iexact=name).first()
    if found is None and name == DEFAULT_WORKSPACE:
        found = Workspace.objects.filter(is_default=True).first()
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
        from django.db import transaction

        from postcall.actions.copying import create_workspace as create
        from postcall.workspaces.audit import Actor, Changes, Thing, record
        from postcall.workspaces.models import Workspace

        name = name.strip()
        if not name or len(name) > 100:
            raise fail("NAME: 1 to 100 characters")
        if Workspace.objects.filter(name__iexact=name).exists():
            raise fail(f"there is a workspace “{name}” already: choose another name")
        source = workspace_named(from_name) if from_name else None
        with transaction.atomic():
            made, actions = create(name, source)
            copied_from: Changes = {"from": [None, source.name], "actions": [None, actions]} if source else {}
            record(made, Actor.at_command_line(), "create", Thing("workspace", made.pk, made.name), copied_from)
        if as_json:
            print_json({"id": made.pk, "name": made.name, "actions": actions})
        else:
            copied = f" with {actions} actions of {source.name}" if source else ""
            said = f" made{copied}. It sends nothing until Twilio is set up."
            out.print(Text.assemble("Workspace ", (made.name, "bold"), said))
            note(f"`postcall user create EMAIL --workspace '{made.name}'` lets a person in.")


@user.command("create")
def create_user(
    email: str,
    in_workspace: InWorkspace = "Default",
    role: Annotated[
        Role | None,
        typer.Option(help="A viewer changes nothing. [default: owner; a member stays what they are]"),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in. The password is asked for, or made and shown where nobody can be asked."""
    with prepared():
        from django.db import transaction

        from postcall.workspaces.members import CannotChange, address_of
        from postcall.workspaces.models import User

        tenant = workspace_named(in_workspace)
        try:
            email = address_of(email)
        except CannotChange:
            raise fail(f"EMAIL: “{email}” is no e-mail address") from None
        known = User.objects.filter(email__iexact=email).exists()
        password, made_up = (None, None) if known else _new_password(password_stdin, email)
        with transaction.atomic():
            person = _person(email, password)
            membership = _let_in(tenant, person, role)
        if as_json:
            shown = {"email": person.email, "workspace": tenant.name, "role": membership.role}
            print_json(shown | {"password": made_up, "existing": known})
            return
        out.print(Text(f"{person.email} is {membership.role} of {tenant.name}."))
        if known:
            note("They were here before: their password stays as it is.")
        if made_up:
            out.print(Text.assemble("Password, shown this once: ", (made_up, "bold")))


def _person(email: str, password: str | None) -> User:
    """Who goes by that address; made with `password` where nobody does."""
    from postcall.workspaces.models import User

    person = User.objects.filter(email__iexact=email).first()
    return person or User.objects.create_user(email, password or secrets.token_urlsafe(32))


def _let_in(tenant: Workspace, person: User, role: Role | None) -> Membership:
    """As an owner unless `role` says otherwise; a member stays what they are unless it does."""
    from postcall.workspaces.audit import Actor, Thing, record
    from postcall.workspaces.members import withdraw_invitations_of
    from postcall.workspaces.models import Membership

    membership = Membership.objects.filter(workspace=tenant, user=person).first()
    before = membership.role if membership else None
    after = role.value if role else before or Role.owner.value
    if before != after:
        membership, _ = Membership.objects.update_or_create(workspace=tenant, user=person, defaults={"role": after})
        if before == Role.owner:
            withdraw_invitations_of(membership)
        thing = Thing("user", person.pk, person.email)
        verb = "create" if before is None else "update"
        record(tenant, Actor.at_command_line(), verb, thing, {"role": [before, after]})
    assert membership is not None
    return membership


@user.command("password")
def change_password(
    email: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a person another password. Wherever they are signed in they are signed out."""
    with prepared():
        from django.db import transaction

        from postcall.workspaces.audit import CHANGED, Actor, Thing

        person = _known(email)
        password, made_up = _new_password(password_stdin, person.email)
        with transaction.atomic():
            person.set_password(password)
            person.save(update_fields=["password"])
            _tell_homes(person, Actor.at_command_line(), "update", Thing("user", person.pk, person.email), CHANGED)
        if as_json:
            print_json({"email": person.email, "password": made_up})
            return
        out.print(Text(f"{person.email} has a new password and is signed out everywhere."))
        if made_up:
            out.print(Text.assemble("Password, shown this once: ", (made_up, "bold")))


@user.command("remove")
def remove_user(email: str, in_workspace: InWorkspace = "Default", as_json: AsJson = False) -> None:
    """Keep a person out of a workspace from their next click on. What they did stays in the log."""
    with prepared():
        from django.db import transaction

        from postcall.workspaces.audit import Actor, Thing, record
        from postcall.workspaces.members import withdraw_invitations_of
        from postcall.workspaces.models import Membership

        person, tenant = _known(email), workspace_named(in_workspace)
        membership = Membership.objects.filter(workspace=tenant, user=person).first()
        if membership is None:
            raise fail(f"{person.email} is no member of {tenant.name}")
        with transaction.atomic():
            withdraw_invitations_of(membership)
            membership.delete()
            thing = Thing("user", person.pk, person.email)
            record(tenant, Actor.at_command_line(), "delete", thing, {"role": [membership.role, None]})
        if as_json:
            print_json({"email": person.email, "workspace": tenant.name, "role": None})
        else:
            out.print(Text(f"{person.email} is no member of {tenant.name} any more."))


def _known(email: str) -> User:
    from postcall.workspaces.models import User

    person = User.objects.filter(email__iexact=email).first()
    if person is None:
        raise fail(f"nobody signs in as “{email}”")
    return person


def _tell_homes(person: User, actor: Actor, verb: str, thing: Thing, password: str) -> None:
    """In the audit log of every workspace that the person may enter."""
    from postcall.workspaces.audit import record

    homes: list[UUID | None] = [*person.memberships.values_list("workspace_id", flat=True)]
    for home in homes or [None]:
        record(home, actor, verb, thing, {"password": password})


def _new_password(from_stdin: bool, email: str) -> tuple[str, str | None]:
    """The password, and the same again where it was made here and has to be shown. Fails where it is too weak."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from postcall.workspaces.models import User

    given = _password(from_stdin)
    if given is None:
        made_up = secrets.token_urlsafe(12)
        return made_up, made_up
    try:
        validate_password(given, User(email=email))
    except ValidationError as error:
        raise fail(f"the password: {' '.join(error.messages)}") from None
    return given, None


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
        from django.db import transaction

        from postcall.workspaces.audit import Actor, Thing, record
        from postcall.workspaces.models import ApiKey

        tenant = workspace_named(in_workspace)
        with transaction.atomic():
            row, secret = ApiKey.issue(tenant, name, scope.value)
            told = {"scope": [None, scope.value]}
            record(tenant, Actor.at_command_line(), "create", Thing("key", row.pk, f"{name} ({row.hint}…)"), told)
        if as_json:
            print_json({"id": row.pk, "workspace": tenant.name, "name": name, "scope": scope, "key": secret})
        else:
            out.print(Text(secret), soft_wrap=True)


@key.command("list")
def list_keys(
    in_workspace: Annotated[str | None, typer.Option("--workspace", help="Of this workspace alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the API keys: never the keys themselves, only how each begins."""
    with looking():
        from postcall.workspaces.models import ApiKey

        keys = ApiKey.objects.select_related("workspace").order_by("workspace__name", "created_at")
        if in_workspace is not None:
            keys = keys.filter(workspace=workspace_named(in_workspace))
        rows = [
            {
                "id": row.pk,
                "begins": row.hint,
                "name": row.name,
                "scope": row.scope,
                "workspace": row.workspace.name,
                "created_at": row.created_at,
                "last_used_at": row.last_used_at,
                "revoked_at": row.revoked_at,
            }
            for row in keys
        ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        note("There are no keys; `postcall key create` makes one.")
        return
    table = Table("Begins", "Name", "Scope", "Workspace", "Made", "Last used", "State", box=None)
    for row in rows:
        state = Text("revoked", "red") if row["revoked_at"] else Text("living", "green")
        words = (row["begins"], row["name"], row["scope"], row["workspace"])
        days = (
            f"{row['created_at']:%Y-%m-%d}",
            f"{row['last_used_at']:%Y-%m-%d}" if row["last_used_at"] else "never",
        )
        table.add_row(*(Text(str(word)) for word in (*words, *days)), state)
    out.print(table)


@key.command("revoke")
def revoke_key(
    which: Annotated[
        str, typer.Argument(metavar="HINT_OR_ID", help="How the key begins, the whole key, or its id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Refuse a key from the next request on, for good."""
    with prepared():
        from django.db import transaction
        from django.utils import timezone

        from postcall.workspaces.audit import Actor, Thing, record
        from postcall.workspaces.models import ApiKey

        row = _one_key(which)
        if row.revoked_at is None:
            with transaction.atomic():
                row.revoked_at = timezone.now()
                row.save(update_fields=["revoked_at"])
                thing = Thing("key", row.pk, f"{row.name} ({row.hint}…)")
                record(row.workspace, Actor.at_command_line(), "revoke", thing)
        if as_json:
            print_json(
                {"id": row.pk, "name": row.name, "workspace": row.workspace.name, "revoked_at": row.revoked_at}
            )
            return
        out.print(Text(f"Revoked: “{row.name}” of {row.workspace.name}, which begins {row.hint}…"))
        set_here = config().api_key
        if set_here and ApiKey.digest_of(set_here.get_secret_value()) == row.digest:
            note("POSTCALL_API_KEY still holds it: put another in its place.")


def _one_key(which: str) -> ApiKey:
    """The key with this id, or the one living key that is or begins so. Fails naming the choice there is."""
    from postcall.workspaces.models import ApiKey

    rows = ApiKey.objects.select_related("workspace")
    try:
        found = list(rows.filter(pk=UUID(which)))
    except ValueError:
        found = list(rows.filter(digest=ApiKey.digest_of(which)))
        if not found and len(which) >= SHORTEST_HINT:
            found = list(rows.filter(hint__startswith=which.rstrip("…"), revoked_at=None))
    if not found:
        raise fail("there is no such living key; `postcall key list` shows what there is")
    if len(found) > 1:
        choice = ", ".join(f"{row.pk} ({row.name})" for row in found)
        raise fail(f"several keys begin so: give one’s id: {choice}")
    return found[0]
