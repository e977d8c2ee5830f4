"""A provider that keeps files and works batches off: the stand-in's side of ``/v1/files`` and ``/v1/batches``."""

import itertools
import json
from typing import Any

from support import replies
from support.standin import Received, Reply

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


class FilingCabinet:
    """Answers as OpenAI does. Give `answer` to a stand-in."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.heard: list[str] = []
        self._numbers = itertools.count(1)

    def answer(self, received: Received) -> Reply:
        """Reply to one request."""
        self.heard.append(f"{received.method} {received.path}")
        parts = received.path.partition("?")[0].removeprefix("/v1/").split("/")
        if parts[0] not in {"files", "batches"}:
            return replies.answer(received)
        reply = self._files(received, parts[1:]) if parts[0] == "files" else self._batches(received, parts[1:])
        return (
            Reply([json.dumps({"error": {"message": "No such object."}}).encode()], status=404)
            if reply is None
            else reply
        )

    def results(self, *models: str, output: dict[str, Any] | None = None) -> bytes:
        """A file of results: one answer for each model, and one refusal."""
        rows = [{"status_code": 200, "body": output or {"model": model, "usage": USAGE}} for model in models]
        rows.append({"status_code": 400, "body": {"error": {"message": "no"}}})
        return b"\n".join(json.dumps({"custom_id": "a", "response": row, "error": None}).encode() for row in rows)

    def finish(self, batch_id: str, results: bytes) -> str:
        """The batch is done; the id of the file of its results."""
        file_id = f"file-out-{next(self._numbers)}"
        self.files[file_id] = results
        self.batches[batch_id] |= {"status": "completed", "output_file_id": file_id}
        return file_id

    def _files(self, received: Received, path: list[str]) -> Reply | None:
        if received.method == "POST":
            file_id = f"file-{next(self._numbers)}"
            self.files[file_id] = dict(received.parts)["file"]
            return self._file(file_id)
        if path[0] not in self.files:
            return None
        if path[1:] == ["content"]:
            return Reply([self.files[path[0]]], headers=(("content-type", "application/octet-stream"),))
        if received.method == "DELETE":
            del self.files[path[0]]
            return Reply([json.dumps({"id": path[0], "object": "file", "deleted": True}).encode()])
        return self._file(path[0])

    def _file(self, file_id: str) -> Reply:
        told = {"id": file_id, "object": "file", "bytes": len(self.files[file_id]), "created_at": 1_790_000_000}
        return Reply([json.dumps(told | {"filename": "a.jsonl", "purpose": "batch", "status": "processed"}).encode()])

    def _batches(self, received: Received, path: list[str]) -> Reply | None:
        if not path:
            batch_id = f"batch_{next(self._numbers)}"
            self.batches[batch_id] = received.json | {
                "id": batch_id,
                "object": "batch",
                "status": "in_progress",
                "created_at": 1_790_000_000,
            }
        elif path[0] not in self.batches:
            return None
        else:
            batch_id = path[0]
        if path[1:] == ["cancel"]:
            self.batches[batch_id]["status"] = "cancelling"
        return Reply([json.dumps(self.batches[batch_id]).encode()])
