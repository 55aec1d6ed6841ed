"""What the chart's tests may ask for: two helms, and what checks objects as Kubernetes and operators do."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest

from tests.broker.launcher.java import MissingToolError
from tests.helm.tools import NEWEST, OLDEST, Helm, Release
from tests.helm.tools import helm as helm_of


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The newest helm."""
    return _had(NEWEST)


@pytest.fixture(scope="session", params=[NEWEST, OLDEST], ids=lambda release: release.version)
def each_helm(request: pytest.FixtureRequest) -> Helm:
    """The newest and the oldest helm in turn."""
    return _had(request.param)


@pytest.fixture(scope="session")
def kubernetes() -> ModuleType:
    """kubernetes-validate: the schemas of Kubernetes' own objects."""
    return _imported("kubernetes_validate")


@pytest.fixture(scope="session")
def operators() -> dict[str, ModuleType]:
    """The custom resources of the Prometheus operator and KEDA as models, by their apiVersion."""
    return {
        "monitoring.coreos.com/v1": _imported("cloudcoil.models.prometheus_operator.v1"),
        "keda.sh/v1alpha1": _imported("cloudcoil.models.keda.v1alpha1"),
    }


def _had(release: Release) -> Helm:
    try:
        return helm_of(release)
    except MissingToolError as missing:
        _not_proved(str(missing))


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        _not_proved(f"{name} is not installed: make helm")


def _not_proved(why: str) -> NoReturn:
    """Loud where a developer may not have it, a failure where CI must."""
    if os.environ.get("CI"):
        pytest.fail(f"NOT PROVED: {why}", pytrace=False)
    pytest.skip(f"NOT PROVED: {why}")
