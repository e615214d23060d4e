"""Every address for machines."""

from __future__ import annotations

from django.urls import path, re_path

from postcall.api import v2
from postcall.api.operations import healthz, metrics, readyz
from postcall.api.serving import api
from postcall.api.webhooks import source_webhook, twilio_inbound, twilio_status

urlpatterns = [
    path("api/v1/", api.urls),
    re_path(r"^v2/(?P<rest>.+)/$", v2.without_slash),
    path("v2/", v2.not_here),
    path("v2/", v2.api.urls),
    re_path(r"^v2/", v2.not_here),
    path("in/<str:kind>/<str:token>", source_webhook),
    path("twilio/status/<str:token>", twilio_status),
    path("twilio/inbound/<str:token>", twilio_inbound),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
