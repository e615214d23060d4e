"""One module a place; each view is a thin door onto a query or a verb."""
