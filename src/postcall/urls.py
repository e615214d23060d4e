"""Every address of the web process."""

from django.urls import include, path

urlpatterns = [
    path("", include("postcall.api.urls")),
    path("", include("postcall.dashboard.urls")),
]
