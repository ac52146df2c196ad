"""Samplers of D-Wave's Ocean tools by name: offline annealers, and D-Wave's own through its client.

Every sampler is used through the interface of dimod alone. Nothing here asks D-Wave's service before the first sample
of a sampler that was named ``dwave``; its client reads the token from the environment or from its own file.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from qep_qiskit.core.errors import ConfigError, DeviceError, QepError, ResourceError, UnavailableError
from qep_qiskit.core.limits import one_of

ALL_STATES = "exact"
"""Name of the sampler that lists all states."""
OFFLINE = {
    "simulated_annealing": ("dwave.samplers", "SimulatedAnnealingSampler"),
    "path_integral": ("dwave.samplers", "PathIntegralAnnealingSampler"),
    "steepest_descent": ("dwave.samplers", "SteepestDescentSampler"),
    ALL_STATES: ("dimod", "ExactSolver"),
}
"""Module and class of every sampler that runs on this machine."""
DWAVE = "dwave"
"""Name of D-Wave's annealers; ``dwave:NAME`` is one of them."""
_TOKEN = "DWAVE_API_TOKEN"


class IsingSampler(Protocol):
    """What is used of a sampler of dimod."""

    @property
    def parameters(self) -> Any:
        """Names of the options of a sample."""

    def sample(self, bqm: Any, **options: Any) -> Any:
        """Return a sample set of a binary quadratic model."""


def is_sampler_name(name: str) -> bool:
    """Return whether a sampler of this name is known."""
    return name in OFFLINE or name == DWAVE or (name.startswith(f"{DWAVE}:") and len(name) > len(DWAVE) + 1)


def is_offline(name: str) -> bool:
    """Return whether the sampler of a name runs on this machine."""
    return name in OFFLINE


def require_ocean() -> Any:
    """Return dimod.

    Raises:
        ResourceError: It is not installed, or dwave-samplers is not.
    """
    try:
        importlib.import_module("dwave.samplers")
        return importlib.import_module("dimod")
    except ImportError:
        raise ResourceError(
            "execution.backend: 'ocean:...' needs dimod and dwave-samplers; install with pip install "
            "'qep_qiskit[ocean]'"
        ) from None


@lru_cache(maxsize=8)
def offline_sampler(name: str) -> IsingSampler:
    """Return a sampler that runs on this machine; it is made once.

    Args:
        name: One of `OFFLINE`.

    Raises:
        ConfigError: There is none of this name.
        ResourceError: Ocean is not installed.
    """
    if name not in OFFLINE:
        raise ConfigError(f"sampler: expected {one_of(OFFLINE)}, got '{name}'")
    require_ocean()
    module, made = OFFLINE[name]
    found: IsingSampler = getattr(importlib.import_module(module), made)()
    return found


def dwave_sampler(name: str, *, most_seconds: float, **options: Any) -> MeteredSampler:
    """Return one of D-Wave's annealers, behind an embedding that is searched once.

    Args:
        name: ``dwave``, any annealer of the account, or ``dwave:NAME``.
        most_seconds: Limit on the QPU seconds of this process.
        options: Arguments of `DWaveSampler`, such as ``region``.

    Raises:
        ConfigError: A token is among the options.
        ResourceError: D-Wave's client is not installed.
        DeviceError: There is no token, or the service does not accept it.
        UnavailableError: The service cannot be reached.
    """
    if "token" in options:
        raise ConfigError(
            f"backend_options: a token would be stored in the run folder; leave it out, and set {_TOKEN} or run "
            "'dwave config create'"
        )
    require_ocean()
    try:
        system = importlib.import_module("dwave.system")
        cloud = importlib.import_module("dwave.cloud")
    except ImportError:
        raise ResourceError(
            f"execution.backend: 'ocean:{name}' needs D-Wave's client; install with pip install dwave-system"
        ) from None
    if not _has_token(cloud):
        raise DeviceError(
            f"execution.backend: there is no token for D-Wave's service on this machine; set {_TOKEN}, or run 'dwave "
            "config create'"
        )
    _, _, solver = name.partition(":")
    chosen = {"solver": solver} if solver else {}
    try:
        device = system.DWaveSampler(**chosen, **options)
    except Exception as error:  # the client raises errors of many kinds
        raise _refusal(f"ocean:{name}", error) from None
    return MeteredSampler(system.LazyFixedEmbeddingComposite(device), f"ocean:{name}", most_seconds)


def _has_token(cloud: Any) -> bool:
    """Return whether D-Wave's client finds a token; its value goes nowhere else."""
    if os.environ.get(_TOKEN):
        return True
    try:
        return bool(cloud.config.load_config().get("token"))
    except Exception:  # an unreadable file
        return False


def _refusal(backend: str, error: Exception) -> QepError:
    """Return an error of D-Wave's client as one line; its text may hold the token, so it is left out."""
    kind = type(error).__name__
    if "Authentication" in kind:
        return DeviceError(f"execution.backend: D-Wave's service refuses the token ({kind}); check it")
    if "NotFound" in kind:
        return DeviceError(f"execution.backend: the account has no annealer '{backend}' ({kind})")
    return UnavailableError(
        f"execution.backend: '{backend}' cannot be used ({kind}); check the network, or try later with qep resume"
    )


@dataclass(slots=True)
class MeteredSampler:
    """Stop before a device has used more time than it may, and put its errors in one line.

    Args:
        sampler: The sampler.
        name: Its name, for messages.
        most_seconds: Limit on its QPU seconds.

    Attributes:
        seconds: QPU seconds used so far.
    """

    sampler: IsingSampler
    name: str
    most_seconds: float
    seconds: float = field(default=0.0, init=False)

    @property
    def parameters(self) -> Any:
        """Names of the options of a sample."""
        return self.sampler.parameters

    def sample(self, bqm: Any, **options: Any) -> Any:
        """Return a sample set.

        Raises:
            ResourceError: The limit is reached.
            UnavailableError: The device fails.
        """
        if self.seconds >= self.most_seconds:
            raise ResourceError(
                f"execution.max_qpu_seconds: '{self.name}' has used {self.seconds:.1f} s, and {self.most_seconds:g} s "
                "is the limit; raise it to continue with qep resume"
            )
        try:
            found = self.sampler.sample(bqm, **options)
            found.resolve()
        except Exception as error:  # the client raises errors of many kinds
            raise _refusal(self.name, error) from None
        self.seconds += 1e-6 * float(found.info.get("timing", {}).get("qpu_access_time", 0.0))
        return found
