"""All settings: what they are (`model`), what must hold between them (`checks`), how they are read (`load`,
from `yaml_file` and `environment`), and the pages made from them (`reference`)."""

from __future__ import annotations

from connector.settings.effective import describe, fingerprint, secret_values
from connector.settings.load import from_mapping, load, read, typed_options
from connector.settings.model import Settings
from connector.settings.problem import ConfigurationError, Problem
from connector.settings.secret import Secret

__all__ = [
    "ConfigurationError",
    "Problem",
    "Secret",
    "Settings",
    "describe",
    "fingerprint",
    "from_mapping",
    "load",
    "read",
    "secret_values",
    "typed_options",
]
