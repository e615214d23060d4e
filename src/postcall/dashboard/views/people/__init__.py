"""People: how they come in, what they may do, and what is theirs."""
