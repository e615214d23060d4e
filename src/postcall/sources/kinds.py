"""Every voice platform that Postcall understands, by the name that stands in `/in/{kind}/{token}`."""

from __future__ import annotations

from typing import Final

from postcall.sources.kind import SourceKind
from postcall.sources.platforms.bland import Bland
from postcall.sources.platforms.elevenlabs import ElevenLabs
from postcall.sources.platforms.generic import Generic
from postcall.sources.platforms.livekit import LiveKit
from postcall.sources.platforms.retell import Retell
from postcall.sources.platforms.synthflow import Synthflow
from postcall.sources.platforms.telnyx import Telnyx
from postcall.sources.platforms.twilio import Twilio
from postcall.sources.platforms.vapi import Vapi

KINDS: Final[dict[str, SourceKind]] = {
    kind.name: kind
    for kind in (Generic(), Bland(), ElevenLabs(), LiveKit(), Synthflow(), Twilio(), Retell(), Telnyx(), Vapi())
}
