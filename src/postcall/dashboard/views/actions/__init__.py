"""Actions: the list, the editor, what was before, and which agents use them."""

from postcall.dashboard.views.actions.agents import agents
from postcall.dashboard.views.actions.editor import calls, create, one, preview
from postcall.dashboard.views.actions.history import revisions, use_again
from postcall.dashboard.views.actions.keeping import archive, duplicate, restore
from postcall.dashboard.views.actions.listing import every
from postcall.dashboard.views.actions.trying import try_out

__all__ = [
    "agents",
    "archive",
    "calls",
    "create",
    "duplicate",
    "every",
    "one",
    "preview",
    "restore",
    "revisions",
    "try_out",
    "use_again",
]
