"""Logs and metrics; redaction in one place."""
