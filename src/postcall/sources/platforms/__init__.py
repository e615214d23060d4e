"""One module a voice platform."""
