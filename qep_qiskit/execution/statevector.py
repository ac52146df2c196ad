"""The two-basis engine as an executor: ideal circuits without gates."""

from __future__ import annotations

from qep_qiskit.evolution import evolve
from qep_qiskit.execution.interface import Request, ShotData, Ticket
from qep_qiskit.execution.sampling import sample_vectors
from qep_qiskit.prepared import CircuitStates
from qep_qiskit.seeds import Seeds

__all__ = ["StatevectorExecutor"]


class StatevectorExecutor:
    """Evolves every state once by its commuting groups and measures it in all of them.

    Args:
        seeds: Root of the random streams; draws the same shots as `AerExecutor` from equal states.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def submit(self, request: Request) -> Ticket:
        """Nothing happens until `collect`."""
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Evolve and measure."""
        prepared = ticket.request.prepared
        if isinstance(prepared, CircuitStates):
            vectors = evolve(prepared.program, prepared.parameters)
        else:
            vectors = prepared.vectors
        return sample_vectors(vectors, ticket.request.readouts, self._seeds, ticket.key.words)
