"""What the requests in a batch's file name at the provider, line by line: the lines are requests like any other."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from tollway.errors import InvalidRequestError
from tollway.providers.named_objects import named_by_line
from tollway.routing.call import Named

NAMED_MAX = 50_000
"""Different objects in one file: as many as OpenAI takes requests."""


def named_in_lines(body: bytes, spans: Iterable[tuple[int, int]]) -> list[Named]:
    """The objects, each once. Slow; one line is read at a time.

    Args:
        body: the form that holds files.
        spans: where they begin and end.

    Raises:
        InvalidRequestError: a line is no request, or too many are named.
    """
    found: dict[tuple[str, str], Named] = {}
    for start, end in spans:
        for number, line in enumerate(_lines(body, start, end), 1):
            for each in _named(line, number):
                found.setdefault((each.kind, each.id), each)
            if len(found) > NAMED_MAX:
                raise InvalidRequestError(f"The file names more than {NAMED_MAX} files.", param="file")
    return [*found.values()]


def _lines(body: bytes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        found = body.find(b"\n", start, end)
        after = end if found < 0 else found
        yield body[start:after].strip()
        start = after + 1


def _named(line: bytes, number: int) -> Iterator[Named]:
    if not line:
        return
    try:
        for each in named_by_line(line):
            yield replace(each, param=f"file.{number}.{each.param}")
    except InvalidRequestError as error:
        raise InvalidRequestError(f"Line {number} of the file: {error.message}", param="file") from None
