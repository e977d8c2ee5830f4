"""The response cache: answers that may be given again, within one project."""
