"""Refuse bodies above a limit, whether or not their length was announced. Pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.errors import BodyTooLargeError, HeadersTooLargeError


class RequestLimit:
    """Guards an application: raises from its `receive`, so that its own error handler renders the refusal.

    Args:
        app: the application.
        max_body_bytes: largest body.
        max_header_bytes: largest sum of header names and values.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, max_header_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_header_bytes = max_header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received_bytes = 0
        header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])

        async def limited() -> Message:
            nonlocal received_bytes
            if header_bytes > self._max_header_bytes:
                raise HeadersTooLargeError(
                    f"The request headers exceed {self._max_header_bytes} bytes.", next_step="Send fewer headers."
                )
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._max_body_bytes:
                raise BodyTooLargeError(f"The body exceeds {self._max_body_bytes} bytes.", next_step="Send less.")
            return message

        await self._app(scope, limited, send)
