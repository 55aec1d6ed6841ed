"""Vendors: one folder each, and what all of them must hold."""

from __future__ import annotations

import pytest

# Subclassed by the vendors' tests and no test files themselves: pytest would leave their asserts without
# the values. Here, since it must be said before the first import of either, wherever that stands.
pytest.register_assert_rewrite("tests.vendors.conformance", "tests.vendors.golden")
