from django.apps import AppConfig


class Messages(AppConfig):
    name = "postcall.messages"
    label = "postcall_messages"  # django.contrib.messages took the short one
