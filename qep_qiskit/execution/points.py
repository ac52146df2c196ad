"""Atoms in space as an executor: exact expectations, or whole points shot by shot."""

from __future__ import annotations

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.interface import ExactMeans, Outcomes, PointMemory, Readout, Request, ShotData, Ticket
from qep_qiskit.memory import require_bytes
from qep_qiskit.prepared import GaussianStates, RestingStates
from qep_qiskit.seeds import Seeds

__all__ = ["PointExecutor"]


class PointExecutor:
    """Reads Gaussian states, and classical atoms at rest.

    Every readout draws from a stream of its own; its states are drawn one after the other from that stream.

    Args:
        seeds: Root of the random streams.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def submit(self, request: Request) -> Ticket:
        """Nothing happens until `collect`."""
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Points, or exact expectations.

        Raises:
            ConfigError: The states are no atoms in space.
            ResourceError: The shots do not fit in memory.
        """
        states = ticket.request.prepared
        if not isinstance(states, GaussianStates | RestingStates):
            raise ConfigError("this executor reads atoms in space and runs no circuits; use AerExecutor or another")
        readouts = ticket.request.readouts
        return ShotData(outcomes=tuple(self._outcomes(states, readout, ticket) for readout in readouts))

    def _outcomes(self, states: GaussianStates | RestingStates, readout: Readout, ticket: Ticket) -> Outcomes:
        group = readout.group
        if readout.shots is None:
            return ExactMeans(means=states.expectations(group, readout.states))
        numbers = len(readout.states) * readout.shots * (group.frame.num_atoms * group.frame.dims)
        require_bytes(8 * 3 * numbers, f"{readout.shots} shots of {group.frame.num_atoms} atoms")
        generator = self._seeds.generator(*ticket.key.words, *readout.words)
        return PointMemory(points=states.sampled(group, readout.states, readout.shots, generator))
