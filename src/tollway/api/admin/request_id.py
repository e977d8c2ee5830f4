"""Every answer carries ``x-request-id``: the caller's, if it is a UUIDv7, else a new one."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.ids import is_uuid7, uuid7

HEADER = "x-request-id"


def request_id(request: Request) -> str:
    """The id of this request; taken over from the caller, made up, or set by an outer middleware."""
    known = request.scope.setdefault("state", {})
    if "request_id" not in known:
        given = request.headers.get(HEADER, "")
        known["request_id"] = given if is_uuid7(given) else uuid7()
    value: str = known["request_id"]
    return value


class RequestId:
    """Puts the id into the state of the request and on the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = request_id(Request(scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = given
            await send(message)

        await self.app(scope, receive, send_with_id)
