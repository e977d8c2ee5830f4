"""The demo model's own process: llama.cpp with its OpenAI-compatible server on loopback.

Run as ``python -m tollway.supervisor.local_model_server`` by `tollway.supervisor.local_model`, with the variables named
there. A crash of llama.cpp ends this process and nothing else.
"""

import os
import signal
import sys
from pathlib import Path

import xllamacpp

_PARALLEL_REQUESTS = 2
_PROMPT_CACHE_MIB = 64
"""llama.cpp would take up to 8 GiB."""
_TEMPERATURE = 0.2
"""Where the caller names none: a small model wanders at the usual 0.8."""


def start(model: Path, *, name: str, port: int, api_key: str, threads: int, context_tokens: int) -> "xllamacpp.Server":
    """Load the model and listen on 127.0.0.1; returns once requests are answered."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.api_keys = [api_key]
    params.n_ctx = context_tokens
    params.n_parallel = _PARALLEL_REQUESTS
    params.kv_unified = True  # any one request may use the whole context
    params.cpuparams.n_threads = threads
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.sampling.temp = _TEMPERATURE
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = -1
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until a signal ends the process."""
    server = start(
        Path(os.environ["LOCAL_MODEL_PATH"]),
        name=os.environ["LOCAL_MODEL_NAME"],
        port=int(os.environ["LOCAL_MODEL_PORT"]),
        api_key=os.environ["LOCAL_MODEL_KEY"],
        threads=int(os.environ["LOCAL_MODEL_THREADS"]),
        context_tokens=int(os.environ["LOCAL_MODEL_CONTEXT_TOKENS"]),
    )
    if not server.listening_address.endswith(f":{os.environ['LOCAL_MODEL_PORT']}"):
        sys.exit(f"listening on {server.listening_address} instead: the port is taken")  # and started again
    os.write(int(os.environ["TOLLWAY_READY_FD"]), f"{server.listening_address}\n".encode())
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
