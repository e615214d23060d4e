"""`postcall judge`: a verdict on one call or on many; nothing stored, nothing sent, no database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from postcall.cli.model_keys import missing_key
from postcall.cli.output import err, fail, note, out, print_json
from postcall.config import config, judge_model

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from postcall.judge.asking import Asked
    from postcall.judge.rows import Row
    from postcall.judge.verdicts import Case, Judge, Judgement, Verdict

_STYLES = {"met": "green", "not_met": "red", "unclear": "yellow"}
_STDIN = Path("-")
MOST_SHOWN = 20
# Requests to a language model at a time; the built-in judge takes a whole core for one.
AT_A_TIME = 8

Model = Annotated[
    str | None,
    typer.Option(help="Another judge than POSTCALL_JUDGE_MODEL names: offline, openai:…, cascade:openai:…."),
]
Parallel = Annotated[
    int | None, typer.Option(min=1, max=64, help=f"Calls at a time: {AT_A_TIME}, or 1 for offline, unless given.")
]


def judge(
    call: Annotated[
        Path | None,
        typer.Argument(
            metavar="CALL.json", help="A call as POST /calls takes it, or a bare transcript; - is stdin."
        ),
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="What must have happened during the call. May be repeated.")
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(help='One {"id","condition","transcript":[…]} a line, also as .gz; - is stdin. See --out.'),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Where --batch writes its verdicts; what it holds is not judged again."),
    ] = None,
    prompts_only: Annotated[
        bool,
        typer.Option("--prompts-only", help="With --batch: write what a model would be asked, and ask nobody."),
    ] = False,
    model: Model = None,
    parallel: Parallel = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say whether a condition was met during a call, and why."""
    if batch is None:
        if call is None or not condition or out_file or prompts_only:
            raise typer.BadParameter("give CALL.json and --condition TEXT, or --batch IN.jsonl --out OUT.jsonl")
        _judge_one(call, condition, model, as_json)
        return
    if call is not None or condition or not (out_file or prompts_only):
        raise typer.BadParameter("--batch takes --out FILE, and neither CALL.json nor --condition")
    if prompts_only:
        _write_prompts(read_rows(batch), out_file)
    elif out_file:
        _judge_batch(batch, out_file, model, parallel)


# What other commands of the judge use too.


def the_judge(model: str | None) -> Judge:
    """The judge named `model`, or the environment's; ends the command where its name or its key is wrong."""
    from postcall.judge.choose import judge_named

    ours = config()  # read first: it brings keys in from their files
    try:
        name = judge_model(model or ours.judge_model)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--model") from None
    if mend := missing_key(name):
        raise fail(mend)
    return judge_named(name)


def closed_after(judge: Judge) -> AbstractContextManager[Any]:
    """Closes the judge's connections in the end, where it has any."""
    return closing(judge) if hasattr(judge, "close") else nullcontext()


def read_rows(path: Path) -> list[Row]:
    from postcall.judge.rows import BadRow, rows_of

    try:
        return rows_of(path)
    except BadRow as error:
        raise fail(str(error)) from None


def put_to(judge: Judge, cases: Sequence[Case], parallel: int | None) -> Iterator[Asked]:
    """Every case's answer as it comes, under a progress bar; ends the command where the judge answers none."""
    from postcall.judge.asking import Hopeless, ask_all

    at_a_time = parallel or (1 if judge.name.startswith("offline") else AT_A_TIME)
    said: set[str] = set()
    with _bar() as progress:
        task = progress.add_task(f"Judging ({judge.name})", total=len(cases))

        def told(failure: str) -> None:
            if failure not in said:
                said.add(failure)
                note(f"waiting, then asking again: {failure}")

        try:
            for asked in ask_all(judge, cases, parallel=at_a_time, told=told):
                progress.advance(task)
                yield asked
        except Hopeless as last:
            progress.stop()
            raise fail(f"no call is answered any more, so no further one is asked about: {last}") from None


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


def _bar() -> Progress:
    said = TextColumn("{task.description}", markup=False)
    return Progress(said, BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), console=err)


# One call.


def _judge_one(call: Path, conditions: list[str], model: str | None, as_json: bool) -> None:
    from postcall.judge.rows import BadRow, turns_of
    from postcall.judge.verdicts import Case, Condition, JudgeFailed
    from postcall.sources.reading import NotJson, read_json

    content = sys.stdin.buffer.read() if call == _STDIN else call.read_bytes()
    try:
        turns = turns_of(read_json(content), str(call))
    except NotJson as error:
        raise fail(f"{call}: {error}") from None
    except BadRow as error:
        raise fail(str(error)) from None
    asked = [Condition(str(number), text) for number, text in enumerate(conditions)]
    judge = the_judge(model)
    with closed_after(judge):
        try:
            judgement = judge.decide(Case(turns, asked))
        except JudgeFailed as error:
            raise fail(f"the judge could not answer: {error}") from None
    verdicts = _checked(Case(turns, asked), judgement)
    if as_json:
        print_json([_told(verdicts[each.id]) | {"condition": each.text} for each in asked])
        return
    for each in asked:
        _print(each.text, verdicts[each.id])


def _print(condition: str, verdict: Verdict) -> None:
    result = (verdict.result.replace("_", " "), _STYLES[verdict.result])
    out.print(Text.assemble(result, f", {verdict.confidence:.0%} sure: {condition}"))
    out.print(Text(f"  {verdict.reason}"))
    for evidence in verdict.evidence:
        out.print(Text(f"  turn {evidence.turn}: “{evidence.quote}”", style="dim"))


def _checked(case: Case, judgement: Judgement) -> dict[str, Verdict]:
    from postcall.judge import quotes

    return quotes.checked(judgement, case.turns, case.conditions).verdicts


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "result": verdict.result,
        "confidence": round(verdict.confidence, 4),
        "probability": None if verdict.probability is None else round(verdict.probability, 4),
        "reason": verdict.reason,
        "evidence": verdict.evidence_json(),
    }


# Many calls.


def _judge_batch(source: Path, target: Path, model: str | None, parallel: int | None) -> None:
    """Each line is written whole as its answer comes, so that a run that was cut off goes on where it stopped."""
    rows = read_rows(source)
    done = set(_ids_in(target))
    todo = [row for row in rows if str(row.id) not in done]
    if len(todo) < len(rows):
        note(f"{len(rows) - len(todo)} of {len(rows)} stand in {target} already.")
    judge = the_judge(model)
    target.touch()  # where it cannot be written is said before a bar is drawn
    failed: list[tuple[Row, str]] = []
    written = 0
    # A lone half of a character, which JSON may hold and UTF-8 may not, is written as JSON's own escape.
    with closed_after(judge), target.open("a", encoding="utf-8", errors="backslashreplace") as file:
        try:
            for asked in put_to(judge, [row.case for row in todo], parallel):
                row = todo[asked.position]
                if asked.judgement is None:
                    failed.append((row, asked.failure))
                    continue
                file.write(json.dumps(_line(row, asked.judgement, judge.name), ensure_ascii=False) + "\n")
                file.flush()
                written += 1
        except KeyboardInterrupt:
            stand = len(rows) - len(todo) + written
            note(f"Stopped. {stand} of {len(rows)} stand in {target}; the same command goes on there.")
            raise typer.Exit(130) from None
    err.print(Text(f"{written} judged into {target}."))
    _tell(failed, len(todo))


def _line(row: Row, judgement: Judgement, name: str) -> dict[str, Any]:
    (verdict,) = _checked(row.case, judgement).values()
    return {
        "id": row.id,
        **_told(verdict),
        "likelier": verdict.likelier,
        "judge": verdict.judge or name,
        "prompt": verdict.prompt,
        "usage": asdict(judgement.usage),
    }


def _tell(failed: list[tuple[Row, str]], of: int) -> None:
    for row, failure in failed[:MOST_SHOWN]:
        err.print(Text.assemble(("not judged", "red"), f" id {row.id}: {failure}"))
    if len(failed) > MOST_SHOWN:
        note(f"… and {len(failed) - MOST_SHOWN} more")
    if failed:
        raise fail(f"{len(failed)} of {of} were not judged; the same command tries them again")


def _ids_in(target: Path) -> list[str]:
    """The ids already answered; a last line that was cut off is dropped from the file."""
    if not target.exists():
        return []
    *whole, cut = target.read_bytes().split(b"\n")
    ids = [_id_in(line, f"{target} line {number}") for number, line in enumerate(whole, 1)]
    if cut:
        # Of no other file is anything dropped: this may be somebody's notes.
        if cut[:6] != b'{"id":'[: len(cut)]:
            raise fail(f"{target} ends with something else than a verdict: give another --out")
        target.write_bytes(b"".join(line + b"\n" for line in whole))
    return ids


def _id_in(line: bytes, where: str) -> str:
    try:
        written = json.loads(line)
        return str((written["id"], written["result"])[0])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise fail(f"{where} is no verdict: give another --out") from None


def _write_prompts(rows: list[Row], target: Path | None) -> None:
    """What each call's request says, word for word. Of a call that takes several, the first: each further one shows
    the report on those before, which nobody has written yet."""
    from postcall.judge.prompt import PROMPT_VERSION, SCHEMA_VERSION, request_for

    if target and target.exists() and target.stat().st_size:
        raise fail(f"{target} is there already, and may hold what was paid for: give another --out")
    context = config().judge_context
    long = 0
    with (
        target.open("w", encoding="utf-8", errors="backslashreplace") if target else nullcontext(sys.stdout) as file
    ):
        for row in rows:
            request = request_for(row.case, context=context)
            prompt: dict[str, Any] = {
                "id": row.id,
                "prompt_version": PROMPT_VERSION,
                "schema_version": SCHEMA_VERSION,
                "system": request.system,
                "user": request.user,
                "schema": request.schema,
            }
            if request.parts > 1:
                long += 1
                prompt |= {"part": 1, "parts": request.parts}
            file.write(json.dumps(prompt, ensure_ascii=False) + "\n")
    if long:
        note(
            f"{long} of {len(rows)} calls take several requests: only the first is written, marked with `parts`, "
            "since each further one shows the answer to those before"
        )
    if target:
        err.print(Text(f"{len(rows)} prompts written into {target}; nobody was asked."))
