"""What differs between the vendors of language models: how a model is made to answer in our shape, which key it
needs, and what its errors mean. Nothing of pydantic-ai is loaded before a model is asked: it and a vendor's library
take a second and tens of MB, and most processes never judge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from urllib.parse import urlsplit

from postcall.judge.verdicts import JudgeFailed

if TYPE_CHECKING:
    from pydantic_ai.exceptions import AgentRunError
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

# `tool`: as the arguments of a tool that it has to call. `json`: held to a JSON Schema by its server
# (`response_format`). `prompted`: told the schema in words, and believed as far as it can be read. `auto`: what the
# vendor does best.
Output = Literal["auto", "tool", "json", "prompted"]
OUTPUTS: Final[tuple[Output, ...]] = get_args(Output)

_OPENAI: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
# By pydantic-ai's provider: any one of these has to be set. A server of one's own may do without a key.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "openai": _OPENAI,
    "openai-chat": _OPENAI,
    "openai-responses": _OPENAI,
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "ollama": ("OLLAMA_BASE_URL",),
    "vllm": ("VLLM_BASE_URL",),
}
_KEYS: Final = {"ollama": "OLLAMA_API_KEY", "vllm": "VLLM_API_KEY"}

# Vendor statuses after which asking again, with the same key and model, is useless.
_USELESS: Final = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
# Tokens of an answer. Anthropic has to be told; too few would cut a report on many conditions off.
_MOST_TOKENS: Final = 8_192


def needed_by(model: str) -> tuple[str, ...]:
    """The variables of which one has to be set before `model` can be asked; none where nothing is known to be."""
    return _NEEDED.get(model.partition(":")[0], ())


def _key_of(model: str) -> str:
    provider = model.partition(":")[0]
    return _KEYS.get(provider) or next(iter(needed_by(model)), f"{provider.upper()}_API_KEY")


def _own_server(model: str) -> bool:
    """Whether `model` runs on a server that only speaks like a vendor's."""
    provider = model.partition(":")[0]
    if provider in ("ollama", "vllm"):
        return True
    host = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname or ""
    return provider in ("openai", "openai-chat") and bool(host) and not f".{host}".endswith(".openai.com")


def model_of(model: str) -> Model:
    """Raises UserError, of pydantic-ai, where a name is unknown or something is not set."""
    from pydantic_ai.models import infer_model

    provider, _, name = model.partition(":")
    return _on_own_server(name) if _own_server(model) and provider not in _KEYS else infer_model(model)


def _on_own_server(name: str) -> Model:
    """A model behind OPENAI_BASE_URL: it speaks chat completions, not OpenAI's newer interface."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    # Many models' chat templates take one system message and no more; and who asks for `prompted` has a server that
    # knows no response_format.
    profile = OpenAIModelProfile(
        openai_chat_supports_multiple_system_messages=False, supports_json_object_output=False
    )
    address, key = os.environ["OPENAI_BASE_URL"], os.environ.get("OPENAI_API_KEY")
    provider = OpenAICompatibleProvider("openai-compatible", base_url=address, api_key=key, profile=profile)
    return OpenAIChatModel(name, provider=provider)


def parameters_of(model: Model, name: str, output: Output, schema: Mapping[str, Any]) -> ModelRequestParameters:
    """How `model` is told to answer in the shape of `schema`."""
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.profiles import DEFAULT_PROMPTED_OUTPUT_TEMPLATE
    from pydantic_ai.tools import ToolDefinition

    own = _own_server(name)
    if output == "auto" and own:
        # Grammars are what local servers have in common; their tool calls depend on each model's chat template.
        output = "json" if model.profile.get("supports_json_schema_output", False) else "tool"
    shape, said = dict(schema), "What happened in the call."
    parameters = ModelRequestParameters(
        output_mode="auto",
        output_tools=[ToolDefinition(name="report", parameters_json_schema=shape, description=said, kind="output")],
        output_object=OutputObjectDefinition(json_schema=shape, name="report", description=said),
    )
    match output:
        case "tool":
            return replace(parameters, output_mode="tool", allow_text_output=False)
        case "json":
            # A grammar alone does not tell the model what the fields are.
            template = DEFAULT_PROMPTED_OUTPUT_TEMPLATE if own else None
            return replace(parameters, output_mode="native", prompted_output_template=template)
        case "prompted":
            return replace(
                parameters, output_mode="prompted", prompted_output_template=DEFAULT_PROMPTED_OUTPUT_TEMPLATE
            )
        case _:
            return parameters


def settings_of(model: str, timeout: float) -> ModelSettings:
    """`timeout` in seconds, of a whole request. Nothing is tried again by a vendor's library: we do that."""
    from pydantic_ai.settings import ModelSettings

    settings = ModelSettings(timeout=timeout, request_timeout=timeout, max_retries=0)
    if model.startswith("anthropic:"):
        settings["max_tokens"] = _MOST_TOKENS
    return settings


def failure_of(model: str, error: AgentRunError) -> JudgeFailed:
    """What happened and how to mend it, for an operator."""
    from pydantic_ai.exceptions import ModelAPIError, ModelContextWindowExceededError

    if not isinstance(error, ModelAPIError):
        return JudgeFailed(f"{model} gave no answer of the right shape: {short(str(error))}", retry=True)
    status = getattr(error, "status_code", None)
    said = f"{model}{f' (HTTP {status})' if status else ''}: {_said(error)}"
    too_long = isinstance(error, ModelContextWindowExceededError)
    if mend := _CONTEXT if too_long else _mend(model, status):
        said = f"{said} {mend}"
    # A quota that is used up comes as 429 too, and like a rate limit may be mended while the call waits.
    retry = not too_long and status not in _USELESS
    return JudgeFailed(said, retry=retry, after_s=error.retry_after if retry else None)


_CONTEXT: Final = "The call is too long for it: say in POSTCALL_JUDGE_CONTEXT how many tokens it reads at a time."


def _mend(model: str, status: int | None) -> str:
    if status in (401, 403):
        return f"Check {_key_of(model)}."
    if status in (404, 405):
        where = " and the server's address" if _own_server(model) else ""
        return f"Check the model's name in POSTCALL_JUDGE_MODEL{where}."
    if status in (400, 415, 422) and _own_server(model):
        return "If its server does not take response_format, set POSTCALL_JUDGE_OUTPUT to tool or prompted."
    return ""


def _said(error: Any) -> str:
    """The vendor's own words, out of what it wrapped them in."""
    body = error.body
    for _ in range(2):
        if isinstance(body, Mapping):
            body = body.get("error", body.get("message", body))
    if isinstance(body, Mapping):
        body = body.get("message", body)
    return _sentence(short(str(body if body else error)))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def short(text: str) -> str:
    """On one line, and not much more than one."""
    text = " ".join(text.split())
    return f"{text[:300]}…" if len(text) > 300 else text
