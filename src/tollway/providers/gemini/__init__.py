"""Google's generateContent, as the Gemini API and Vertex AI speak it. Pure: no I/O.

Sources: https://ai.google.dev/api/generate-content and
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
"""
