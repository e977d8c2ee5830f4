"""The conformance suite of providers: what a wire format must keep, as a pytest plugin for whoever adds one.

Subclass `tollway.conformance.suite.ProviderConformance` in a test module; see docs/developer/extending.md.
"""
