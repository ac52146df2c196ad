"""Optimisers by name: the BFGS of this package, and those of qiskit-algorithms through its `Minimizer` interface."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit.exceptions import MissingOptionalLibraryError, QiskitError

from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.preparation.lockstep import Evaluate

if TYPE_CHECKING:
    from qiskit_algorithms.optimizers import Optimizer


BFGS = "bfgs"
"""Name of the minimiser of this package, which works on a whole batch at once (`descend`)."""

# A decaying gain suits noise; these keep the angles of the previous epoch, which a new calibration would lose.
SPSA_DEFAULTS: dict[str, Any] = {"maxiter": 100, "learning_rate": 0.05, "perturbation": 0.1, "last_avg": 10}

# Finite differences over 1e-8 would measure shot noise only.
_STEP_OF_DIFFERENCES = {
    "adam": "noise_factor",
    "cg": "eps",
    "gradientdescent": "perturbation",
    "l_bfgs_b": "eps",
    "slsqp": "eps",
    "tnc": "eps",
}
_STEP_ABOVE_NOISE = 0.1
_SPSA = "spsa"
_EVALUATES_TOGETHER = (_SPSA, "qnspsa")
_NOT_OFFERED = {"Optimizer", "SciPyOptimizer", "SteppableOptimizer", "P_BFGS"}
_NOT_IN_A_FILE = {
    *("self", "kwargs", "fidelity", "options", "max_evals_grouped", "iprint"),
    *("callback", "termination_checker", "initial_hessian", "lse_solver"),
}
_COUNTS = ("maxiter", "maxfev", "maxfun")
_MOST_GROUPED = 1 << 20
_TRIAL_REQUESTS = 200

Optimum = tuple[NDArray, int]


@cache
def _classes() -> dict[str, type[Optimizer]]:
    """Return the optimiser classes by name; qiskit-algorithms is imported only when needed."""
    from qiskit_algorithms import optimizers

    from qep_qiskit.preparation.spsa import JointSPSA

    found = {}
    for name in optimizers.__all__:
        kind = getattr(optimizers, name)
        if inspect.isclass(kind) and issubclass(kind, optimizers.Optimizer) and name not in _NOT_OFFERED:
            found[name.lower()] = kind
    return found | {_SPSA: JointSPSA}


def optimizer_names() -> list[str]:
    """Return all names, including those that need optional packages."""
    return [BFGS, *sorted(_classes())]


def check_optimizer(name: str, options: Mapping[str, Any], *, simulated: bool) -> None:
    """Check that an optimiser is available and that its options are valid.

    Args:
        name: Name of the optimiser.
        options: Options of the optimiser.
        simulated: Whether energies come with exact gradients.

    Raises:
        ConfigError: The name or an option is unknown, a package is missing, or gradients are needed and there are none.
    """
    if name == BFGS:
        if not simulated:
            raise ConfigError(
                "optimizer: 'bfgs' needs exact gradients, which sampled energies do not give; use 'spsa', "
                "'nft', 'cobyla' or another that needs none, or energies = 'simulated'"
            )
        if options:
            raise ConfigError(
                f"options: 'bfgs' takes none, got {', '.join(options)}; it has preparation.tolerance and "
                "preparation.max_evaluations"
            )
        return
    nothing = partial(_build, fidelity=lambda one, other: np.ones(len(np.atleast_2d(one))))
    optimizer = nothing(name, options, simulated=simulated)
    if not simulated and optimizer.is_gradient_required:
        raise ConfigError(f"optimizer: '{name}' needs gradients, which sampled energies do not give")
    _try_out(name, options, simulated=simulated)


class _Enough(BaseException):
    """Raised to end a trial run."""


def _try_out(name: str, options: Mapping[str, Any], *, simulated: bool) -> None:
    """Run an optimiser on a quadratic function for a few evaluations, so that it rejects invalid options."""
    count = 0

    def evaluate(kind: str, content: Any) -> Any:
        nonlocal count
        count += 1
        if count > _TRIAL_REQUESTS:
            raise _Enough
        if kind == "fidelity":
            return np.exp(-((content[0] - content[1]) ** 2).sum(axis=1))
        points = np.atleast_2d(content)
        values = (points**2).sum(axis=1)
        return (float(values[0]), 2.0 * points[0]) if kind == "gradient" else values

    try:
        _, num_evaluations = minimising_work(name, options, np.array([0.5, -0.5]), simulated=simulated)(evaluate)
    except _Enough:
        return
    if not num_evaluations:
        raise ConfigError(f"options: '{name}' evaluates no energy with these; raise maxiter")


def _build(
    name: str, options: Mapping[str, Any], fidelity: Callable[[NDArray, NDArray], NDArray], *, simulated: bool
) -> Optimizer:
    if name not in _classes():
        nearest = difflib.get_close_matches(name, optimizer_names(), n=3, cutoff=0.0)
        raise ConfigError(
            f"optimizer: there is no '{name}'; the nearest names are {', '.join(nearest)} "
            f"(all: {', '.join(optimizer_names())})"
        )
    kind = _classes()[name]
    known = [key for key in inspect.signature(kind.__init__).parameters if key not in _NOT_IN_A_FILE]
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ConfigError(f"options: '{name}' has no '{unknown[0]}'; it takes {', '.join(known)}")
    _check_values(name, kind, options)
    settings = {**_defaults(name, simulated=simulated), **options}
    if "fidelity" in inspect.signature(kind.__init__).parameters:
        settings["fidelity"] = fidelity
    try:
        optimizer = kind(**settings)
    except MissingOptionalLibraryError as error:
        raise ConfigError(
            f"optimizer: '{name}' needs a package that is not installed: {_in_one_line(error)}"
        ) from error
    except (TypeError, ValueError, QiskitError) as error:
        raise ConfigError(f"options: '{name}' does not take these ({_in_one_line(error)})") from error
    if name == "l_bfgs_b":
        # The library passes on a printing option that SciPy deprecates and drops from 1.18 on.
        optimizer._options.pop("iprint", None)
    if name in _EVALUATES_TOGETHER or not optimizer.is_gradient_ignored:
        optimizer.set_max_evals_grouped(_MOST_GROUPED)
    return optimizer


def _defaults(name: str, *, simulated: bool) -> dict[str, Any]:
    """Return options in which this package differs from the defaults of qiskit-algorithms, which ignore shot noise."""
    if name == _SPSA:
        return SPSA_DEFAULTS
    if not simulated and name in _STEP_OF_DIFFERENCES:
        return {_STEP_OF_DIFFERENCES[name]: _STEP_ABOVE_NOISE}
    return {}


def _check_values(name: str, kind: type[Optimizer], options: Mapping[str, Any]) -> None:
    """Check that options are whole numbers where their default is one, and at least one for counts.

    Raises:
        ConfigError: An option has another value.
    """
    for key, value in options.items():
        default = inspect.signature(kind.__init__).parameters[key].default
        if isinstance(default, bool | int) and type(value) is not type(default):
            wanted = "true or false" if isinstance(default, bool) else "a whole number"
            raise ConfigError(f"options.{key}: '{name}' expects {wanted} here, got {value!r}")
        if key in _COUNTS and not (type(value) is int and value > 0):
            raise ConfigError(f"options.{key}: expected a whole number of at least 1, got {value!r}")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class _Objective:
    """The energy as a function of one optimiser; each call requests an evaluation and waits.

    Args:
        evaluate: Requests an evaluation and returns its result.
        name: Name of the optimiser, for messages.
        size: Number of parameters.
    """

    def __init__(self, evaluate: Evaluate, name: str, size: int) -> None:
        self.num_evaluations = 0
        self._evaluate, self._name, self._size = evaluate, name, size
        self._last: tuple[NDArray, float, NDArray] | None = None

    def energy(self, point: NDArray) -> float | NDArray:
        """Return the energy of one point, or of many in rows or concatenated."""
        points = np.asarray(point, dtype=float).reshape(-1, self._size)
        if not np.isfinite(points).all():
            raise ConfigError(
                f"optimizer '{self._name}' requests angles that are not finite; give it "
                "smaller steps in preparation.options, or choose another"
            )
        self.num_evaluations += len(points)
        values = self._evaluate("energy", points)
        return float(values[0]) if np.size(point) == self._size and np.ndim(point) == 1 else values

    def value(self, point: NDArray) -> float:
        """Return the energy of one point, and keep its gradient for `gradient`."""
        return self._with_gradient(point)[1]

    def gradient(self, point: NDArray) -> NDArray:
        """Return the gradient of one point, mostly already known from `value`."""
        return self._with_gradient(point)[2]

    def _with_gradient(self, point: NDArray) -> tuple[NDArray, float, NDArray]:
        if self._last is None or not np.array_equal(self._last[0], point):
            self.num_evaluations += 1
            self._last = (np.array(point), *self._evaluate("gradient", np.asarray(point, dtype=float)))
        return self._last

    def fidelity(self, one: NDArray, other: NDArray) -> NDArray:
        """Return |<one|other>|^2 of one pair of points, or of many in rows."""
        pair = np.atleast_2d(one), np.atleast_2d(other)
        self.num_evaluations += len(pair[0])
        found = self._evaluate("fidelity", pair)
        return found if np.ndim(one) == 2 else found[0]


def _what_is_used(optimizer: Optimizer, objective: _Objective) -> Callable[[NDArray], float | NDArray]:
    """Return the energy function without the final evaluation of SPSA, whose value is not used.

    Without blocking, that is the only point that SPSA evaluates by itself; all others come in pairs.
    """
    if not isinstance(optimizer, _classes()[_SPSA]) or optimizer.blocking:
        return objective.energy
    return lambda point: np.nan if np.ndim(point) == 1 else objective.energy(point)


def minimising_work(
    name: str, options: Mapping[str, Any], start: NDArray, *, simulated: bool
) -> Callable[[Evaluate], Optimum]:
    """Return one minimisation as a function for `run_in_lockstep`.

    It requests ``"energy"`` of points (n, parameters), with energies (n,) as the result; ``"gradient"`` of one point,
    with its energy and gradient; and ``"fidelity"`` of two arrays of points, with |<a|b>|^2, shape (n,).

    Args:
        name: Name of the optimiser.
        options: Options of the optimiser.
        start: Shape (parameters,), initial angles in radians.
        simulated: Whether gradients are available.

    Returns:
        A function whose result is the point found and the number of energies evaluated.
    """

    def work(evaluate: Evaluate) -> Optimum:
        objective = _Objective(evaluate, name, len(start))
        optimizer = _build(name, options, objective.fidelity, simulated=simulated)
        uses_gradient = simulated and not optimizer.is_gradient_ignored
        try:
            result = optimizer.minimize(
                fun=objective.value if uses_gradient else _what_is_used(optimizer, objective),
                x0=start.copy(),  # some write into it
                jac=objective.gradient if uses_gradient else None,
                bounds=[(-np.pi, np.pi)] * len(start) if optimizer.is_bounds_required else None,
            )
        except QepError:
            raise
        except Exception as error:  # other libraries raise what they like over their options
            raise ConfigError(
                f"optimizer '{name}' fails with these preparation.options "
                f"({type(error).__name__}: {_in_one_line(error)})"
            ) from error
        return np.asarray(result.x, dtype=float), objective.num_evaluations

    return work
