"""What the buttons do: each verb changes something and says so in the audit log, in one transaction."""
