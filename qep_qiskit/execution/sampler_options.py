"""What IBM's sampler does to circuits on its own: dynamical decoupling, and twirling of gates and of the readout.

Twirled circuits are run as several randomizations with some shots each. The service takes the numbers of both and makes
their product of shots; `in_randomizations` keeps that as small as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from qep_qiskit.core.checks import whole_number
from qep_qiskit.execution.twirled_readout import executions_of, in_randomizations

DecouplingSequence = Literal["none", "XX", "XpXm", "XY4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """Options of a job.

    Args:
        dynamical_decoupling: Pulses on qubits that wait.
        gate_twirling: Random Pauli gates around two-qubit gates.
        readout_twirling: Random flips before the reading; bits come flipped back.
        randomizations: Most randomizations of a circuit, where it is twirled.

    Raises:
        ConfigError: There are no randomizations.
    """

    dynamical_decoupling: DecouplingSequence = "none"
    gate_twirling: bool = False
    readout_twirling: bool = False
    randomizations: int = 128

    def __post_init__(self) -> None:
        whole_number("randomizations", self.randomizations, 1)

    @property
    def changes_gates(self) -> bool:
        """Whether circuits are not run as they are handed over."""
        return self.gate_twirling or self.dynamical_decoupling != "none"

    @property
    def twirls(self) -> bool:
        """Whether there are randomizations."""
        return self.gate_twirling or self.readout_twirling

    def of_request(self, randomizations: int | None) -> SamplerOptions:
        """The options of a request that wants so many random twirling flips before the reading, or None."""
        if randomizations is None:
            return self
        return replace(self, readout_twirling=True, randomizations=randomizations)

    def executions(self, shots: int) -> int:
        """Executions of a circuit that is to have so many shots."""
        return executions_of(shots, self.randomizations if self.twirls else None)

    def record(self) -> dict[str, Any]:
        """Those that are switched on, as plain data."""
        found: dict[str, Any] = {}
        if self.dynamical_decoupling != "none":
            found["dynamical_decoupling"] = self.dynamical_decoupling
        if self.twirls:
            found["twirling"] = {
                "gates": self.gate_twirling,
                "readout": self.readout_twirling,
                "randomizations": self.randomizations,
            }
        return found

    def for_ibm(self, shots: int) -> dict[str, Any]:
        """As IBM's sampler takes them.

        Args:
            shots: Shots of every circuit.
        """
        found: dict[str, Any] = {}
        if self.dynamical_decoupling != "none":
            found["dynamical_decoupling"] = {"enable": True, "sequence_type": self.dynamical_decoupling}
        if self.twirls:
            randomizations, each = in_randomizations(shots, self.randomizations)
            found["twirling"] = {
                "enable_gates": self.gate_twirling,
                "enable_measure": self.readout_twirling,
                "num_randomizations": randomizations,
                "shots_per_randomization": each,
            }
        return found
