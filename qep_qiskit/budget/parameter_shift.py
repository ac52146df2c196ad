"""Parameter shift: the gradient of another model, in which the angles of the circuit are trained.

This model has no Hamiltonian in equilibrium. The state is that of a circuit, its angles are the weights, and the cost
is measured in that state. Each rotation exp(-i theta P) of a Pauli string gives expectations that are sinusoids of 2
theta, so that

    d<A>/d(theta) = <A>(theta + pi/4) - <A>(theta - pi/4)

exactly (Mitarai et al. 2018, Phys. Rev. A 98, 032309). A parameter of several rotations has the sum of their
derivatives; every rotation is shifted separately. The method can be compared with equilibrium propagation in shots and
circuits for a gradient of equally many numbers, but not in its error, because the estimated gradients differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.baselines import shots_in_words
from qep_qiskit.budget.costs import request_parts
from qep_qiskit.core.checks import check_shots
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import MeasurementCoroutine, StateMoments, Usage, counted, measure
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates

_SHIFT = np.pi / 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AngleGradient:
    """Gradient of the mean cost of a batch with respect to the parameters of a circuit.

    Args:
        gradient: Shape (parameters,).
        variance: Shape (parameters,), due to shots, including those of the error signals; NaN where a single shot gives
            no estimate.
        usage: Total shots and bound circuits.
        evaluations: Number of evaluations of the batch: two for each rotation, and one for error signals.
    """

    gradient: NDArray[np.float64]
    variance: NDArray[np.float64]
    usage: Usage
    evaluations: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _LinearObservable:
    """Linear combination of the terms that is differentiated.

    Args:
        values: Shape (samples, terms).
        covariance: Shape (samples, terms, terms), due to the shots of the error signals.
        requests: Number of requests used.
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterShift:
    """The two-term parameter-shift rule for every rotation of a circuit.

    Args:
        shots: Shots per batch of an evaluation, or None for exact expectations.

    Raises:
        ConfigError: The shots are below one.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.from_operator(SparsePauliOp("ZI")))
        >>> program = qep.hardware_efficient(2, depth=0)
        >>> angles, key = np.array([[0.0, np.pi / 6, 0.0, 0.0]]), qep.RequestKey("demo", 0)
        >>> work = qep.ParameterShift(shots=None).estimate(problem, program, angles, np.zeros((1, 0)), key)
        >>> qep.run_measurements(work, qep.StatevectorExecutor(qep.Seeds(0)))[0].gradient.round(3)
        array([ 0. , -0.5,  0. ,  0. ])
    """

    shots: int | None

    def __post_init__(self) -> None:
        check_shots("shots", self.shots)

    @property
    def description(self) -> str:
        """The settings in words."""
        return f"parameter shift of a circuit's own angles, {shots_in_words(self.shots)} an evaluation"

    def estimate(
        self,
        hamiltonian: NudgedHamiltonian,
        program: LayerProgram,
        parameters: NDArray,
        targets: NDArray,
        key: RequestKey,
    ) -> MeasurementCoroutine[AngleGradient]:
        """Return the gradient of the mean cost in the states of the circuit.

        With a loss on expectations the error signals are measured first, in a separate request, so that their noise is
        independent of that of the shifted expectations.

        Args:
            hamiltonian: Network and cost; only the cost and its groups are used.
            program: The circuit.
            parameters: Shape (samples, parameters), radians; rows are equal unless inputs enter the circuit.
            targets: Shape (samples, targets).
            key: Key of the requests; their stages are counted from it.

        Raises:
            ConfigError: The circuit has no rotation with a parameter, or the parameters do not match it.
        """
        gates = _per_rotation(program)
        angles = gates.angles(_checked(program, parameters, targets))
        size = angles.shape[1]

        def measured(points: NDArray, stage: int) -> MeasurementCoroutine[StateMoments]:
            return measure(
                hamiltonian.groups,
                CircuitStates(program=gates.program, parameters=points),
                shape=(len(points), 1),
                phases={g: [0] for g in hamiltonian.cost_groups},
                shots=[self.shots] * len(hamiltonian.groups),
                key=replace(key, stage=key.stage + stage),
            )

        def work() -> MeasurementCoroutine[AngleGradient]:
            observable = yield from _observable(hamiltonian, targets, partial(measured, angles, 0))
            shifts = _SHIFT * np.concatenate([np.eye(size), -np.eye(size)])
            means, noise = [], []
            for number, part in enumerate(request_parts(hamiltonian, len(shifts), len(angles))):
                points = (angles[None] + shifts[part, None]).reshape(-1, size)
                moments = yield from measured(points, observable.requests + number)
                means.append(np.nan_to_num(moments.means[:, 0]).reshape(-1, *observable.values.shape))
                covariance = moments.covariance[:, 0].reshape(-1, *observable.covariance.shape)
                noise.append(np.einsum("st,pstu,su->p", observable.values, covariance, observable.values))
            slopes = gates.chained(_of_pairs(np.concatenate(means), -1.0), 1)
            by_observable = np.einsum("pst,stu,psu->p", slopes, observable.covariance, slopes)
            by_shifted = gates.chained(_of_pairs(np.concatenate(noise), 1.0), 2)
            return AngleGradient(
                gradient=np.einsum("st,pst->p", observable.values, slopes) / len(angles),
                variance=(by_shifted + by_observable) / len(angles) ** 2,
                usage=Usage(),
                evaluations=len(shifts) + observable.requests,
            )

        found, usage = yield from counted(work())
        return replace(found, usage=usage)


def _observable(
    hamiltonian: NudgedHamiltonian, targets: NDArray, measured: Callable[[], MeasurementCoroutine[StateMoments]]
) -> MeasurementCoroutine[_LinearObservable]:
    """Return what is differentiated; with a loss on expectations its error signals are measured."""
    if not hamiltonian.cost.has_signals:
        values = hamiltonian.nudge(targets)
        return _LinearObservable(values=values, covariance=np.zeros((*values.shape, values.shape[1])), requests=0)
    moments = yield from measured()
    outputs = hamiltonian.outputs(np.nan_to_num(moments.means[:, 0]))
    values, slope = hamiltonian.nudge(targets, outputs), hamiltonian.nudge_slope(targets, outputs)
    assert slope is not None
    return _LinearObservable(values=values, covariance=slope @ moments.covariance[:, 0] @ slope, requests=1)


def exact_angle_gradient(
    hamiltonian: NudgedHamiltonian, program: LayerProgram, parameters: NDArray, targets: NDArray
) -> NDArray[np.float64]:
    """Return the exact gradient of the mean cost with respect to the parameters of a circuit, by the adjoint method.

    Args:
        hamiltonian: Network and cost; only the cost is used.
        program: The circuit.
        parameters: Shape (samples, parameters), radians.
        targets: Shape (samples, targets).

    Returns:
        Shape (parameters,).

    Raises:
        ConfigError: The circuit has no rotation with a parameter, or the parameters do not match it.
    """
    parameters = _checked(program, parameters, targets)
    outputs = None
    if hamiltonian.cost.has_signals:
        states = evolve(program, parameters)
        means = np.concatenate([group.expectations(states) for group in hamiltonian.groups], axis=1)
        outputs = hamiltonian.outputs(means)
    observable = hamiltonian.nudge(targets, outputs)
    return energy_and_gradient(program, parameters, hamiltonian.groups, observable)[1].mean(axis=0)


@dataclass(frozen=True, eq=False)
class _PerRotation:
    """A program with a separate parameter for every parametrised rotation.

    Args:
        program: Its parameters are the angles theta of the rotations exp(-i theta P).
        source: Shape (rotations,), index of the original parameter of each rotation.
        scale: Shape (rotations,), factor on the original parameter.
        offset: Shape (rotations,), constant part of the angle in radians.
        num_parameters: Number of original parameters.
    """

    program: LayerProgram
    source: NDArray[np.int64]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    num_parameters: int

    def angles(self, parameters: NDArray) -> NDArray[np.float64]:
        """Return the angles of the rotations, shape (samples, rotations)."""
        return self.scale * parameters[:, self.source] + self.offset

    def chained(self, by_angle: NDArray, power: int) -> NDArray[np.float64]:
        """Return the sum over the rotations of each parameter, by the chain rule.

        Args:
            by_angle: Shape (rotations, ...).
            power: Power of the factors of the rotations: 1 for means, 2 for variances.

        Returns:
            Shape (parameters, ...).
        """
        rule = np.zeros((self.num_parameters, len(self.source)))
        rule[self.source, np.arange(len(self.source))] = self.scale**power
        return np.tensordot(rule, by_angle, axes=1)


def _of_pairs(shifted: NDArray, sign: float) -> NDArray:
    """Return the values at positive shifts plus `sign` times those at negative shifts.

    All positive shifts come first.
    """
    up, down = np.split(shifted, 2)
    return up + sign * down


@lru_cache(maxsize=32)
def _per_rotation(program: LayerProgram) -> _PerRotation:
    """Return the program with one parameter per rotation, cached so that executors recognise it."""
    layers: list[Layer | CxLayer] = []
    tables = []
    count = 0
    for layer in program.layers:
        if not isinstance(layer, Layer):
            layers.append(layer)
            continue
        driven = (layer.source >= 0) & (layer.scale != 0.0)
        source = np.full(len(driven), -1)
        source[driven] = np.arange(count, count + driven.sum())
        count += int(driven.sum())
        offset = np.where(driven, 0.0, layer.offset)
        layers.append(Layer(group=layer.group, source=source, scale=driven.astype(float), offset=offset))
        tables.append((layer.source[driven], layer.scale[driven], layer.offset[driven]))
    names = tuple(f"g{index}" for index in range(count))
    source, scale, offset = (np.concatenate(column) for column in zip(*tables, strict=True))
    return _PerRotation(
        program=replace(program, layers=tuple(layers), parameter_names=names),
        source=source,
        scale=scale,
        offset=offset,
        num_parameters=program.num_parameters,
    )


def _checked(program: LayerProgram, parameters: NDArray, targets: NDArray) -> NDArray[np.float64]:
    wanted = (len(targets), program.num_parameters)
    if np.shape(parameters) != wanted:
        raise ConfigError(f"parameter shift: expected parameters of shape {wanted}, got {np.shape(parameters)}")
    if all(source < 0 or scale == 0.0 for _, _, source, scale, _ in program.rotations()):
        raise ConfigError("parameter shift: the circuit has no rotation with a parameter, so there is nothing to shift")
    return np.asarray(parameters, dtype=float)
