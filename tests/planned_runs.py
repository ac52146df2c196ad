"""Runs to be planned, and a device whose errors and durations are the same everywhere."""

from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, Measure, RZGate, SXGate, XGate
from qiskit.providers.fake_provider import GenericBackendV2

from qep_qiskit.config import build, check_config

SMALL = {
    "name": "small",
    "seed": 3,
    "task": {"kind": "xor"},
    "network": {"graph": "chain", "num_spins": 2, "outputs": [1]},
    "preparation": {"kind": "adiabatic", "total_time": 2.0, "steps": 5},
    "execution": {"backend": "statevector"},
    "measurement": {"shots": 20},
    "training": {"epochs": 1, "batch_size": 3},
}
NOISY = {"backend": "aer", "noise": {"readout": 0.02}, "mitigation": {"readout": "calibrated"}}
SPARING = {**NOISY, "mitigation": {"readout": "calibrated", "calibration_shots": 77, "calibrate_every": 2}}
FOLDED = {**NOISY, "mitigation": {"readout": "calibrated", "noise_factors": [1, 3]}}
SAMPLED = {
    "kind": "variational",
    "energies": "sampled",
    "optimizer": "spsa",
    "options": {"maxiter": 3, "last_avg": 1},
    "ansatz": {"kind": "hamiltonian", "depth": 1},
}
OPERATOR = {"kind": "operator", "terms": [{"pauli": "Z1"}]}
PARITY = {"task": {"kind": "parity", "num_bits": 4}, "training": {"epochs": 3, "batch_size": 3}}


def experiment_of(**sections):
    """With a look at the final weights: a plan is for a device, where nobody pays for one unasked."""
    training = {"evaluate_final": True, **sections.pop("training", SMALL["training"])}
    return build(check_config({**SMALL, **sections, "training": training}, "test"))


def counted(requests):
    shots = sum(job.times * job.executions for job in requests.jobs)
    circuits = sum(job.times * job.circuits for job in requests.jobs)
    return shots, circuits


class Shelf(dict):
    """Keeps circuits, each under a name of its own."""

    def circuit(self, name):
        return self.get(name)

    def keep_circuit(self, name, content):
        assert name not in self
        self[name] = content


def device(num_qubits=8, edges=None, *, two=0.01, read=0.02, one=0.001):
    """A chain with the same errors and durations everywhere."""
    found = GenericBackendV2(
        num_qubits,
        basis_gates=["cz", "rz", "sx", "x"],
        coupling_map=edges or [[k, k + 1] for k in range(num_qubits - 1)],
        seed=1,
    )
    for gate, error, seconds in (
        (CZGate(), two, 100e-9),
        (SXGate(), one, 50e-9),
        (XGate(), one, 50e-9),
        (RZGate(Parameter("a")), 0.0, 0.0),
        (Measure(), read, 1e-6),
    ):
        for where, known in found.target[gate.name].items():
            known.error, known.duration = error, seconds
            found.target.update_instruction_properties(gate.name, where, known)
    return found
