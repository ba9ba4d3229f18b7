"""Settings of the property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no failure: no deadline per example, and slow generation is accepted.
settings.register_profile("zdriver", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("zdriver")
