"""The OpenAI wire format towards providers. Pure."""
