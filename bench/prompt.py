"""The one request of the benchmark: a chat with a system prompt and a question, about 1 kB of JSON."""

import json

SYSTEM = (
    "You are the assistant of an operations team. Answer in at most three sentences, in plain English, without lists. "
    "Name no product. If you are not sure, say so. The team runs forty services on two continents, most of them in "
    "containers, behind one entrance that ends TLS and authenticates every caller. They know HTTP well and want the "
    "reason behind an answer more than the answer itself. Assume that they have read the manual."
)
QUESTION = (
    "We are writing the onboarding page for new colleagues and need one paragraph on what a reverse proxy is for. "
    "Last week somebody put one in front of the billing service and the callers' addresses vanished from its logs; "
    "another team lost the last bytes of long answers because the proxy had a shorter timeout than the service. "
    "What is a reverse proxy, what does it hide, and what should one think of before putting one in front of a service?"
)


def chat_body(model: str, *, stream: bool) -> bytes:
    """The request for a model, as the official SDK would send it."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    body: dict[str, object] = {"model": model, "messages": messages, "temperature": 0.2, "max_tokens": 256}
    return json.dumps(body | ({"stream": True} if stream else {}), separators=(",", ":")).encode()
