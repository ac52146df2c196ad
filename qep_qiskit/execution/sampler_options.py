"""Options of IBM's sampler: dynamical decoupling, and twirling of gates and of the readout.

Twirled circuits run as several randomizations with some shots each. The service runs the product of the two numbers;
`in_randomizations` chooses the smallest product that is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from qep_qiskit.core.limits import Count, check_limits
from qep_qiskit.execution.twirled_readout import executions_of, in_randomizations

DecouplingSequence = Literal["none", "XX", "XpXm", "XY4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """Dynamical decoupling and twirling of a job.

    Args:
        dynamical_decoupling: Pulse sequence on idle qubits.
        gate_twirling: Whether random Pauli gates surround two-qubit gates.
        readout_twirling: Whether random flips precede the readout; they are undone in the bits.
        randomizations: Largest number of randomizations of a twirled circuit.

    Raises:
        ConfigError: `randomizations` is less than 1.
    """

    dynamical_decoupling: DecouplingSequence = "none"
    gate_twirling: bool = False
    readout_twirling: bool = False
    randomizations: Count = 128

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def changes_gates(self) -> bool:
        """Whether the sampler changes the gates of circuits."""
        return self.gate_twirling or self.dynamical_decoupling != "none"

    @property
    def twirls(self) -> bool:
        """Whether gates or readout are twirled."""
        return self.gate_twirling or self.readout_twirling

    def of_request(self, randomizations: int | None) -> SamplerOptions:
        """Options of a request with so many random readout twirls; unchanged for None."""
        if randomizations is None:
            return self
        return replace(self, readout_twirling=True, randomizations=randomizations)

    def executions(self, shots: int) -> int:
        """Number of executions of a circuit that yield so many shots."""
        return executions_of(shots, self.randomizations if self.twirls else None)

    def record(self) -> dict[str, Any]:
        """The options that are switched on, for JSON."""
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
        """The options in the format of IBM's sampler."""
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
