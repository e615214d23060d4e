from django.apps import AppConfig


class Sources(AppConfig):
    name = "postcall.sources"
