"""`postcall judge`: a verdict on one call or on many; nothing stored, nothing sent, no database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.text import Text

from postcall.cli.calls import bar
from postcall.cli.model_keys import missing_key
from postcall.cli.output import err, fail, note, out, print_json
from postcall.config import config

if TYPE_CHECKING:
    from postcall.judge.verdicts import Case, Condition, Judge, Turn, Verdict

_STYLES = {"met": "green", "not_met": "red", "unclear": "yellow"}


def judge(
    call: Annotated[
        Path | None,
        typer.Argument(metavar="CALL.json", help="A call as POST /calls takes it, or a bare transcript."),
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="What must have happened during the call. May be repeated.")
    ] = None,
    batch: Annotated[
        Path | None, typer.Option(help='One {"id","condition","transcript":[…]} a line; see --out.')
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Where --batch writes its verdicts; what it holds is not judged again."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say whether a condition was met during a call, and why."""
    if batch is not None:
        if call is not None or condition or out_file is None:
            raise typer.BadParameter("--batch takes --out FILE, and neither CALL.json nor --condition")
        _judge_batch(batch, out_file)
        return
    if call is None or not condition:
        raise typer.BadParameter("give CALL.json and --condition TEXT, or --batch IN.jsonl --out OUT.jsonl")
    turns = _turns_of(_json_of(str(call), call.read_bytes()), str(call))
    verdicts = _decide(_judge(), turns, condition)
    if as_json:
        print_json([_row(verdict) | {"condition": text} for text, verdict in zip(condition, verdicts, strict=True)])
        return
    for text, verdict in zip(condition, verdicts, strict=True):
        result = (verdict.result.replace("_", " "), _STYLES[verdict.result])
        out.print(Text.assemble(result, f", {verdict.confidence:.0%} sure: {text}"))
        out.print(Text(f"  {verdict.reason}"))
        for evidence in verdict.evidence:
            out.print(Text(f"  turn {evidence.turn}: “{evidence.quote}”", style="dim"))


def _judge() -> Judge:
    from postcall.judge.choose import judge_from_config

    if mend := missing_key(config().judge_model):
        raise fail(mend)
    return judge_from_config()


def _json_of(where: str, content: bytes) -> Any:
    from postcall.sources.reading import NotJson, read_json

    try:
        return read_json(content)
    except NotJson as error:
        raise fail(f"{where}: {error}") from None


def _turns_of(written: Any, where: str) -> list[Turn]:
    """The turns of a call, of a bare transcript, or of a batch row; `caller` and `assistant` are understood."""
    from postcall.judge.verdicts import Role, Turn

    turns = written.get("transcript") if isinstance(written, dict) else written
    if not isinstance(turns, list):
        raise fail(f"{where}: `transcript` must be a list of turns such as {{“role”: “customer”, “text”: “…”}}")
    aliases = {"caller": "customer", "user": "customer", "human": "customer", "assistant": "agent", "bot": "agent"}
    found = []
    for number, turn in enumerate(turns, 1):
        role = str(turn.get("role")) if isinstance(turn, dict) else ""
        role = aliases.get(role, role)
        text = turn.get("text") if isinstance(turn, dict) else None
        if role not in get_args(Role) or not isinstance(text, str):
            raise fail(f"{where}: turn {number} needs `role` (agent, customer, system or tool) and `text`")
        found.append(Turn(cast(Role, role), text))
    return found


def _case(turns: list[Turn], conditions: list[str]) -> tuple[Case, list[Condition]]:
    from postcall.judge.verdicts import Case, Condition

    asked = [Condition(str(number), text) for number, text in enumerate(conditions)]
    return Case(turns=turns, conditions=asked), asked


def _decide(judge: Judge, turns: list[Turn], conditions: list[str]) -> list[Verdict]:
    from postcall.judge.verdicts import JudgeFailed

    case, asked = _case(turns, conditions)
    try:
        judgement = judge.decide(case)
    except JudgeFailed as error:
        raise fail(f"the judge could not answer: {error}") from None
    return [judgement.verdicts[condition.id] for condition in asked]


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "result": verdict.result,
        "confidence": round(verdict.confidence, 4),
        "probability": None if verdict.probability is None else round(verdict.probability, 4),
        "reason": verdict.reason,
        "evidence": [{"turn": evidence.turn, "quote": evidence.quote} for evidence in verdict.evidence],
    }


def _judge_batch(source: Path, target: Path) -> None:
    """One row at a time is written whole, so that a run that was cut off goes on where it stopped."""
    rows = list(_batch_rows(source))
    done = set(_ids_in(target))
    todo = [row for row in rows if row["id"] not in done]
    if len(todo) < len(rows):
        note(f"{len(rows) - len(todo)} of {len(rows)} stand in {target} already.")
    judge = _judge()
    target.touch()  # where it cannot be written is said before a bar is drawn
    with bar() as progress, target.open("a", encoding="utf-8") as written:
        for row in progress.track(todo, description=f"Judging ({judge.name})"):
            verdict = _decide(judge, _turns_of(row, f"{source}, id {row['id']}"), [row["condition"]])[0]
            written.write(json.dumps({"id": row["id"]} | _row(verdict), ensure_ascii=False) + "\n")
            written.flush()
    err.print(Text(f"{len(todo)} judged into {target}."))


def _batch_rows(source: Path) -> Iterator[dict[str, Any]]:
    seen: set[Any] = set()
    for number, line in enumerate(source.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        row = _json_of(f"{source} line {number}", line)
        if not isinstance(row, dict) or not isinstance(row.get("condition"), str) or not row["condition"].strip():
            raise fail(f"{source} line {number}: needs `id`, `condition` and `transcript`")
        if not isinstance(row.get("id"), str | int) or row["id"] in seen:
            raise fail(f"{source} line {number}: `id` must be there and unlike all others")
        seen.add(row["id"])
        yield row


def _ids_in(target: Path) -> Iterator[Any]:
    """The ids already answered; a last line that was cut off is dropped from the file."""
    if not target.exists():
        return
    content = target.read_bytes()
    if content and not content.endswith(b"\n"):
        content = content[: content.rfind(b"\n") + 1]
        target.write_bytes(content)
    for line in content.splitlines():
        try:
            yield json.loads(line)["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise fail(f"{target} holds something else than verdicts: give another --out") from None
