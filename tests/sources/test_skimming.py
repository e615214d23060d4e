"""Recordings: larger than what is read, verified as they pass, and forgotten."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from django.test import Client

from postcall.api.problems import MAX_BODY
from postcall.calls.models import Call
from postcall.sources import skimming
from postcall.sources.models import Source
from postcall.sources.refused import refused_lately
from postcall.workspaces.models import Workspace

from .platforms.elevenlabs import PLATFORM, sign

pytestmark = pytest.mark.django_db

LARGE = b"A" * (MAX_BODY + 1)
AUDIO = b'{"type": "post_call_audio", "data": {"conversation_id": "call-1", "full_audio": "' + LARGE + b'"}}'


def a_source(kind: str = "elevenlabs") -> Source:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    return Source.objects.create(workspace=workspace, kind=kind, name="Desk", auth=json.dumps(PLATFORM.auth))


def send(source: Source, body: bytes, *, chunked: bool = False, signed: bytes | None = None) -> Any:
    made = sign(body if signed is None else signed, time.time(), PLATFORM.auth)
    extra: dict[str, Any] = {}
    if chunked:
        extra = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    return Client().generic(
        "POST",
        f"/in/{source.kind}/{source.token}",
        b"" if chunked else body,
        "application/json",
        headers=made,
        **extra,
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_it_passes_over_a_recording(chunked: bool) -> None:
    source = a_source()
    answer = send(source, AUDIO, chunked=chunked)
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    source.refresh_from_db()
    assert source.last_received_at
    assert not Call.objects.exists()


@pytest.mark.parametrize("chunked", [False, True])
def test_it_refuses_a_recording_that_was_changed_on_its_way(chunked: bool) -> None:
    source = a_source()
    answer = send(source, AUDIO[:-1] + b" ", chunked=chunked, signed=AUDIO)
    assert answer.status_code == 401
    assert [row.count for row in refused_lately(source)] == [1]


@pytest.mark.parametrize("chunked", [False, True])
def test_it_passes_over_nothing_that_may_be_a_call(chunked: bool) -> None:
    source = a_source()
    body = b'{"type": "post_call_transcription", "data": {"conversation_id": "call-1", "x": "' + LARGE + b'"}}'
    assert send(source, body, chunked=chunked).status_code == 413
    assert [row.reason for row in refused_lately(source)] == ["the body is larger than 10 MiB"]


def test_it_reads_no_more_of_a_recording_than_anybody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skimming, "MAX_SKIMMED", MAX_BODY)
    assert send(a_source(), AUDIO, chunked=True).status_code == 413


@pytest.mark.parametrize(("kind", "token"), [("elevenlabs", "nobodys"), ("generic", "nobodys"), ("nobody", "x")])
def test_it_reads_nothing_at_an_address_that_is_nobodys(kind: str, token: str) -> None:
    class Unread:
        def read(self, *_: int) -> bytes:
            raise AssertionError("it was read")

        readline = read

    extra: Any = {"CONTENT_LENGTH": str(MAX_BODY + 1), "wsgi.input": Unread()}
    answer = Client().generic("POST", f"/in/{kind}/{token}", **extra)
    assert answer.status_code == (404 if kind == "elevenlabs" else 413)


def test_it_passes_over_nothing_of_platforms_that_send_no_recordings() -> None:
    source = a_source("bland")
    assert send(source, AUDIO).status_code == 413
    assert send(source, AUDIO, chunked=True).status_code == 413
