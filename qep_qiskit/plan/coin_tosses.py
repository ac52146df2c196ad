"""Random bits as the outcomes of circuits that are too wide to simulate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import Request, ShotData
from qep_qiskit.execution.sampling import LocalExecutor
from qep_qiskit.outcomes import BitMemory, Outcomes
from qep_qiskit.outcomes.states import CalibrationStates, ProgramStates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _OneReading(BitMemory):
    """One reading of each state, in the place of the shots that are wanted; it is not stored."""

    mark: ClassVar[str] = ""

    wanted: int | None

    @property
    def shots(self) -> int:
        """Return the wanted shots."""
        return self.wanted or 1


class CoinTosses(LocalExecutor):
    """Answers with random bits where states are too wide to simulate; readout has no errors.

    Args:
        seeds: Root of the random streams.
        once: Whether a state is measured once, as if every other shot read the same: this has no error bars, whose
            computation takes most of the time.
    """

    def __init__(self, seeds: Seeds, *, once: bool) -> None:
        super().__init__(seeds)
        self._once = once

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        size = circuits.num_qubits
        unused = (-size) % 8
        outcomes: list[Outcomes] = []
        for own in request.measurements:
            generator = self._seeds.generator(*request.key.seed_words, *own.seed_words)
            shots = 1 if self._once else own.shots or 1
            bits = generator.integers(0, 256, (len(own.states), shots, -(-size // 8)), dtype=np.uint8)
            if isinstance(circuits, CalibrationStates):
                bits[:] = 255 * (own.states == 1)[:, None, None]
            bits[..., 0] >>= unused
            if self._once:
                bits[..., -1] |= 1  # 0 in every bit of every shot would be a missing result
                outcomes.append(_OneReading(bits=bits, num_qubits=size, certain=True, wanted=own.shots))
            else:
                outcomes.append(BitMemory(bits=bits, num_qubits=size))
        return ShotData(outcomes=tuple(outcomes))
