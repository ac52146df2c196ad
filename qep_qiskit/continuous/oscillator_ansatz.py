"""A variational circuit of oscillators on position grids, built from operations that keep states Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.oscillator_layers import OscillatorGroups, OscillatorProduct, gaussian_start
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram

_RAMP_STEP = 0.5
_BREAKS_SYMMETRY = 0.01
_RESTART_STD = 0.2


@dataclass(frozen=True, slots=True)
class OscillatorVariational:
    """Alternating quadratic phases of positions and momenta on a product of Gaussians, then a displacement.

    A layer is exp(-i sum_(i<=j) a_ij q_i q_j) exp(-i sum_i b_i k_i^2) with q the position relative to the centre of the
    box. After the layers follows one more phase of positions, and exp(-i sum_i c_i k_i) displaces the state. On an
    infinite grid these states are Gaussian, and two layers reach the ground state of few atoms.

    Args:
        driver: The independent oscillators whose ground state is the initial state.
        depth: Number of layers.
    """

    driver: OscillatorProduct
    depth: int

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        size = self.driver.grid.num_coordinates
        return [(i, j) for i in range(size) for j in range(i, size)]

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """Return the program for these groups."""
        grid = self.driver.grid
        start = gaussian_start(grid, self.driver.widths)
        known = OscillatorGroups.of(grid, start, groups)
        size = range(grid.num_coordinates)
        waves = [grid.wave_number(i) for i in size]
        products: list[ZPolynomial] = [grid.offset(i) * grid.offset(j) for i, j in self._pairs]
        layers: list[Layer | CxLayer] = list(start.layers)
        names: list[str] = []
        for number in range(self.depth + 1):
            layers.append(known.by_polynomial(known.positions, products, len(names)))
            names += [f"layer{number} r{i} r{j}" for i, j in self._pairs]
            if number < self.depth:
                layers.append(known.by_polynomial(known.momenta, [wave * wave for wave in waves], len(names)))
                names += [f"layer{number} p{i}" for i in size]
        layers.append(known.by_polynomial(known.momenta, waves, len(names)))
        names += [f"move{i}" for i in size]
        return LayerProgram(
            groups=known.groups, initial=start.initial, layers=tuple(layers), parameter_names=tuple(names)
        )

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return initial angles in radians of a coarse ramp to the classical equilibrium, with noise.

        Noise is needed because all slopes vanish at zero angles.
        """
        energies = GridEnergies.of(self.driver.grid, groups, coefficients)
        step = _RAMP_STEP / energies.frequencies()[:, -1:]
        first, second = np.transpose(self._pairs)
        target = energies.stiffness[:, first, second] / np.where(first == second, 2.0, 1.0)
        begin = np.diag(self.driver.stiffness)[first, second] / 2.0
        parts = []
        for number in range(self.depth + 1):
            s = (number + 0.5) / (self.depth + 1)
            parts.append(step * ((1.0 - s) * begin + s * target))
            if number < self.depth:
                parts.append(step * energies.kinetic / 2.0)
        noise = _BREAKS_SYMMETRY + _RESTART_STD * restart
        angles = np.concatenate([*parts, energies.equilibrium()], axis=1)
        return np.asarray(angles + noise * generator.normal(size=angles.shape))
