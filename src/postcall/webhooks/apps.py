from django.apps import AppConfig


class Webhooks(AppConfig):
    name = "postcall.webhooks"
