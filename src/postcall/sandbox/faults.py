"""Faults on demand: what can go wrong, how often, and what goes wrong next.

A fault has a rate between 0 and 1. Whether the n-th request (or callback) meets it depends on the seed, the
fault and n alone, so a run can be repeated and setting one rate does not move another. A fault may also be
armed for the next few occasions, which is what deterministic tests want.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Moment = Literal["create", "fetch", "list", "callback"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can go wrong at a moment, with a rate of 0..1."""

    name: str
    moment: Moment
    help: str


@dataclass(frozen=True, slots=True)
class Knob:
    """A quantity that the faults use. Set like a rate; its name ends with its unit."""

    name: str
    default: float
    help: str


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("refuse_429", "create", "refuse with 429 and Retry-After; nothing accepted"),
        Fault("error_500_before", "create", "answer 500; nothing accepted"),
        Fault("cut_before", "create", "cut the connection; nothing accepted"),
        Fault("hang_before", "create", "never answer; nothing accepted"),
        Fault("error_500_after", "create", "accept the message, answer 500"),
        Fault("cut_after", "create", "accept the message, cut the connection"),
        Fault("hang_after", "create", "accept the message, never answer"),
        Fault("unreadable_201", "create", "accept the message, answer 201 with a body that is not JSON"),
        Fault("slow", "create", "accept the message, answer late (slow_ms)"),
        Fault("fetch_error", "fetch", "answer 500 when one message is read"),
        Fault("list_error", "list", "answer 500 when messages are listed"),
        Fault("drop_callback", "callback", "never send this status callback"),
        Fault("double_callback", "callback", "send this status callback twice"),
        Fault("delay_callback", "callback", "send this status callback late (delay_callback_s)"),
        Fault("reorder_callbacks", "callback", "send this status callback after the message's next one"),
    )
}

KNOBS: dict[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob("retry_after_s", 1, "the Retry-After of refuse_429"),
        Knob("slow_ms", 2000, "how late a slow answer is"),
        Knob("hang_s", 60, "how long a hanging request is kept before it is cut"),
        Knob("delay_callback_s", 5, "how late a delayed callback is"),
        Knob("list_lag_s", 0, "how long a new message stays out of the list"),
    )
}


def fault_names() -> dict[str, str]:
    """Everything that can be given as NAME=NUMBER, with one line of help each."""
    rates = {fault.name: f"{fault.help} (rate 0..1)" for fault in FAULTS.values()}
    return rates | {knob.name: f"{knob.help} (default {knob.default:g})" for knob in KNOBS.values()}


def parse_faults(words: Iterable[str]) -> dict[str, float]:
    """Reads NAME=NUMBER words. ValueError with one clear line for an unknown name or a bad number."""
    values: dict[str, float] = {}
    for word in words:
        name, separator, number = word.partition("=")
        if not separator:
            raise ValueError(f"{word!r} is not NAME=NUMBER, for instance cut_after=0.05")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            raise ValueError(f"{name.strip()}: {number!r} is not a number") from None
    check_faults(values)
    return values


def check_faults(values: Mapping[str, float]) -> None:
    """ValueError with one clear line unless every name is known and every number within its range."""
    for name, value in values.items():
        if name not in FAULTS and name not in KNOBS:
            raise ValueError(f"unknown fault {name!r}; known are {', '.join([*FAULTS, *KNOBS])}")
        if name in FAULTS and not 0 <= value <= 1:
            raise ValueError(f"{name} is a rate between 0 and 1, not {value:g}")
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a number of at least 0, not {value:g}")


@dataclass(slots=True)
class _Armed:
    fault: Fault
    count: int
    to: str | None


class Faults:
    """The rates and knobs in force, the faults armed for the next occasions, and how often each fired."""

    def __init__(self, values: Mapping[str, float] | None = None, *, seed: int = 0) -> None:
        self._seed = seed
        self._start = dict(values or {})
        check_faults(self._start)
        self.reset()

    def reset(self) -> None:
        """Back to the start: its rates, nothing armed, counting from the first request again."""
        self._values = dict(self._start)
        self._armed: list[_Armed] = []
        self._occasions: Counter[Moment] = Counter()
        self.fired: Counter[str] = Counter()

    @property
    def values(self) -> dict[str, float]:
        """Every rate and knob by name."""
        return {name: self[name] for name in (*FAULTS, *KNOBS)}

    def __getitem__(self, name: str) -> float:
        default = KNOBS[name].default if name in KNOBS else 0.0
        return self._values.get(name, default)

    def replace(self, values: Mapping[str, float]) -> None:
        """Sets these; every other rate is 0 again and every other knob at its default."""
        check_faults(values)
        self._values = dict(values)

    def merge(self, values: Mapping[str, float]) -> None:
        """Sets these and leaves the others."""
        check_faults(values)
        self._values |= values

    def arm(self, name: str, *, count: int = 1, to: str | None = None) -> None:
        """Makes the next `count` occasions (those about the recipient `to`, where given) meet the fault."""
        if name not in FAULTS:
            raise ValueError(f"unknown fault {name!r}; known are {', '.join(FAULTS)}")
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        self._armed.append(_Armed(FAULTS[name], count, to))

    def strike(self, moment: Moment, to: str | None = None) -> str | None:
        """The fault that this occasion meets, or None. An armed one goes before the rates; at most one."""
        self._occasions[moment] += 1
        name = self._armed_for(moment, to) or self._drawn(moment)
        if name:
            self.fired[name] += 1
        return name

    def _armed_for(self, moment: Moment, to: str | None) -> str | None:
        for armed in self._armed:
            if armed.fault.moment != moment or (armed.to is not None and armed.to != to):
                continue
            armed.count -= 1
            if not armed.count:
                self._armed.remove(armed)
            return armed.fault.name
        return None

    def _drawn(self, moment: Moment) -> str | None:
        occasion = self._occasions[moment]
        for fault in FAULTS.values():
            rate = self._values.get(fault.name, 0)
            if rate and fault.moment == moment and self._chance(fault.name, occasion) < rate:
                return fault.name
        return None

    def _chance(self, name: str, occasion: int) -> float:
        digest = hashlib.blake2b(f"{self._seed}/{name}/{occasion}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
