"""Where calls come from: a card a platform, its secret, and connecting another one."""

from __future__ import annotations

import html
import json
import re

import pytest
from django.test import Client

from postcall.sources.editing import SourceContent, address_of, auth_of, create_source, wanted_of
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.sources.refused import refuse
from postcall.work import clock
from postcall.workspaces.models import Membership, Workspace

from .factories import a_member

pytestmark = pytest.mark.django_db
FIRST, SECOND = "whsec_" + "QUJD" * 8, "whsec_" + "REVG" * 8


@pytest.fixture
def source(workspace: Workspace) -> Source:
    return Source.objects.create(
        workspace=workspace, kind="generic", name="Front desk", auth=json.dumps({"secret": FIRST})
    )


def shown(client: Client, workspace: Workspace, query: str = "") -> str:
    return client.get(f"/w/{workspace.pk}/settings/platforms{query}").content.decode()


def press(client: Client, source: Source, button: str, **form: str) -> str:
    answer = client.post(f"/w/{source.workspace_id}/settings/platforms/{source.pk}/{button}", form, follow=True)
    source.refresh_from_db()
    return answer.content.decode()


def connect(client: Client, workspace: Workspace, **form: str) -> str:
    answer = client.post(f"/w/{workspace.pk}/settings/platforms/connect", form, follow=True)
    return answer.content.decode()


def test_it_shows_the_secret_that_it_made_this_once(browser_client: Client, workspace: Workspace) -> None:
    page = connect(browser_client, workspace, kind="generic", name="Night desk")
    source = Source.objects.get(name="Night desk")
    secret = auth_of(source)["secret"]
    assert secret in page
    assert f"/in/generic/{source.token}" in page
    assert secret not in shown(browser_client, workspace)


def test_it_takes_a_secret_of_the_platforms_own(browser_client: Client, workspace: Workspace) -> None:
    page = connect(browser_client, workspace, kind="generic", name="Night desk", secret=FIRST)
    assert auth_of(Source.objects.get(name="Night desk")) == {"secret": FIRST}
    assert FIRST not in page


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "generic", "name": ""}, 'id="name-error"'),
        ({"kind": "generic", "name": "Night desk", "secret": "short"}, 'id="secret-error"'),
        ({"kind": "telegraph", "name": "Night desk"}, "Choose a platform"),
    ],
)
def test_it_says_what_keeps_a_platform_from_being_connected(
    browser_client: Client, workspace: Workspace, form: dict[str, str], said: str
) -> None:
    page = connect(browser_client, workspace, **form)
    assert said in page
    assert not Source.objects.exists()


def test_it_keeps_a_secret_that_was_typed_beside_something_wrong(
    browser_client: Client, workspace: Workspace
) -> None:
    page = connect(browser_client, workspace, kind="generic", name="", secret=FIRST)
    assert FIRST not in page
    (sealed,) = re.findall(r'name="secret_sealed" value="([^"]+)"', page)
    connect(browser_client, workspace, kind="generic", name="Night desk", secret="", secret_sealed=sealed)
    assert auth_of(Source.objects.get()) == {"secret": FIRST}


def test_it_offers_every_kind_there_is(browser_client: Client, workspace: Workspace) -> None:
    page = shown(browser_client, workspace)
    for kind in KINDS.values():
        assert f'href="?add={kind.name}#adding"' in page
        adding = shown(browser_client, workspace, f"?add={kind.name}")
        assert html.escape(kind.paste) in adding
        assert all(f'name="{each.name}"' in adding for each in wanted_of(kind))


def test_it_tells_the_address_before_it_is_connected(browser_client: Client, workspace: Workspace) -> None:
    first = shown(browser_client, workspace, "?add=elevenlabs")
    (address,) = re.findall(r'value="([^"]+/in/elevenlabs/[^"]+)"', first)
    again = shown(browser_client, workspace, "?add=elevenlabs")
    assert address in again
    (sealed,) = re.findall(r'name="token_sealed" value="([^"]+)"', again)
    form = {"kind": "elevenlabs", "secret": "wsec_of-the-platform", "token_sealed": sealed}
    assert address in connect(browser_client, workspace, name="", **form)
    connect(browser_client, workspace, name="Front desk", **form)
    connect(browser_client, workspace, name="Front desk", **form)
    assert address_of(Source.objects.get()) == address
    assert address not in shown(browser_client, workspace, "?add=elevenlabs").partition('id="adding"')[2][:3000]


def test_it_takes_no_address_of_the_readers_own_making(browser_client: Client, workspace: Workspace) -> None:
    connect(browser_client, workspace, kind="generic", name="Front desk", token_sealed="mine")
    assert Source.objects.get().token != "mine"


def test_it_stores_both_parts_of_a_key(browser_client: Client, workspace: Workspace) -> None:
    page = connect(browser_client, workspace, kind="livekit", name="Rooms", key="APIkey", secret="")
    assert 'id="secret-error"' in page
    assert not Source.objects.exists()
    page = connect(browser_client, workspace, kind="livekit", name="Rooms", key="APIkey", secret="of LiveKit’s")
    assert auth_of(Source.objects.get()) == {"key": "APIkey", "secret": "of LiveKit’s"}
    assert "of LiveKit’s" not in page


def test_another_secret_leaves_how_the_platform_signs(browser_client: Client, workspace: Workspace) -> None:
    plan = {"algorithm": "sha512"}
    source, _ = create_source(
        workspace,
        SourceContent(kind="vapi", name="Vapi", auth={"secret": "of-the-credential-1", "plan": plan}),
    )
    press(browser_client, source, "secret", secret="of-the-credential-2")
    before = auth_of(source)
    assert (before["secret"], before["previous"]) == ("of-the-credential-2", "of-the-credential-1")
    page = press(browser_client, source, "secret", make="1")
    assert auth_of(source)["plan"] == before["plan"]
    assert auth_of(source)["plan"]["algorithm"] == "sha512"
    assert html.escape(auth_of(source)["secret"]) in page


def test_a_new_secret_leaves_the_one_before_it_in_force_until_it_is_stopped(
    browser_client: Client, source: Source
) -> None:
    page = press(browser_client, source, "secret", secret=SECOND)
    assert auth_of(source) == {"secret": SECOND, "previous": FIRST}
    assert "The secret before it is still accepted." in page
    page = press(browser_client, source, "stop-previous")
    assert auth_of(source) == {"secret": SECOND}
    assert "still accepted" not in page


def test_it_makes_a_new_secret_and_shows_it_once(browser_client: Client, source: Source) -> None:
    page = press(browser_client, source, "secret", make="1")
    assert auth_of(source)["previous"] == FIRST
    assert auth_of(source)["secret"] in page
    assert auth_of(source)["secret"] not in shown(browser_client, source.workspace)


def test_a_look_for_news_uses_up_no_secret(browser_client: Client, source: Source) -> None:
    address = f"/w/{source.workspace_id}/settings/platforms"
    browser_client.post(f"{address}/{source.pk}/secret", {"make": "1"})
    browser_client.get(f"{address}/{source.pk}/live?seen=x")
    source.refresh_from_db()
    assert auth_of(source)["secret"] in shown(browser_client, source.workspace)


def test_nothing_is_stopped_where_there_is_no_secret(browser_client: Client, source: Source) -> None:
    Source.objects.update(auth="")
    assert "Nothing was stopped" in press(browser_client, source, "stop-previous")


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_refused_secret_changes_nothing(browser_client: Client, source: Source, secret: str) -> None:
    assert 'id="secret-error"' in press(browser_client, source, "secret", secret=secret)
    assert auth_of(source) == {"secret": FIRST}


def test_it_renames_and_keeps_the_secret(browser_client: Client, source: Source) -> None:
    press(browser_client, source, "rename", name=" Night desk ")
    assert (source.name, auth_of(source)) == ("Night desk", {"secret": FIRST})
    assert 'id="name-error"' in press(browser_client, source, "rename", name="")


def test_it_disconnects_for_good(browser_client: Client, source: Source) -> None:
    page = press(browser_client, source, "disconnect")
    assert source.deleted_at is not None
    assert source.token not in page


def test_a_card_tells_by_itself_that_a_call_came(browser_client: Client, source: Source) -> None:
    page = shown(browser_client, source.workspace)
    assert "Waiting for the first call" in page
    (live,) = re.findall(r'hx-get="([^"]+)"[^>]*hx-trigger="every 3s"', page)
    assert browser_client.get(live).status_code == 204
    Source.objects.update(last_received_at=clock.now())
    assert "Received" in browser_client.get(live).content.decode()


def test_a_card_tells_what_was_refused_and_why(browser_client: Client, source: Source) -> None:
    refuse(source, "the signature was made with another secret, or over another body")
    page = shown(browser_client, source.workspace)
    assert "The signature was made with another secret" in page
    assert "1 refused delivery" in page


def test_a_viewer_changes_nothing_and_learns_no_address_that_lets_calls_in(
    client: Client, workspace: Workspace, source: Source
) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    page = shown(client, workspace)
    assert source.token in page
    assert page.count("<form method") <= 1
    Source.objects.update(auth="")
    assert source.token not in shown(client, workspace)


@pytest.mark.parametrize("button", ["rename", "secret", "stop-previous", "disconnect"])
def test_an_editor_changes_no_platform(client: Client, workspace: Workspace, source: Source, button: str) -> None:
    client.force_login(a_member(workspace, Membership.Role.EDITOR))
    address = f"/w/{workspace.pk}/settings/platforms/{source.pk}/{button}"
    assert client.post(address, {"name": "x", "make": "1"}).status_code == 403
