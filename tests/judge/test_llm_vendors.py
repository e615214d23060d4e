"""Every vendor's own wire, over real HTTP to a stand-in that speaks it, and every way of answering in our shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from asking import case, decide, report, verdict
from llm_stand_in import Fault, ModelServer, schema_of, text_of

from postcall.judge.prompt import INSTRUCTIONS
from postcall.judge.verdicts import JudgeFailed, Usage


@dataclass(frozen=True)
class Vendor:
    """A model's name, what its environment has to say, and the address it is then asked at."""

    name: str
    address: str
    key: str
    path: str
    suffix: str = ""


VENDORS = (
    Vendor("openai-responses:gpt-5-mini", "OPENAI_BASE_URL", "OPENAI_API_KEY", "/v1/responses", "/v1"),
    Vendor("anthropic:claude-haiku-4-5", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "/v1/messages"),
    Vendor(
        "google:gemini-2.5-flash",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_API_KEY",
        "/v1beta/models/gemini-2.5-flash:generateContent",
    ),
    Vendor("ollama:qwen3:8b", "OLLAMA_BASE_URL", "OLLAMA_API_KEY", "/v1/chat/completions", "/v1"),
    Vendor("vllm:Qwen/Qwen3-8B", "VLLM_BASE_URL", "VLLM_API_KEY", "/v1/chat/completions", "/v1"),
)


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name.partition(":")[0])
def vendor(request: pytest.FixtureRequest, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    chosen: Vendor = request.param
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv(chosen.address, model.url.removesuffix("/v1") + chosen.suffix)
    monkeypatch.setenv(chosen.key, "a-key-of-the-tests")
    return chosen


def test_it_asks_each_vendor_in_its_own_words(model: ModelServer, vendor: Vendor) -> None:
    judged = decide(model, case(), report(verdict(quote="made up")), report(), name=vendor.name)
    assert judged.verdicts["f-1"].result == "met"
    assert judged.verdicts["f-1"].judge == vendor.name
    assert judged.usage == Usage(200, 40, 2)
    assert [path.partition("?")[0] for path in model.paths] == [vendor.path] * 2
    sent = json.dumps(model.requests[0], ensure_ascii=False)
    assert json.dumps(INSTRUCTIONS, ensure_ascii=False)[1:-1] in sent
    assert "You are booked." in sent
    assert "made up" in json.dumps(model.requests[1])


def test_it_understands_each_vendors_refusal(model: ModelServer, vendor: Vendor) -> None:
    with pytest.raises(JudgeFailed) as failed:
        decide(model, case(), Fault(401), name=vendor.name)
    assert str(failed.value).startswith(f"{vendor.name} (HTTP 401): stand-in says 401.")
    assert vendor.key in str(failed.value)
    assert not failed.value.retry


def test_it_makes_a_model_call_a_tool(model: ModelServer) -> None:
    assert decide(model, case(), output="tool").verdicts["f-1"].result == "met"
    assert model.requests[0]["tool_choice"] == "required"
    assert "response_format" not in model.requests[0]


@pytest.mark.parametrize("output", ["auto", "json"])
def test_it_holds_a_server_of_ones_own_to_a_schema(model: ModelServer, output: Any) -> None:
    assert decide(model, case(), output=output).verdicts["f-1"].result == "met"
    assert model.requests[0]["response_format"]["type"] == "json_schema"
    assert list(schema_of(model.requests[0])["properties"]) == ["conditions", "values", "objection"]
    assert "tools" not in model.requests[0]
    # One system message, which many chat templates allow no more of; and the schema in it, since a grammar alone
    # tells a model nothing.
    assert [message["role"] for message in model.requests[0]["messages"]] == ["system", "user"]
    assert '"probability"' in text_of(model.requests[0], "system")


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "Here it is:\n{}\nDone.", "<think>hm {{</think>{}"])
def test_it_reads_what_a_prompted_model_writes(model: ModelServer, frame: str) -> None:
    written = frame.replace("{}", json.dumps(report()))
    assert decide(model, case(), written, output="prompted").verdicts["f-1"].result == "met"
    assert '"probability"' in text_of(model.requests[0], "system")
    assert not {"tools", "response_format"} & set(model.requests[0])
    assert len(model.requests) == 1


def test_it_needs_no_key_for_a_server_of_ones_own(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert decide(model, case()).verdicts["f-1"].result == "met"


def test_it_says_that_a_servers_address_is_missing(monkeypatch: pytest.MonkeyPatch, model: ModelServer) -> None:
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    with pytest.raises(JudgeFailed, match="OLLAMA_BASE_URL"):
        decide(model, case(), name="ollama:qwen3")
