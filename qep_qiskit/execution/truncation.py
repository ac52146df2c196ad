"""Truncation error of matrix product states; that of Aer is read from its log, for few states.

After every two-qubit gate Aer keeps the largest Schmidt coefficients of a bond, and its log states the discarded
weight. The product of the kept weights is, to good accuracy, the overlap |<psi|truncated psi>|^2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import TruncatedStateWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.execution.interface import JobHandle, RequestKey, ShotData
from qep_qiskit.execution.sampler_executor import SamplerExecutor
from qep_qiskit.outcomes.states import CircuitStates

_TOO_MUCH = 1e-3
_ALL_UP_TO = 128  # steps, a power of two
_DISCARDED = re.compile(r"discarded_value=([0-9.eE+-]+)")

_seen = {"length": 0}  # Aer's log grows from circuit to circuit, as long as the process runs


def discarded_weight(simulator: BackendV2, circuit: QuantumCircuit, values: NDArray) -> float:
    """Measure the weight of a state that truncation discards, 0 to 1.

    Args:
        simulator: An Aer simulator with a largest bond dimension.
        circuit: A circuit with parameters.
        values: Shape (parameters,), in the order of the circuit's parameters.
    """
    bound = circuit.assign_parameters(values) if len(values) else circuit
    result = simulator.run(bound, shots=1, mps_log_data=True, seed_simulator=0).result()
    log = str(result.results[0].metadata.get("MPS_log_data", ""))
    own = log[_seen["length"] :] if len(log) > _seen["length"] else log
    _seen["length"] = max(len(log) - 1, 0)  # without its closing brace
    kept = np.prod([1.0 - float(found) for found in _DISCARDED.findall(own)])
    return float(np.clip(1.0 - kept, 0.0, 1.0))


def warn_of_truncation(lost: Sequence[float]) -> None:
    """Warn of states whose truncation moves means.

    Args:
        lost: The weights that truncation has discarded, 0 to 1, of every state.
    """
    worst = max(lost)
    warn(
        TruncatedStateWarning,
        "matrix product states lose weight where their bonds are cut, and means and gradients with it: raise "
        "execution.max_bond_dimension",
        detail=f"a state lost {worst:.2g} of its weight, which may move means by up to {2.0 * np.sqrt(worst):.1g}",
        affected=sum(weight > _TOO_MUCH for weight in lost),
        of=len(lost),
    )


class TruncatingExecutor(SamplerExecutor):
    """Runs measured circuits on matrix product states with a largest bond dimension.

    One state of a request is simulated a second time, with the log on, for single gradients and at steps of a run: the
    last state, which has the strongest nudge. Aer's log grows as long as the process runs and is copied at every check,
    so all of the first 128 steps are checked, of the next 128 every second, of the next 256 every fourth, and so on.
    """

    truncating: BackendV2
    discarded: float = 0.0
    """Largest discarded weight so far."""

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Run the request, and measure the truncation error of one of its states."""
        request = job_handle.request
        if request.has_noise_to_mitigate and request.measurements and is_checked(job_handle.key):
            lost = self._check_truncation(request.prepared.as_circuits(), job_handle)
            return replace(super().collect(job_handle), discarded=lost)
        return super().collect(job_handle)

    def _check_truncation(self, prepared: CircuitStates, job_handle: JobHandle) -> float:
        measurement = max(job_handle.request.measurements, key=lambda own: own.states[-1])
        row = int(measurement.states[-1])
        ((_, circuit, values),) = self._circuits.bound(prepared.program, measurement.paulis, prepared.parameters[[row]])
        lost = discarded_weight(self.truncating, circuit, values[0])
        self.discarded = max(self.discarded, lost)
        warn_of_truncation([lost])
        return lost


def is_checked(key: RequestKey) -> bool:
    """Whether truncation is measured for a request: for all single gradients, and for 64 steps or more an octave."""
    apart = max(1, (1 << key.step.bit_length()) // _ALL_UP_TO)
    return key.iteration == 0 and (key.purpose == "gradient" or key.step % apart == 0)
