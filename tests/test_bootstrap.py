"""What stands ready: the default workspace, the sample workspace, who owns them, and the environment's key."""

import pytest

from postcall.bootstrap import ENVIRONMENT_KEY, default_workspace, own, sample_workspace, settle_key
from postcall.workspaces.models import ApiKey, Membership, User, Workspace

pytestmark = pytest.mark.django_db

KEY = "pc_a_key_of_the_tests_only_0123456789"


def owners(workspace: Workspace) -> list[str]:
    return [row.user.email for row in workspace.memberships.filter(role=Membership.Role.OWNER)]


def test_it_never_seizes_a_tenant_that_is_called_sample() -> None:
    theirs = Workspace.objects.create(name="sample")
    ours, _ = sample_workspace(KEY)
    assert ours.name == "Sample calls"
    assert not ApiKey.objects.filter(workspace=theirs).exists()
    assert sample_workspace(KEY)[0] == ours


def test_it_keeps_the_sample_workspace_when_it_is_renamed() -> None:
    ours, _ = sample_workspace(KEY)
    Workspace.objects.filter(pk=ours.pk).update(name="Demonstration")
    assert sample_workspace(KEY)[0] == ours


def test_it_lets_only_the_default_owners_into_the_sample_workspace() -> None:
    own("dana@northgate.example", "a-long-password-1")
    tenant = Workspace.objects.create(name="Northgate Clinic")
    stranger = User.objects.create_user("sam@northgate.example", "a-long-password-1")
    Membership.objects.create(workspace=tenant, user=stranger, role=Membership.Role.OWNER)
    ours, _ = sample_workspace(KEY)
    assert owners(ours) == ["dana@northgate.example"]


def test_it_makes_the_owner_of_nothing_but_the_default_workspace() -> None:
    tenant = Workspace.objects.create(name="Northgate Clinic")
    own("dana@northgate.example", "a-long-password-1")
    assert (owners(default_workspace()), owners(tenant)) == (["dana@northgate.example"], [])


def test_it_makes_an_owner_of_somebody_who_was_a_viewer() -> None:
    viewer = User.objects.create_user("dana@northgate.example", "a-long-password-1")
    Membership.objects.create(workspace=default_workspace(), user=viewer, role=Membership.Role.VIEWER)
    own("Dana@northgate.example", "a-long-password-1")
    assert owners(default_workspace()) == ["dana@northgate.example"]


def test_it_revokes_the_environments_key_when_another_takes_its_place() -> None:
    workspace = default_workspace()
    settle_key(workspace, ENVIRONMENT_KEY, KEY)
    ApiKey.issue(workspace, "another", ApiKey.Scope.ADMIN)
    settle_key(workspace, ENVIRONMENT_KEY, KEY + "2")
    living = ApiKey.objects.filter(workspace=workspace, revoked_at=None)
    assert set(living.values_list("digest", "name")) >= {(ApiKey.digest_of(KEY + "2"), ENVIRONMENT_KEY)}
    assert living.count() == 2


def test_it_does_not_bring_a_revoked_key_back() -> None:
    workspace = default_workspace()
    settle_key(workspace, ENVIRONMENT_KEY, KEY)
    settle_key(workspace, ENVIRONMENT_KEY, KEY + "2")
    settle_key(workspace, ENVIRONMENT_KEY, KEY)
    assert ApiKey.objects.get(digest=ApiKey.digest_of(KEY)).revoked_at is not None
