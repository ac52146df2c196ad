"""Neural ground states by variational Monte Carlo, and their linear response to a nudge (extra ``neural``).

A restricted Boltzmann machine with positive amplitudes is optimised by stochastic reconfiguration for every Hamiltonian
H. Its expectations are means over Markov chains, with standard errors from the scatter of independent chains. Contrasts
of two such states would be lost in the noise of both; the response in the tangent space of the free state
(`tangent_space`) takes one set of samples and is the derivative at beta = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Lt
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, ResourceError, UnconvergedError, UnconvergedWarning
from qep_qiskit.core.limits import Count, Positive, check_limits
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.operators import paulis_of
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.interface import SampledMeans
from qep_qiskit.outcomes.states import PreparedStates
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart
from qep_qiskit.preparation.linear_response import SampledResponse
from qep_qiskit.preparation.resolution import units_of
from qep_qiskit.preparation.sign_rule import RealStrings
from qep_qiskit.preparation.tangent_space import tangent_response

if TYPE_CHECKING:
    from qep_qiskit.preparation.boltzmann_machine import BoltzmannMachine, Strings

_WARM_START = "neural_parameters"
_BURN_IN = 30  # sweeps of all chains before the first sample
_STEPS_AT_ONCE = 10
_DESCENT_PART = 8  # a step of the descent takes a part of the samples
_SEEDS = 1 << 62
_NO_ENERGY = 1e-30


def require_neural() -> None:
    """Check that the packages of neural states are installed, without importing them.

    Raises:
        ResourceError: One is missing.
    """
    if any(find_spec(package) is None for package in ("jax", "netket")):
        raise ResourceError(
            "preparation.kind: 'neural' needs the packages netket and jax; install them with pip install "
            "'qep_qiskit[neural]'"
        )


@dataclass(frozen=True, slots=True)
class _Chains:
    """Shape of a wave function and of the Markov chains that sample it."""

    num_spins: int
    alpha: int
    count: int
    samples: int

    @property
    def machine(self) -> BoltzmannMachine:
        from qep_qiskit.preparation.boltzmann_machine import boltzmann_machine

        return boltzmann_machine(self.num_spins, self.alpha, self.count)

    @property
    def length(self) -> int:
        """Samples of each chain."""
        return self.samples // self.count

    def drawn(self, parameters: NDArray, spins: NDArray, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return samples of a state, shape (samples, N), chain after chain."""
        found = self.machine.draw(parameters, spins, _seed(generator), _BURN_IN + self.length)
        return found[:, _BURN_IN:].reshape(-1, self.num_spins)


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(_SEEDS))


def _strings(strings: RealStrings, rotation: NDArray) -> Strings:
    """Return the terms as arrays, after a rotation of some spins."""
    from qep_qiskit.preparation.boltzmann_machine import Strings

    place = np.eye(len(strings.flips))[strings.flip] * (strings.factors * strings.turned(rotation))[:, None]
    return Strings(strings.signs.astype(float), strings.flips, place)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeuralStates(PreparedStates):
    """Hold wave functions of restricted Boltzmann machines; expectations are sampled by Markov chains.

    Args:
        parameters: Shape (states, parameters).
        rotations: Shape (states, N), spins whose axes X and Y are reversed.
        spins: Shape (states, chains, N), configurations that chains start from.
        chains: Shape of the wave functions and of their chains.
    """

    always_draws: ClassVar[bool] = True
    per_state: ClassVar[tuple[str, ...]] = ("parameters", "rotations", "spins")

    parameters: NDArray[np.float64]
    rotations: NDArray[np.bool_]
    spins: NDArray[np.float64]
    chains: _Chains

    @property
    def num_qubits(self) -> int:
        """Return the number of spins."""
        return self.chains.num_spins

    def measured(
        self, group: Any, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> SampledMeans:
        """Return means of the terms over Markov chains, with their covariance from the scatter of the chains.

        Raises:
            ConfigError: Shots are given, or a term is imaginary.
        """
        if shots is not None:
            raise ConfigError(
                "shots: 'neural' states are sampled by their Markov chains (preparation.samples) and give no shots; "
                "use measurement.shots = 'exact'"
            )
        assert generator is not None
        strings, means, covariances = RealStrings.of([group]), [], []
        for row in rows:
            spins = self.chains.drawn(self.parameters[row], self.spins[row], generator)
            turned = _strings(strings, self.rotations[row])
            values = self.chains.machine.values(self.parameters[row], spins, turned)
            of_chains = values.reshape(self.chains.count, self.chains.length, -1).mean(axis=1)
            means.append(of_chains.mean(axis=0))
            covariances.append(np.atleast_2d(np.cov(of_chains.T)) / self.chains.count)
        return SampledMeans(means=np.array(means), covariance=np.array(covariances))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralPreparation:
    """Prepare ground states of spins as neural wave functions with positive amplitudes.

    Args:
        seeds: Root of the random streams.
        alpha: Hidden units for each spin.
        samples: Samples of an expectation and of a response; a step of the optimisation takes an eighth.
        chains: Number of independent Markov chains; standard errors follow from their scatter.
        steps: Largest number of steps of the optimisation.
        learning_rate: Learning rate, in units of 1 / (largest coefficient of H).
        shift: Shift of the diagonal of the metric in the optimisation (stochastic reconfiguration).
        tolerance: A state has converged where N Var(H) / <H>^2 of N spins is below.
        cut: Smallest eigenvalue of the metric that the response uses, as a part of the largest.
        on_unconverged: Action for states that have not converged: ``"warn"``, ``"stop"`` or ``"go_on"``.

    Raises:
        ConfigError: A number is out of range, or samples are no multiple of eight times the chains.

    Example:
        >>> qep.NeuralPreparation(seeds=qep.Seeds(0), samples=4096).alpha
        2
    """

    seeds: Seeds
    alpha: Count = 2
    samples: Count = 8192
    chains: Annotated[int, Gt(1)] = 64
    steps: Count = 500
    learning_rate: Positive = 0.05
    shift: Positive = 1e-3
    tolerance: Positive = 1e-4
    cut: Annotated[float, Gt(0), Lt(1)] = 1e-4
    on_unconverged: Literal["warn", "stop", "go_on"] = "warn"

    def __post_init__(self) -> None:
        check_limits(self)
        if self.samples % (_DESCENT_PART * self.chains):
            raise ConfigError(
                f"samples: expected a multiple of {_DESCENT_PART} times the chains ({_DESCENT_PART * self.chains}), "
                f"got {self.samples}"
            )

    def check(self, groups: Sequence[Any], coefficients: NDArray) -> None:
        """Check that ground states have positive amplitudes, and that they can be sampled here.

        Args:
            groups: The groups of H and C.
            coefficients: Shape (samples, terms), of H.

        Raises:
            ConfigError: H has off-diagonal elements of both signs or none at all, or a term is imaginary.
            ResourceError: NetKet or JAX is not installed, or the samples do not fit.
        """
        paulis = paulis_of(groups)
        if all(group.is_classical for group in paulis):
            raise ConfigError(
                "kind: 'neural' is for quantum networks, and network and cost are products of Z; use "
                "preparation.kind = 'annealing' or 'exact'"
            )
        require_neural()
        self._rotations(RealStrings.of(paulis), coefficients)
        size = paulis[0].num_qubits
        parameters = self.alpha * size * (size + 1) + size
        require_bytes(8 * parameters * (4 * self.samples + 3 * parameters), "preparation.samples: neural states")

    @staticmethod
    def _rotations(strings: RealStrings, coefficients: NDArray) -> NDArray[np.bool_]:
        return np.array([strings.rotation(row, f"of sample {sample}") for sample, row in enumerate(coefficients)])

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the free states of all samples; parameters of an earlier epoch in `start` are first parameters.

        Raises:
            ConfigError: There are nudges, or H has off-diagonal elements of both signs.
            ResourceError: NetKet or JAX is not installed.
            UnconvergedError: An optimisation diverged; or a state has not converged, and `on_unconverged` says to stop.
        """
        require_neural()
        if family.betas.any():
            raise ConfigError(
                "kind: contrasts of 'neural' states are lost in sampling noise; use contrast.kind = 'linear_response'"
            )
        strings = RealStrings.of(family.paulis)
        rotations, units = self._rotations(strings, family.free), units_of(family.free)
        chains = _Chains(family.paulis[0].num_qubits, self.alpha, self.chains, self.samples)
        known = start.arrays.get(_WARM_START)
        found = [
            self._descended(
                chains,
                _strings(strings, rotation),
                row / unit,
                None if known is None or np.isnan(known[sample]).any() else known[sample],
                self.seeds.generator("neural", *family.key.seed_words, sample),
            )
            for sample, (row, unit, rotation) in enumerate(zip(family.free, units, rotations, strict=True))
        ]
        parameters, spins, energies, residuals, steps = (np.array(part) for part in zip(*found, strict=True))
        states = NeuralStates(parameters=parameters, rotations=rotations, spins=spins, chains=chains)
        report = replace(
            ConvergenceReport.silent(family),
            energies=(energies * units)[:, None],
            residuals=residuals[:, None],
            evaluations=int(steps.sum()),
            unconverged=tuple(
                f"sample {sample}: N Var(H) / <H>^2 = {residuals[sample]:.1e}"
                for sample in np.flatnonzero(~(residuals <= self.tolerance))
            ),
            judged=True,
            branches=False,
        )
        self._judge(report)
        return PreparationResult(states=states, report=report, free=states, warm_start={_WARM_START: parameters})

    def _descended(
        self,
        chains: _Chains,
        strings: Strings,
        coefficients: NDArray,
        known: NDArray | None,
        generator: np.random.Generator,
    ) -> tuple[NDArray, NDArray, float, float, int]:
        """Return parameters, configurations, energy, residual and steps of one state; coefficients are at most 1."""
        machine = chains.machine
        parameters = machine.initial(_seed(generator)) if known is None else known
        spins = chains.drawn(parameters, machine.scattered(_seed(generator)), generator)
        spins = spins.reshape(chains.count, chains.length, -1)[:, -1]
        energy, residual, taken = np.nan, np.inf, 0
        while taken < self.steps and residual > self.tolerance:
            count = min(_STEPS_AT_ONCE, self.steps - taken)
            parameters, spins, energies, variances = machine.descend(
                parameters,
                spins,
                _seed(generator),
                strings,
                coefficients,
                rate=self.learning_rate,
                shift=self.shift,
                steps=count,
                length=chains.length // _DESCENT_PART,
            )
            energy, taken = float(energies.mean()), taken + count
            residual = chains.num_spins * float(variances.mean()) / max(energy**2, _NO_ENERGY)
            if not np.isfinite(residual):
                raise UnconvergedError(
                    "preparation: the optimisation of a neural state diverged; use a smaller "
                    "preparation.learning_rate, or a larger preparation.shift"
                )
        return parameters, spins, energy, residual, taken

    def _judge(self, report: ConvergenceReport) -> None:
        """Warn or stop where states have not converged."""
        missed, count = len(report.unconverged), len(report.residuals)
        if not missed or self.on_unconverged == "go_on":
            return
        advice = (
            "responses of such states are wrong by an unknown part. Raise preparation.steps or preparation.alpha, or "
            "change preparation.learning_rate"
        )
        detail = f"{missed} of {count} states, tolerance {self.tolerance:.1e}; {report.unconverged[0]}"
        if self.on_unconverged == "stop":
            raise UnconvergedError(
                f"preparation: neural states are not converged ({detail}); {advice}, in a new run; this one stops "
                "(on_unconverged = 'stop')"
            )
        text = f"the energy of neural states varies by more than preparation.tolerance; {advice}"
        warn(UnconvergedWarning, text, detail=detail, affected=missed, of=count)

    def responses(self, family: HamiltonianFamily, states: PreparedStates, directions: NDArray) -> SampledResponse:
        """Return linear responses of all terms, from one set of samples of each free state."""
        assert isinstance(states, NeuralStates)
        strings, found = RealStrings.of(family.paulis), []
        for sample, (row, nudges) in enumerate(zip(family.free, directions, strict=True)):
            generator = self.seeds.generator("response", *family.key.seed_words, sample)
            spins = states.chains.drawn(states.parameters[sample], states.spins[sample], generator)
            turned = _strings(strings, states.rotations[sample])
            tangent = states.chains.machine.tangent(states.parameters[sample], spins, turned, row)
            found.append(tangent_response(*tangent, nudges, self.cut, self.chains))
        values, replicas = (np.array(part) for part in zip(*found, strict=True))
        return SampledResponse(values=values, replicas=replicas.swapaxes(0, 1))
