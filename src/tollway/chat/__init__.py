"""The one internal form of a conversation with a model: every dialect and every provider's format meets here. Pure."""
