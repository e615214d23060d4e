"""Every address for machines."""

from __future__ import annotations

from django.urls import path

from postcall.api.operations import healthz, metrics, readyz
from postcall.api.serving import api
from postcall.api.webhooks import source_webhook, twilio_inbound, twilio_status

urlpatterns = [
    path("api/v1/", api.urls),
    path("in/<str:kind>/<str:token>", source_webhook),
    path("twilio/status/<str:token>", twilio_status),
    path("twilio/inbound/<str:token>", twilio_inbound),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
