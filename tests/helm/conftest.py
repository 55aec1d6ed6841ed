"""What the chart's tests may ask for: two helms, and what checks objects as Kubernetes and operators do."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.broker.launcher.java import MissingToolError
from tests.conftest import launched
from tests.helm.tools import NEWEST, OLDEST, Helm, Release
from tests.helm.tools import helm as helm_of
from tests.helm.tools import kubectl as kubectl_there


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The newest helm."""
    return _had(NEWEST)


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """A kubectl, for what it does without a cluster."""
    return launched(kubectl_there)


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
    return launched(lambda: helm_of(release))


def _imported(name: str) -> ModuleType:
    def there() -> ModuleType:
        try:
            return importlib.import_module(name)
        except ImportError:
            raise MissingToolError(f"{name} is not installed: make helm") from None

    return launched(there)
