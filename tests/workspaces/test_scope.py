"""The doors reach what a workspace owns by `within` and `open_to` alone: read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, Model

import postcall
from postcall.workspaces.models import Workspace

SOURCE = Path(postcall.__file__).parent
DOORS = ("api", "dashboard")

# Where a query may begin without a workspace, and why.
ALLOWED = {
    ("api/answers.py", "_remembered"): "an advisory lock, which reads no row",
    ("api/answers.py", "forget_old_answers"): "housekeeping of all workspaces, by the worker",
    ("api/keys.py", "authenticate"): "the key says which workspace it is",
    ("api/operations.py", "readyz"): "how long work waits, counted over the whole deployment",
    ("api/operations.py", "metrics"): "numbers of the whole deployment, without names",
    ("api/operations.py", "_counts"): "numbers of the whole deployment, without names",
    ("api/operations.py", "_judged"): "numbers of the whole deployment, without names",
    ("api/webhooks.py", "_source"): "the address's token says which workspace it is",
    ("dashboard/access.py", "member"): "whether the person is a member is what is asked",
    ("dashboard/access.py", "last_workspace"): "the person's own memberships",
    ("dashboard/access.py", "anywhere"): "the person's own membership",
    ("dashboard/access.py", "_note_seen"): "a membership that was found to be the person's",
    ("dashboard/figures.py", "lately"): "SQL, each part of which names the workspace",
    ("dashboard/homes.py", "homes_of"): "the workspaces of the person",
    ("dashboard/homes.py", "_paused"): "of workspaces that were found to be the person's",
    ("dashboard/inquiry.py", "answers"): "a Prefetch of the workspace's calls, named first",
    ("dashboard/inquiry.py", "elsewhere"): "an Exists of the workspace's agents, named first",
    ("dashboard/trials.py", "_revision"): "words as they are typed, never stored",
    ("dashboard/trials.py", "_sender"): "empty rows, never stored",
    ("dashboard/verbs/follow_ups.py", "unless_changed"): "the same row again, locked",
    ("dashboard/verbs/people.py", "rename"): "the visit's own workspace",
    ("dashboard/verbs/people.py", "new_workspace"): "the owner of what was just made",
    ("dashboard/verbs/people.py", "dismiss_checklist"): "the visit's own workspace",
    ("dashboard/views/actions/agents.py", "_missing"): "an empty row, never stored",
    ("dashboard/views/actions/listing.py", "_narrowed"): "an Exists of the workspace's actions, named first",
    ("dashboard/views/agents/pages.py", "_that_say"): "a part of a query on the workspace's agents",
    ("dashboard/views/agents/rows.py", "_seen"): "finds among values that were read already",
    ("dashboard/views/messages.py", "_with_names"): "the names of columns",
    ("dashboard/views/people/password.py", "_mail_apart"): "closes the thread's connection",
    ("dashboard/views/phone.py", "_senders"): "the workspaces of the person",
    ("dashboard/views/test_texts.py", "_sent"): "what `_chosen` looks for among the visit's rows",
    ("dashboard/views/workspaces.py", "_mine"): "the workspaces of the person",
}
RAW = {"connection", "connections", "RawSQL", "find", "rows_of", "get_model", "get_models"}
MANAGERS = {"objects", "_default_manager", "_base_manager", "_meta", "from_db"}


def owned() -> set[str]:
    """The names of the models whose rows belong to a workspace, directly or through what they belong to."""

    def belongs(model: type[Model], seen: tuple[type[Model], ...] = ()) -> bool:
        targets = [field.related_model for field in model._meta.fields if isinstance(field, ForeignKey)]
        return any(
            target is Workspace or (target not in (*seen, model) and belongs(target, (*seen, model)))
            for target in targets
            if isinstance(target, type)
        )

    ours = [model for model in apps.get_models() if model.__module__.startswith("postcall.")]
    return {"Workspace"} | {model.__name__ for model in ours if belongs(model)}


class Reader(ast.NodeVisitor):
    """Finds (function, line, what) wherever a query begins without a workspace."""

    def __init__(self, models: set[str]) -> None:
        self.models = models
        self.found: list[tuple[str, int, str]] = []
        self.inside: list[ast.AST] = []

    def visit(self, node: ast.AST) -> None:
        self.inside.append(node)
        if isinstance(node, ast.ImportFrom | ast.Import):
            self._import(node)
        elif isinstance(node, ast.Name) and node.id in self.models and not self._is_harmless(node):
            self._note(node, node.id)
        elif isinstance(node, ast.Name | ast.Attribute) and self._called(node) in RAW:
            self._note(node, self._called(node))
        self.generic_visit(node)
        self.inside.pop()

    def _import(self, node: ast.ImportFrom | ast.Import) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("postcall") and alias.name.endswith("models"):
                    self._note(node, alias.name)
            return
        for alias in node.names:
            renamed = alias.asname is not None and alias.name in self.models | RAW
            whole = alias.name == "models" and not (node.module or "").startswith("django")
            if renamed or whole:
                self._note(node, f"{alias.name} under another name")

    @staticmethod
    def _called(node: ast.AST) -> str:
        return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""

    def _is_harmless(self, node: ast.Name) -> bool:
        parent = self.inside[-2]
        if isinstance(parent, ast.Attribute):
            return parent.attr not in MANAGERS or self._is_of_rows_at_hand()
        if isinstance(parent, ast.Call) and node is not parent.func:
            return self._called(parent.func) in ("within", "open_to", "rows", "isinstance", "cast")
        if isinstance(parent, ast.Call):  # a new row, which has to say whose it is
            return any(keyword.arg == "workspace" for keyword in parent.keywords)
        return self._is_annotation(node)

    def _is_of_rows_at_hand(self) -> bool:
        """A Prefetch finds what belongs to rows that were found; an Exists with an OuterRef asks about one."""
        for around in self.inside:
            if isinstance(around, ast.Call) and self._called(around.func) == "Prefetch":
                return True
            if isinstance(around, ast.Call) and self._called(around.func) == "Exists":
                return any(self._called(each) == "OuterRef" for each in ast.walk(around))
        return False

    def _is_annotation(self, node: ast.AST) -> bool:
        chain = [*self.inside, node]
        for above, below in pairwise(chain):
            if isinstance(above, ast.arg | ast.AnnAssign) and below is above.annotation:
                return True
            if isinstance(above, ast.FunctionDef) and below is above.returns:
                return True
            if isinstance(above, ast.ClassDef) and below in above.bases:
                return True
            if isinstance(above, ast.Subscript) and below is above.slice:
                return True
        return False

    def _note(self, node: ast.AST, what: str) -> None:
        functions = [each.name for each in self.inside if isinstance(each, ast.FunctionDef)]
        self.found.append((functions[0] if functions else "", getattr(node, "lineno", 0), what))


def queries_in(code: str) -> list[tuple[str, int, str]]:
    reader = Reader(owned())
    reader.visit(ast.parse(code))
    return reader.found


def strays() -> Iterator[tuple[str, str, int, str]]:
    for door in DOORS:
        for path in sorted((SOURCE / door).rglob("*.py")):
            name = path.relative_to(SOURCE).as_posix()
            if "/migrations/" not in name and path.name != "models.py":
                for function, line, what in queries_in(path.read_text()):
                    yield name, function, line, what


def test_it_queries_nothing_but_within_a_workspace() -> None:
    assert [stray for stray in strays() if stray[:2] not in ALLOWED] == []


def test_it_allows_nothing_that_is_not_there() -> None:
    assert set(ALLOWED) - {stray[:2] for stray in strays()} == set()


@pytest.mark.parametrize(
    "code",
    [
        "Call.objects.filter(workspace=workspace)",
        "Call.objects.all()",
        "Call._default_manager.get(pk=pk)",
        "find(Call, 'id = %s', [pk])",
        "connection.cursor()",
        "django.db.connection.cursor()",
        "apps.get_model('calls', 'Call')",
        "get_object_or_404(Call, pk=pk)",
        "model = Call",
        "Exists(FollowUp.objects.filter(pk=pk))",
        "Revision.objects.get(pk=pk)",
        "Call(external_id='c-1').save()",
        "from postcall.calls.models import Call as Rows",
        "from postcall.calls import models",
        "import postcall.calls.models",
    ],
)
def test_it_sees_a_query_of_everybodys_rows(code: str) -> None:
    assert queries_in(code) != []


@pytest.mark.parametrize(
    "code",
    [
        "within(workspace, Call).filter(pk=pk)",
        "visit.rows(Call)",
        "open_to(person, Call)",
        "Call.Status.DONE",
        "def shown(call: Call) -> QuerySet[Call]: ...",
        "Prefetch('attempts', Attempt.objects.order_by('number'))",
        "Exists(FollowUp.objects.filter(call=OuterRef('pk')))",
        "IdempotentRequest(workspace=workspace, key=key)",
    ],
)
def test_it_passes_what_is_a_workspaces(code: str) -> None:
    assert queries_in(code) == []
