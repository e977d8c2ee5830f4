import pytest

from tollway.providers.registry import REGISTRY
from tollway.providers.sign_in import libraries
from tollway.providers.sign_in.libraries import LIBRARIES, missing_library


@pytest.mark.parametrize(
    ("kind", "sign_in", "cloud"),
    [
        ("vertex", "credential", "google"),
        ("bedrock", "ambient", "aws"),
        ("bedrock", "credential", None),
        ("azure", "ambient", "azure"),
        ("azure", "credential", None),
        ("groq", "credential", None),
    ],
)
def test_the_extra_of_a_cloud_is_missed_where_its_sign_in_needs_it(
    kind: str, sign_in: str, cloud: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"sign_in": sign_in}
    assert missing_library(REGISTRY[kind], options) is None  # the tests' machine has them all
    monkeypatch.setattr(libraries, "LIBRARIES", dict.fromkeys(LIBRARIES, "no_such.library"))
    assert missing_library(REGISTRY[kind], options) == cloud
