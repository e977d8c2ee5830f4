"""Cohere's chat API, version 2. Pure: no I/O.

Source: https://docs.cohere.com/reference/chat and https://docs.cohere.com/reference/chat-stream.
"""
