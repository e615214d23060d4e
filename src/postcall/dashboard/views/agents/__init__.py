"""The voice agents."""
