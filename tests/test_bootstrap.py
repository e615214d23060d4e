"""What stands ready: the default workspace, the sample workspace, who owns them, and the environment's key."""

import pytest
from django.conf import settings

from postcall.bootstrap import (
    ENVIRONMENT_KEY,
    LOCAL_OWNER,
    AlreadyClaimed,
    claim,
    default_workspace,
    local_owner,
    opens_unclaimed,
    own,
    sample_workspace,
    settle_key,
)
from postcall.workspaces.claim import token_of
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


def test_it_keeps_the_default_workspace_when_it_is_renamed() -> None:
    ours = default_workspace()
    Workspace.objects.filter(pk=ours.pk).update(name="Northgate Clinic")
    Workspace.objects.create(name="Default")
    assert default_workspace() == ours


def test_it_takes_a_default_workspace_of_an_older_version_as_it_is() -> None:
    older = Workspace.objects.create(name="default")
    assert default_workspace() == older
    assert Workspace.objects.get().is_default


def test_it_is_claimed_once_by_its_own_link_alone() -> None:
    token = token_of(settings.SECRET_KEY, str(default_workspace().pk))
    assert opens_unclaimed(token)
    assert not opens_unclaimed(token_of("another-instances-secret-key", str(default_workspace().pk)))
    assert not opens_unclaimed("")
    claim("dana@northgate.example", "a-long-password-1", "Dana", "Northgate Clinic")
    assert not opens_unclaimed(token)
    with pytest.raises(AlreadyClaimed):
        claim("kim@northgate.example", "a-long-password-1", "Kim", "Southgate Clinic")
    assert (default_workspace().name, owners(default_workspace())) == (
        "Northgate Clinic",
        ["dana@northgate.example"],
    )


def test_it_makes_no_local_owner_beside_others() -> None:
    local_owner("a-long-password-1")
    assert owners(default_workspace()) == [LOCAL_OWNER]
    User.objects.get().set_password("their own long password")
    local_owner("a-long-password-2")
    assert not User.objects.get().check_password("a-long-password-2")
    User.objects.update(email="dana@northgate.example")
    local_owner("a-long-password-1")
    assert User.objects.count() == 1
