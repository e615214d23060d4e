"""The right text message after a phone call with an AI voice agent."""
