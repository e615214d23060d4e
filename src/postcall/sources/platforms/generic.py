"""Any sender that follows Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from standardwebhooks import Webhook, WebhookVerificationError

from postcall.sources.auth import OneSecret, secrets_of
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import errors_of, read_event
from postcall.sources.signing import WRONG
from postcall.sources.told import ToldCall

CALL_ENDED = "call.ended"
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class SigningSecret(OneSecret):
    """The secret of Standard Webhooks."""

    secret: str = Field(
        title="Signing secret", description="Standard Webhooks: whsec_ and at least 24 bytes in base64."
    )

    @field_validator("secret", "previous")
    @classmethod
    def _long_enough(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            key = base64.b64decode(value.removeprefix("whsec_") + "==", validate=False)
        except (binascii.Error, ValueError):
            key = b""
        if not value.isascii() or len(key) < 24:
            raise ValueError("it has to be whsec_ and the base64 of at least 24 bytes")
        return value


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str
    timestamp: AwareDatetime | None = None
    data: ToldCall


class Generic:
    name = "generic"
    title = "Your own code, by webhook"
    paste = (
        "Have your code POST each ended call to it, signed as Standard Webhooks says: by webhook-id, "
        'webhook-timestamp and webhook-signature. The body: {"type": "call.ended", "data": …}, where data is what '
        "POST /calls of the API takes: with a transcript, or with the messages of a chat model."
    )
    auth = SigningSecret

    def new_auth(self) -> dict[str, Any]:
        return {"secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()}

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        if missing := [name for name in _HEADERS if not delivery.headers.get(name)]:
            raise NotVerified(f"the header {' and '.join(missing)} is missing")
        reason = ""
        for secret in secrets_of(auth):
            try:
                # The timestamp may be five minutes off, either way; the library sees to that.
                Webhook(secret).verify(delivery.body, dict(delivery.headers), json_parse=False)
            except WebhookVerificationError as error:
                reason = _REASONS.get(str(error), str(error))
            except UnicodeDecodeError:
                reason = "the body is not UTF-8"
            except ValueError:
                # No base64, or no version before its comma.
                reason = "the signature is not of the form v1,<base64>"
            else:
                return
        raise NotVerified(reason or "the source has no secret")

    def parse(self, body: bytes) -> ToldCall | Ignored:
        event = read_event(body, 'a JSON object is needed: {"type", "timestamp", "data"}')
        kind = event.get("type")
        if isinstance(kind, str) and kind != CALL_ENDED:
            return Ignored(kind[:100])
        try:
            return _Event.model_validate(event).data
        except ValidationError as error:
            raise Unreadable("this is not an ended call", errors_of(error)) from None


_REASONS = {
    "Message timestamp too old": "webhook-timestamp is more than five minutes old: is the sender's clock right?",
    "Message timestamp too new": "webhook-timestamp is more than five minutes ahead: is the sender's clock right?",
    "No matching signature found": WRONG,
    "Invalid Signature Headers": "webhook-timestamp is not a number of seconds",
}
