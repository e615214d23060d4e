"""The dashboard's addresses. Every state of a page has one; the workspace is a part of it."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from postcall.dashboard.icons import icons
from postcall.dashboard.signing_in import SignIn, SignOut
from postcall.dashboard.views import (
    actions,
    calls,
    follow_ups,
    go,
    messages,
    opt_outs,
    overview,
    review,
    settings,
    why,
    workspaces,
)
from postcall.dashboard.views.agents import attachments
from postcall.dashboard.views.agents import pages as agents
from postcall.dashboard.views.agents import setup as agent_setup
from postcall.dashboard.views.agents import unknown as unknown_agents
from postcall.dashboard.views.settings import platforms, rules, twilio

_workspace: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("live", overview.live, name="overview-live"),
    path("calls", calls.log, name="calls"),
    path("calls/why", why.why, name="why"),
    path("calls/live", calls.live, name="calls-live"),
    path("calls/<uuid:call_id>", calls.call, name="call"),
    path("calls/<uuid:call_id>/live", calls.call_live, name="call-live"),
    path("calls/<uuid:call_id>/raw", calls.raw, name="call-raw"),
    path("calls/<uuid:call_id>/judge-again", calls.judge_again, name="judge-again"),
    path("follow-ups/<uuid:follow_up_id>", follow_ups.card, name="follow-up-card"),
    path("follow-ups/<uuid:follow_up_id>/approve", follow_ups.approve, name="approve"),
    path("follow-ups/<uuid:follow_up_id>/reject", follow_ups.reject, name="reject"),
    path("follow-ups/<uuid:follow_up_id>/feedback", follow_ups.feedback, name="feedback"),
    path("review", review.review, name="review"),
    path("review/decide", review.decide, name="review-decide"),
    path("messages", messages.log, name="messages"),
    path("messages/<uuid:message_id>/resend", messages.resend, name="resend"),
    path("messages/<uuid:message_id>/cancel", messages.cancel, name="cancel"),
    path("actions", actions.every, name="actions"),
    path("actions/create", actions.create, name="action-create"),
    path("actions/preview", actions.preview, name="action-preview"),
    path("actions/calls", actions.calls, name="action-calls"),
    path("actions/try", actions.try_out, name="action-try"),
    path("actions/<uuid:action_id>", actions.one, name="action"),
    path("actions/<uuid:action_id>/agents", actions.agents, name="action-agents"),
    path("actions/<uuid:action_id>/revisions", actions.revisions, name="action-revisions"),
    path("actions/<uuid:action_id>/revisions/<int:number>/use", actions.use_again, name="action-use-again"),
    path("actions/<uuid:action_id>/duplicate", actions.duplicate, name="action-duplicate"),
    path("actions/<uuid:action_id>/archive", actions.archive, name="action-archive"),
    path("actions/<uuid:action_id>/restore", actions.restore, name="action-restore"),
    path("agents", agents.every, name="agents"),
    path("agents/new", agent_setup.new, name="agent-new"),
    path("agents/create", agent_setup.create, name="agent-create"),
    path("agents/unknown", unknown_agents.every, name="unknown-agents"),
    path("agents/unknown/adopt", unknown_agents.adopt, name="adopt-agent"),
    path("agents/<uuid:agent_id>", agents.summary, name="agent"),
    path("agents/<uuid:agent_id>/actions", attachments.actions, name="agent-actions"),
    path("agents/<uuid:agent_id>/attach", attachments.attach, name="attach"),
    path("agents/<uuid:agent_id>/attachments/<uuid:attachment_id>", attachments.change, name="attachment-change"),
    path("agents/<uuid:agent_id>/attachments/<uuid:attachment_id>/detach", attachments.detach, name="detach"),
    path("agents/<uuid:agent_id>/calls", agents.calls, name="agent-calls"),
    path("agents/<uuid:agent_id>/setup", agent_setup.setup, name="agent-setup"),
    path("agents/<uuid:agent_id>/change", agent_setup.change, name="agent-change"),
    path("agents/<uuid:agent_id>/delete", agent_setup.delete, name="agent-delete"),
    path("block", opt_outs.block, name="block"),
    path("settings/opt-outs", opt_outs.opt_outs, name="opt-outs"),
    path("settings/opt-outs/add", opt_outs.add, name="opt-out-add"),
    path("settings/opt-outs/take-back", opt_outs.take_back, name="opt-out-take-back"),
    path("go", go.go, name="go"),
    path("settings", settings.first, name="settings"),
    path("settings/twilio", twilio.twilio, name="settings-twilio"),
    path("settings/twilio/choose", twilio.choose, name="twilio-choose"),
    path("settings/twilio/recheck", twilio.recheck, name="recheck"),
    path("settings/platforms", platforms.platforms, name="settings-platforms"),
    path("settings/rules", rules.rules, name="settings-rules"),
    path("settings/rules/save", rules.save, name="settings-rules-save"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", workspaces.home, name="home"),
    path("favicon.ico", RedirectView.as_view(url=static("dashboard/icon.svg"))),
    path("icons.svg", icons, name="icons"),
    path("sign-in", SignIn.as_view(), name="sign-in"),
    path("sign-out", SignOut.as_view(), name="sign-out"),
    path("calls/<uuid:call_id>", workspaces.call, name="any-call"),
    path("<str:place>", workspaces.place, name="place"),
    path("w/<uuid:workspace_id>/", include(_workspace)),
]
