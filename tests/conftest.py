"""What holds for every test: the same examples every time.

A run that fails today must fail tomorrow, so the examples are derived from the test and not from chance.
Whoever wants to search further says so: `HYPOTHESIS_PROFILE=search pytest tests/property`.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=100,
    # A slow machine is no reason for another result.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
