"""Every voice platform that Postcall understands, by the name that stands in `/in/{kind}/{token}`."""

from __future__ import annotations

from typing import Final

from postcall.sources.bland import Bland
from postcall.sources.elevenlabs import ElevenLabs
from postcall.sources.generic import Generic
from postcall.sources.kind import SourceKind
from postcall.sources.livekit import LiveKit
from postcall.sources.retell import Retell
from postcall.sources.synthflow import Synthflow
from postcall.sources.telnyx import Telnyx
from postcall.sources.twilio import Twilio
from postcall.sources.vapi import Vapi

KINDS: Final[dict[str, SourceKind]] = {
    kind.name: kind
    for kind in (Generic(), Bland(), ElevenLabs(), LiveKit(), Synthflow(), Twilio(), Retell(), Telnyx(), Vapi())
}
