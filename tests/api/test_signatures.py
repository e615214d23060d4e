"""What comes in by a signature: over the very bytes that came, compared in a time that tells nothing."""

from __future__ import annotations

import ast
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

import postcall
from postcall.calls.models import Call
from postcall.messages import signatures
from postcall.sources.kind import Delivery, NotVerified
from postcall.sources.kinds import KINDS

from .conftest import Api
from .test_twilio_doors import BASE, attempt, status
from .test_webhooks import DATA, Platform, platform

__all__ = ["attempt", "platform"]  # fixtures

SOURCE = Path(postcall.__file__).parent
BODY = json.dumps({"type": "call.ended", "timestamp": "2026-03-04T10:00:00Z", "data": DATA}).encode()


@pytest.mark.parametrize("at", range(0, len(BODY), 7))
def test_it_refuses_a_body_with_one_bit_turned(platform: Platform, at: int) -> None:
    turned = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    assert platform.send(BODY, sent=turned).status == 401
    assert not Call.objects.exists()


@pytest.mark.parametrize(
    "rewritten",
    [
        json.dumps(json.loads(BODY), separators=(",", ":")).encode(),
        json.dumps(json.loads(BODY), sort_keys=True).encode(),
        BODY + b"\n",
        BODY.replace(b"Hello", b"\\u0048ello"),
    ],
)
def test_it_refuses_the_same_words_in_other_bytes(platform: Platform, rewritten: bytes) -> None:
    assert json.loads(rewritten) == json.loads(BODY)
    assert platform.send(BODY, sent=rewritten).status == 401
    assert platform.send(BODY).status == 200


class Comparisons:
    """Watches the comparison that takes the same time whatever it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[Any, Any]] = []
        real = hmac.compare_digest

        def watched(one: Any, other: Any) -> bool:
            self.made.append((one, other))
            return real(one, other)

        monkeypatch.setattr(hmac, "compare_digest", watched)


def test_it_compares_a_generic_signature_so(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Comparisons(monkeypatch)
    secret = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("m", at, "another body"),
    }
    with pytest.raises(NotVerified):
        KINDS["generic"].verify(
            Delivery(headers, BODY, "https://postcall.example/in/generic/t"), {"secret": secret}
        )
    assert watch.made


def test_it_compares_twilios_signature_so(attempt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Comparisons(monkeypatch)
    path, form = f"/twilio/status/{attempt.token}", status(attempt)
    made = RequestValidator("another").compute_signature(BASE + path, form)
    params = signatures.Params(form.items())
    with pytest.raises(signatures.BadSignature):
        signatures.verify(attempt.account, path, params, {"X-Twilio-Signature": made})
    assert {other for _, other in watch.made} == {made.encode()}


# Words for what must not be compared with `==`, which stops at the first difference.
_SENSITIVE = ("signature", "digest", "mac", "hmac", "secret", "token", "password")


def careless(code: str) -> list[str]:
    """Every `==` and `!=` of something that is named like a secret, with anything but a literal."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [node.left, node.comparators[0]]
            named = [
                name
                for side in sides
                if (name := getattr(side, "attr", getattr(side, "id", ""))).lower().endswith(_SENSITIVE)
            ]
            if named and not any(isinstance(side, ast.Constant) for side in sides):
                found.append(ast.unparse(node))
    return found


# What is compared there is no guess of a stranger's.
_NO_GUESS = {
    "other.auth_token != account.auth_token",  # two tokens of one owner's, both stored
    "digest(plain(message.body).strip()) == text.body_digest",  # a text that Twilio lists, and one of ours
}


def test_its_verifiers_compare_nothing_carelessly() -> None:
    modules = [
        *(SOURCE / "sources").rglob("*.py"),
        *(SOURCE / "messages").rglob("*.py"),
        SOURCE / "api" / "webhooks.py",
        SOURCE / "api" / "keys.py",
    ]
    found = {compared for path in modules for compared in careless(path.read_text())}
    assert found == _NO_GUESS


@pytest.mark.parametrize("code", ["signature == made", "row.token != given", "given == webhook.digest"])
def test_it_would_see_a_careless_comparison(code: str) -> None:
    assert careless(code) == [code]


def test_a_kind_that_is_added_has_to_be_shown_to_refuse() -> None:
    """Every kind that signs refuses a delivery without a signature, and one with a made-up one."""
    for kind in KINDS.values():
        if kind.auth is None:
            continue
        auth = kind.new_auth() or {"secret": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="}
        with pytest.raises(NotVerified):
            kind.verify(Delivery({}, BODY, "https://postcall.example/in/x/t"), auth)


def test_a_source_with_a_wrong_signature_says_nothing_of_the_right_one(api: Api, platform: Platform) -> None:
    refused = platform.send(BODY, webhook_signature="v1,eHh4eA==")
    made = Webhook(platform.secret).sign("msg_1", datetime.now(UTC), BODY.decode()).split(",")[1]
    assert made not in json.dumps(refused.json)
    assert platform.secret.removeprefix("whsec_") not in json.dumps(refused.json)
    assert Client().post(platform.path + "x", BODY, content_type="application/json").status_code == 404
