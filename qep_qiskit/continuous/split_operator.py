"""Adiabatic preparation of oscillators: a split-operator ramp from displaced Gaussians, as one parametrised program.

    H(s) = (1 - s) sum_i [p_i^2 / 2 m_i + kappa_i (r_i - c_i)^2 / 2] + s (H + beta C),     s = ramp(t / T)

c is the classical equilibrium of H + beta C, found for every sample and nudge by solving K c = f. Around it the forces
of both ends of the ramp vanish, so the means stay at c for any ramp (Ehrenfest); a ramp that is too short or too coarse
causes errors in the variances only. From the origin, instead, the slowest mode determines the required time.

The program starts from a fixed product of Gaussians and displaces it by exp(-i sum_i (c_i - centre_i) k_i), a layer
that is linear in c. Its parameters are the coefficients and c, so one program serves all samples, nudges and weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.oscillator_layers import OscillatorGroups, OscillatorProduct, gaussian_start
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import CoarseTrotterWarning
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart
from qep_qiskit.preparation.ramp import Ramp

_COARSE = 1.0


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOperatorPreparation(Ramp):
    """Prepare ground states of oscillators by a split-operator ramp on position grids.

    Args:
        driver: The independent oscillators whose ground state is the initial state.
        total_time: T in hbar/energy.
        steps: Number of steps; dt = T / steps.
        order: 1 (momenta, then positions) or 2 (half a step of momenta on both sides).
        ramp: ``"linear"``, ``"cosine"`` or ``"smoothstep"``.
        start: ``"equilibrium"`` displaces the initial state to the classical equilibrium, ``"origin"`` keeps it at the
            centres of the boxes.

    Raises:
        ConfigError: A number is out of range, or a name is unknown.
    """

    driver: OscillatorProduct
    start: Literal["equilibrium", "origin"] = "equilibrium"

    def program(self, groups: Sequence[CommutingGroup]) -> LayerProgram:
        """Return the program for these groups; its parameters are the coefficients of H + beta C, then c - centre."""
        return _program(self, tuple(groups))

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Bind the program to coefficients and classical equilibria, without measurements.

        Raises:
            NetworkError: An energy has no minimum, or is not quadratic.
        """
        rows = family.rows()
        energies = GridEnergies.of(self.driver.grid, family.paulis, rows)
        self._warn_if_coarse(energies)
        moved = energies.equilibrium() if self.start == "equilibrium" else np.zeros_like(energies.forces)
        states = CircuitStates(program=self.program(family.paulis), parameters=np.concatenate([rows, moved], axis=1))
        return PreparationResult(states=states, report=ConvergenceReport.silent(family))

    def _warn_if_coarse(self, energies: GridEnergies) -> None:
        """Warn of steps that are too large for leapfrog integration.

        It is stable up to dt = 2/frequency, with an error (dt frequency)^2 / 8 of variances.
        """
        fastest = energies.frequencies()[:, -1]
        warn(
            CoarseTrotterWarning,
            f"the time step no longer resolves the fastest mode (dt * frequency should stay below {_COARSE:g}); use "
            "more preparation.steps, a shorter total_time, a smaller learning rate, or a bound on the springs",
            detail=f"dt = {self.time_step:.3g} and the frequency {fastest.max():.3g}: "
            f"{self.time_step * fastest.max():.2f}",
            affected=int((self.time_step * fastest >= _COARSE).sum()),
            of=len(fastest),
        )


@lru_cache(maxsize=32)
def _program(settings: SplitOperatorPreparation, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
    grid = settings.driver.grid
    start = gaussian_start(grid, settings.driver.widths)
    known = OscillatorGroups.of(grid, start, groups)
    terms = [string for group in groups for string in group.terms]
    step = _Step.of(settings, known, {string: place for place, string in enumerate(terms)})
    layers: list[Layer | CxLayer] = [*start.layers, step.displacement()]
    for s in settings.schedule().tolist():
        layers += step.layers(s)
    return LayerProgram(
        groups=known.groups,
        initial=start.initial,
        layers=tuple(layers),
        parameter_names=(*map(str, terms), *(f"c{i}" for i in range(grid.num_coordinates))),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    """Builds the layers of a step.

    Args:
        settings: Time step, order and driver.
        known: Groups of the program.
        source_of: Index of every coefficient in the parameters; c follows after them.
        kinetic: Angles of the driver's kinetic energy for dt = 1, shape (terms,).
        potential: Angles of its potential energy about the centres.
    """

    settings: SplitOperatorPreparation
    known: OscillatorGroups
    source_of: dict[PauliString, int]
    kinetic: NDArray[np.float64]
    potential: NDArray[np.float64]

    @classmethod
    def of(
        cls, settings: SplitOperatorPreparation, known: OscillatorGroups, source_of: dict[PauliString, int]
    ) -> _Step:
        driver, grid = settings.driver, settings.driver.grid
        kinetic, potential = ZPolynomial({}), ZPolynomial({})
        for i, (stiffness, inverse_mass) in enumerate(zip(driver.stiffness, driver.kinetic, strict=True)):
            kinetic = kinetic + grid.wave_number(i) * grid.wave_number(i) * (inverse_mass / 2.0)
            potential = potential + grid.offset(i) * grid.offset(i) * (stiffness / 2.0)
        return cls(
            settings=settings,
            known=known,
            source_of=source_of,
            kinetic=known.fixed(known.momenta, kinetic),
            potential=known.fixed(known.positions, potential),
        )

    def displacement(self) -> Layer:
        """Return the layer exp(-i sum_i c_i k_i)."""
        grid = self.settings.driver.grid
        waves = [grid.wave_number(i) for i in range(grid.num_coordinates)]
        return self.known.by_polynomial(self.known.momenta, waves, len(self.source_of))

    def layers(self, s: float) -> list[Layer]:
        """Return the layers of a step: momenta and positions, or half of the momenta on both sides."""
        dt = self.settings.time_step
        positions = self._positions(s, dt)
        if self.settings.order == 1:
            return [self._momenta(s, dt), *positions]
        return [self._momenta(s, dt / 2.0), *positions, self._momenta(s, dt / 2.0)]

    def _momenta(self, s: float, time: float) -> Layer:
        layer = self.known.by_term(self.known.momenta, self.source_of, time * s)
        return replace(layer, offset=time * (1.0 - s) * self.kinetic)

    def _positions(self, s: float, time: float) -> list[Layer]:
        """Return the layer of the Hamiltonian and the driver about the centres, with the driver's force to c."""
        layer = self.known.by_term(self.known.positions, self.source_of, time * s)
        driver = self.settings.driver
        pulls = [driver.grid.offset(i) * (-time * (1.0 - s) * k) for i, k in enumerate(driver.stiffness)]
        return [
            replace(layer, offset=time * (1.0 - s) * self.potential),
            self.known.by_polynomial(self.known.positions, pulls, len(self.source_of)),
        ]
