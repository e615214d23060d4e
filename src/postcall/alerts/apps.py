from django.apps import AppConfig


class Alerts(AppConfig):
    name = "postcall.alerts"
