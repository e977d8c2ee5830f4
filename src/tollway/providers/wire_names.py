"""Names of wire formats: the `source` of what only one of them knows (`tollway.chat.message`)."""

OPENAI = "openai"
"""Chat completions."""
RESPONSES = "responses"
ANTHROPIC = "anthropic"
GEMINI = "gemini"
BEDROCK = "bedrock"
COHERE = "cohere"
