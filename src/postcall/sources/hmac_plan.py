"""Signatures whose parts the sender's owner chooses: which hash, which headers, and what is signed."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from postcall.shapes import Strict
from postcall.sources.kind import Delivery, NotVerified
from postcall.sources.loose import MILLISECONDS_FROM
from postcall.sources.signing import fresh, header, one_of, seconds

FRESH_FOR: Final = timedelta(minutes=5)
_PARTS: Final = re.compile(r"\{(body|timestamp|method|url|svix-id)\}")

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$", to_lower=True)]


class HmacPlan(Strict):
    """How a body is signed, in the words of Vapi's HMAC credential, whose own spelling is understood as well."""

    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    signature_header: HeaderName = "x-signature"
    timestamp_header: HeaderName = "x-timestamp"
    prefix: str = Field(default="", max_length=50, description="What stands before the signature: `sha256=`.")
    include_timestamp: bool = True
    payload_format: str | None = Field(
        default=None,
        max_length=200,
        description="What is signed: {body}, {timestamp}, {method}, {url}, {svix-id}, and anything between.",
    )
    # [G] Where an id is signed and its header has no name of its own, Svix' name is the likeliest.
    message_id_header: HeaderName = "svix-id"
    encoding: Literal["hex", "base64"] = "hex"
    secret_is_base64: bool = False

    @model_validator(mode="before")
    @classmethod
    def _in_either_spelling(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {_OUR_NAMES.get(name, name): value for name, value in given.items() if (name, value) != _KIND}

    @model_validator(mode="after")
    def _signs_the_body(self) -> HmacPlan:
        if "{body}" not in self.signed_format:
            raise ValueError("payload_format has to hold {body}: else anybody may change what a call says")
        if self.include_timestamp != ("{timestamp}" in self.signed_format):
            raise ValueError("payload_format has to hold {timestamp} if include_timestamp is true, and only then")
        return self

    @property
    def signed_format(self) -> str:
        # [G] What is signed without a time, when no format was chosen, is not documented: the body alone.
        return self.payload_format or ("{timestamp}.{body}" if self.include_timestamp else "{body}")

    def verify(self, delivery: Delivery, secrets: Iterable[str]) -> None:
        """Raises NotVerified unless the delivery was signed by this plan with one of the secrets, in the last five
        minutes where the time is signed."""
        given = header(delivery, self.signature_header)
        if not given.startswith(self.prefix):
            raise NotVerified(f"the signature does not begin with “{self.prefix}”, as the plan says")
        signed = self._signed(delivery)
        digests = (hmac.digest(self._key(secret), signed, self.algorithm) for secret in secrets)
        given = given.removeprefix(self.prefix)
        one_of(map(self._written, digests), given.lower() if self.encoding == "hex" else given)

    def _signed(self, delivery: Delivery) -> bytes:
        parts: dict[str, Callable[[], bytes]] = {
            "body": lambda: delivery.body,
            "timestamp": lambda: self._timestamp(delivery).encode(),
            "svix-id": lambda: header(delivery, self.message_id_header).encode("utf-8", "surrogateescape"),
            # [G] Which form of the address is signed is not documented: the one that was given to the platform.
            "url": delivery.url.encode,
            "method": lambda: b"POST",
        }
        # In one go: a body may hold the words {timestamp} too.
        pieces = _PARTS.split(self.signed_format)
        return b"".join(parts[piece]() if at % 2 else piece.encode() for at, piece in enumerate(pieces))

    def _timestamp(self, delivery: Delivery) -> str:
        written = header(delivery, self.timestamp_header)
        # [G] The unit is not documented.
        moment = seconds(written, self.timestamp_header)
        fresh(moment / 1000 if moment >= MILLISECONDS_FROM else moment, FRESH_FOR, self.timestamp_header)
        return written

    def _key(self, secret: str) -> bytes:
        if not self.secret_is_base64:
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise NotVerified("the plan says that the secret is base64, and it is not") from None

    def _written(self, digest: bytes) -> str:
        return digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()


_KIND: Final = ("type", "hmac")
_OUR_NAMES: Final = {
    "signatureHeader": "signature_header",
    "timestampHeader": "timestamp_header",
    "signaturePrefix": "prefix",
    "includeTimestamp": "include_timestamp",
    "payloadFormat": "payload_format",
    "messageIdHeader": "message_id_header",
    "signatureEncoding": "encoding",
    "secretIsBase64": "secret_is_base64",
}
