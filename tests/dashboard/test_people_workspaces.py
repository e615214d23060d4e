"""All workspaces of a person's, a new one, and the way from an empty one to its first text."""

import pytest
from django.test import Client

from postcall.actions.models import Action
from postcall.dashboard.access import Visit
from postcall.dashboard.checklist import checklist
from postcall.dashboard.homes import homes_of
from postcall.messages.models import Account, Message
from postcall.sources.models import Source
from postcall.workspaces.models import ApiKey, Membership, User, Workspace

from .factories import a_call, a_held_follow_up, a_member, a_message, a_pause, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db
Role = Membership.Role


@pytest.fixture
def garage(owner: User) -> Workspace:
    """Another one of the owner's, where everything needs attention."""
    garage = a_workspace("Copperkettle Garage")
    Membership.objects.create(workspace=garage, user=owner, role=Role.VIEWER)
    agent = an_agent(garage)
    held = a_held_follow_up(a_call(agent), an_action(agent))
    a_message(held, Message.Status.FAILED, error_code=30034)
    a_pause(garage, 20003)
    return garage


def test_it_counts_what_needs_attention_in_each(garage: Workspace, workspace: Workspace, owner: User) -> None:
    there, here = homes_of(owner)
    assert (there.workspace, there.held, there.failed, there.paused, there.attention) == (garage, 1, 1, 1, 3)
    assert (here.workspace, here.attention) == (workspace, 0)


def test_it_counts_nothing_of_a_workspace_that_one_left(garage: Workspace, owner: User) -> None:
    Membership.objects.filter(workspace=garage).delete()
    assert [home.workspace.name for home in homes_of(owner)] == ["Northgate Clinic"]


def test_it_shows_them_in_the_switcher_and_on_a_page(
    browser_client: Client, garage: Workspace, workspace: Workspace
) -> None:
    assert (
        '<span class="count">3<span class="sr"> need attention'
        in browser_client.get(f"/w/{workspace.pk}/").content.decode()
    )
    page = browser_client.get("/workspaces").content.decode()
    for words in ("Copperkettle Garage", "1 sender paused", "1 text failed in 24 h", "1 follow-up held", "Viewer"):
        assert words in page


def test_it_makes_a_workspace_from_anothers_actions(
    browser_client: Client, workspace: Workspace, owner: User
) -> None:
    an_action(an_agent(workspace))
    typed = {"workspace_name": "Southgate Clinic", "source": str(workspace.pk)}
    made = browser_client.post("/workspaces/create", typed)["Location"]
    new = Workspace.objects.get(name="Southgate Clinic")
    assert made == f"/w/{new.pk}/"
    assert (new.memberships.get().user, new.memberships.get().role) == (owner, Role.OWNER)
    assert [action.name for action in Action.objects.filter(workspace=new)] == ["Booking confirmation"]


def test_it_copies_nothing_of_a_workspace_that_is_not_ones_own(browser_client: Client) -> None:
    theirs = a_workspace("Copperkettle Garage")
    answer = browser_client.post("/workspaces/create", {"workspace_name": "Mine", "source": str(theirs.pk)})
    assert (answer.status_code, 'value="Mine"' in answer.content.decode()) == (422, True)
    assert "Copperkettle" not in answer.content.decode()
    assert not Workspace.objects.filter(name="Mine").exists()


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_it_is_made_by_owners_alone(client: Client, workspace: Workspace, role: str) -> None:
    client.force_login(a_member(workspace, role))
    assert "/workspaces/new" not in client.get("/workspaces").content.decode()
    assert client.get("/workspaces/new").status_code == 403
    assert client.post("/workspaces/create", {"workspace_name": "Mine"}).status_code == 403


def visit(workspace: Workspace, role: str = Role.OWNER) -> Visit:
    person = a_member(workspace, role)
    return Visit(None, person, person.memberships.get())  # type: ignore[arg-type]  # no request is looked at


def undone(workspace: Workspace) -> list[str]:
    return [step.title for step in checklist(visit(workspace)) if not step.done]


def test_it_sees_each_step_done_by_itself(workspace: Workspace) -> None:
    left = [
        "Connect Twilio",
        "Connect a voice platform",
        "Add your first agent",
        "Attach your first action",
        "Take your first call",
    ]
    assert undone(workspace) == left
    Account.objects.update(kind=Account.Kind.OWN)
    assert undone(workspace) == left[1:]
    Source.objects.create(workspace=workspace, kind="generic", name="Front desk", auth="{}")
    assert undone(workspace) == left[2:]
    agent = an_agent(workspace)
    assert undone(workspace) == left[3:]
    an_action(agent)
    assert undone(workspace) == left[4:]
    a_call(agent)
    assert checklist(visit(workspace)) == []


def test_it_sees_a_program_that_brings_the_calls(workspace: Workspace) -> None:
    row, _ = ApiKey.issue(workspace, "Booking system", ApiKey.Scope.INGEST)
    assert "Connect a voice platform" in undone(workspace)
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=row.created_at)
    assert "Connect a voice platform" not in undone(workspace)


def test_it_is_no_step_of_a_viewers_nor_of_the_sample_workspace(workspace: Workspace) -> None:
    assert checklist(visit(workspace, Role.VIEWER)) == []
    Workspace.objects.filter(pk=workspace.pk).update(is_sample=True)
    assert undone(workspace) == []


def test_it_goes_when_it_is_dismissed(browser_client: Client, workspace: Workspace) -> None:
    page = browser_client.get(f"/w/{workspace.pk}/").content.decode()
    assert "Take your first call" in page
    browser_client.post(f"/w/{workspace.pk}/checklist/dismiss")
    assert "Take your first call" not in browser_client.get(f"/w/{workspace.pk}/").content.decode()
