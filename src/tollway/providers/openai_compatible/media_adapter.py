"""Pictures, speech and sound towards a provider that speaks the OpenAI dialect: bytes pass, files included."""

from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer, UpstreamRequest
from tollway.providers.address import url_of
from tollway.providers.auth import auth_headers
from tollway.providers.openai_compatible import request
from tollway.providers.openai_compatible.adapter import OpenAIAdapter
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.openai_compatible.image_meter import ImageMeter
from tollway.providers.openai_compatible.media_stream import MediaStreamReader
from tollway.providers.openai_compatible.meter import Meter
from tollway.providers.openai_compatible.speech_meter import SpeechMeter
from tollway.providers.openai_compatible.transcription_meter import TranscriptionMeter
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment

_IMAGES, _HEARD = ImageMeter(), TranscriptionMeter()
METERS: dict[str, Meter] = {
    "images": _IMAGES,
    "image_edits": _IMAGES,
    "image_variations": _IMAGES,
    "speech": SpeechMeter(),
    "transcriptions": _HEARD,
    "translations": _HEARD,
}
"""Surface → how it is counted."""
_WITH_TEXTS = frozenset({"transcriptions", "translations"})


class MediaAdapter(OpenAIAdapter):
    """Passes one request on."""

    def __init__(self, meter: Meter, call: Call, model: str) -> None:
        """Args: meter: counts; call: the request; model: its name at the provider."""
        self._meter = meter
        self._call = call
        self._model = model

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:  # noqa: ARG002 -- an adapter's
        """See `Adapter.bound`."""
        return self._meter.bound(call, model=model)

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:  # noqa: ARG002 -- nothing to count
        """See `Adapter.count`."""
        return None

    def build_request(
        self,
        call: Call,
        *,
        surface: Surface,
        deployment: Deployment,
        spec: ProviderSpec,
        model: str,
        output_tokens: int = 0,  # noqa: ARG002 -- no field bounds it
    ) -> UpstreamRequest:
        """The caller's bytes but for the model."""
        content_type = "application/json" if call.form is None else call.form.content_type
        headers = {"content-type": content_type, "accept-encoding": "identity"}
        headers |= auth_headers(spec.auth_for(deployment), deployment)
        return UpstreamRequest(
            url=url_of(deployment, spec, surface.upstream_path, model), headers=headers, body=_body(call, model)
        )

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """See `Adapter.parse_reply`."""
        if not self._meter.is_reply(self._call, body):
            return None
        return Answer(usage=self._meter.usage(self._call, body, spec=spec, model=self._model))

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> MediaStreamReader:
        """See `Adapter.stream_reader`."""
        return MediaStreamReader(
            self._meter.ends, lambda event: self._meter.usage(call, event, spec=spec, model=self._model)
        )

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """See `Adapter.estimate`."""
        return self._meter.estimate(call, delivered, model=self._model)

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`."""
        return [body.decode(errors="replace")] if self._call.surface in _WITH_TEXTS else []


def _body(call: Call, model: str) -> bytes:
    """The body to send; of a form only the bytes of the model's name are others."""
    if call.form is None:
        return request.build_body(call, model=model, ask_for_usage=False)
    start, end = call.form.model_at
    return b"%b%b%b" % (call.body[:start], model.encode(), call.body[end:])
