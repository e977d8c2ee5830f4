"""Multipart forms: what is read of them, and that nothing of them changes but the model."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.forms import form_body
from tollway.api.dialects.openai import OpenAIDialect
from tollway.api.dialects.openai_form import PARTS_MAX, TEXT_MAX_BYTES
from tollway.api.inference.surfaces import SURFACES
from tollway.errors import InvalidRequestError, MalformedBodyError
from tollway.providers.openai_compatible.media_adapter import METERS, MediaAdapter
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment

SURFACE = SURFACES["/v1/audio/transcriptions"]
DEPLOYMENT = Deployment("p", "openai_compatible", "http://p/v1", "", "p")
GOOD = {"model": "p/whisper", "file": b"\x00sound", "user": "somebody", "language": "de"}
BOUNDARY = "a-boundary"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=?"
names = st.text("abcdefgh_", min_size=1).filter(lambda name: name not in {"model", "file", "metadata", "stream"})
boundaries = st.text(LETTERS, min_size=8, max_size=70)
awkward = st.sampled_from([b"\r\n--a-boundar", b"\r\n--", b"--a-bound--\r\n", b"\r", b"\r\n\r\n"])


def read(body: bytes, boundary: str = BOUNDARY) -> Call:
    content_type = f'multipart/form-data; boundary="{boundary}"'.encode()
    return OpenAIDialect().parse(body, surface=SURFACE, headers={b"content-type": content_type})


def sent(call: Call, model: str) -> bytes:
    adapter = MediaAdapter(METERS[call.surface], call, model)
    request = adapter.build_request(call, surface=SURFACE, deployment=DEPLOYMENT, spec=OPENAI_COMPATIBLE, model=model)
    assert call.form is not None
    assert request.headers["content-type"] == call.form.content_type
    return request.body


@given(
    fields=st.dictionaries(names, st.text(max_size=40) | st.binary(max_size=200) | awkward, max_size=5),
    sound=st.binary(max_size=2_000) | awkward,
    model=st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60),
    boundary=boundaries,
    place=st.integers(0, 6),
)
def test_every_byte_passes_but_for_the_model(
    fields: dict[str, str | bytes], sound: bytes, model: str, boundary: str, place: int
) -> None:
    rows: list[tuple[str, str | bytes]] = [*fields.items(), ("file", sound)]
    rows.insert(min(place, len(rows)), ("model", "p/whisper"))
    form = form_body(dict(rows), boundary)
    assume(form.count(f"--{boundary}".encode()) == len(rows) + 1)  # no client chooses one that is in its data
    call = read(form, boundary)
    assert (call.model, call.form is not None) == ("p/whisper", True)
    rows[rows.index(("model", "p/whisper"))] = ("model", model)
    assert sent(call, model) == form_body(dict(rows), boundary)
    files = call.form.files if call.form is not None else ()
    assert [name for name, _, _ in files] == [name for name, value in rows if isinstance(value, bytes)]
    assert [call.body[start:end] for name, start, end in files if name == "file"] == [sound]


def test_the_fields_are_read_and_the_files_are_no_text() -> None:
    call = read(form_body(GOOD | {"stream": "true"}, BOUNDARY))
    assert (call.model, call.user_tag, call.stream) == ("p/whisper", "somebody", True)
    assert call.text_bytes == len(call.body) - len(b"\x00sound")


def test_json_is_taken_at_the_same_surface() -> None:
    call = OpenAIDialect().parse(b'{"model": "p/m", "file": "x"}', surface=SURFACE, headers={})
    assert call.form is None


@pytest.mark.parametrize("name", ["model", "file"])
def test_what_is_required_must_be_there(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(form_body({key: value for key, value in GOOD.items() if key != name}, BOUNDARY))
    assert caught.value.param == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a form",
        form_body(GOOD, BOUNDARY)[:-20],
        form_body(GOOD, "another-boundary"),
        form_body({"model": "p/other"}, BOUNDARY)[: -len(BOUNDARY) - 6] + form_body(GOOD, BOUNDARY),
        form_body(GOOD, BOUNDARY).replace(b'name="user"', b"nameless"),
        form_body(GOOD, BOUNDARY).replace(b"somebody", b"\xff\xfe"),
        form_body(GOOD, BOUNDARY).replace(b'name="user"', b'name="user"\r\nContent-Transfer-Encoding: base64'),
        form_body(GOOD, BOUNDARY).replace(b'name="user"', b'name="model"'),
        form_body({f"f{number}": "" for number in range(PARTS_MAX)} | GOOD, BOUNDARY),
        form_body(GOOD | {"prompt": "x" * (TEXT_MAX_BYTES + 1)}, BOUNDARY),
    ],
    ids=["empty", "text", "cut", "boundary", "twice", "nameless", "latin", "base64", "two-models", "parts", "long"],
)
def test_a_form_that_cannot_be_read_in_one_way_only_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(body)


@pytest.mark.parametrize("content_type", [b"multipart/form-data", b"multipart/form-data; boundary=" + b"x" * 71])
def test_a_boundary_is_named(content_type: bytes) -> None:
    with pytest.raises(MalformedBodyError, match="boundary"):
        OpenAIDialect().parse(b"", surface=SURFACE, headers={b"content-type": content_type})


@given(st.binary(max_size=300))
def test_no_bytes_are_a_fault_of_ours(body: bytes) -> None:
    for each in (body, b"--a-boundary\r\n" + body, form_body(GOOD, BOUNDARY)[:40] + body):
        try:
            read(each)
        except InvalidRequestError:
            continue
