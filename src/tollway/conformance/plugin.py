"""The pytest plugin: makes failures of the suite as telling as those of a test module."""

import pytest

pytest.register_assert_rewrite("tollway.conformance.suite")
