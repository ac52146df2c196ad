"""The learning rule is local: a weight's gradient needs the bits of its own qubits, and nothing else of a shot."""

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network

from qep_qiskit.core.pauli_strings import sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, ShotData, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.locality import locality
from qep_qiskit.measurement import qubit_wise_plan, run_measurements
from qep_qiskit.network import Interaction, PauliNetwork
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.expressions import parse_operator
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import BitMemory
from qep_qiskit.preparation import ExactPreparation

# Energies of scrambled bits do not follow their slopes, and the diagnostics say so.
pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.BranchJumpWarning")

SIZE, SHOTS, OUTPUTS = 4, 1024, (3,)  # with a power of two of shots all means are exact in binary


class Scrambler:
    """Randomises every bit that it is not told to keep.

    Args:
        kept: For (stage, group), the qubits whose bits stay as they were; nothing is touched of other batches.
    """

    def __init__(self, kept, seed=0):
        self.inner, self.kept, self.rng = VectorExecutor(Seeds(5)), kept, np.random.default_rng(seed)
        self.touched = 0

    def submit(self, request):
        return self.inner.submit(request)

    def collect(self, job_handle):
        data = self.inner.collect(job_handle)
        measurements = job_handle.request.measurements
        return ShotData(
            outcomes=tuple(
                self.scrambled(outcomes, self.kept.get((job_handle.key.stage, measurement.group.name)))
                for measurement, outcomes in zip(measurements, data.outcomes, strict=True)
            )
        )

    def scrambled(self, outcomes, qubits):
        words = np.array([np.repeat(np.arange(row.size), row) for row in outcomes.weights])
        if qubits is not None:
            own = sum(1 << qubit for qubit in qubits)
            noise = self.rng.integers(1 << SIZE, size=words.shape)
            self.touched += int(((noise ^ words) & ~own).astype(bool).sum())
            words = (words & own) | (noise & ~own)
        return BitMemory(bits=words[..., None].astype(np.uint8), num_qubits=SIZE)


def ising(cost):
    network, weights = random_network(SMALL_GRAPHS["ring"], np.random.default_rng(1), num_inputs=2, outputs=OUTPUTS)
    return NudgedHamiltonian(network, cost), weights


def tied(cost):
    """A weight on words of two groups, a weight on three words of one, and plain fields."""
    texts = {"a": "Z0 Z1 + X2", "b": "Z0 Z1 + Z1 Z2 + Z3", "c": "X0 X1", "d": "Z3"}
    parts = [Interaction(operator=operator(text), weight=name) for name, text in texts.items()]
    parts.append(Interaction(operator=operator("-X0 - X1 - X2 - X3 + 0.3 Z0 + 0.2 Z2")))
    parts.append(Interaction(operator=operator("Z1"), weight="d", input=1))
    network = PauliNetwork(interactions=tuple(parts), outputs=OUTPUTS, num_inputs=2)
    return NudgedHamiltonian(network, cost), np.array([-0.4, 0.5, 0.3, -0.2])


def operator(text):
    return sparse_pauli_op(parse_operator(text).items(), SIZE)


COSTS = {"operator": OperatorCost.squared_error(OUTPUTS, SIZE), "loss": LossOnExpectations.on_spins(OUTPUTS, SIZE)}


def gradient(hamiltonian, weights, kind, executor):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=0.25),
        shots=SHOTS,
    )
    inputs = np.random.default_rng(3).normal(size=(2, 2))
    work = estimator.estimate(weights, inputs, np.array([[0.5], [-0.5]]), RequestKey("test", 0))
    return run_measurements(work, executor)[0].gradient


def kept_for(weight, hamiltonian, cost):
    """The bits that the update of a weight may look at, by stage and group; none of groups that it does not read."""
    own = {group.name: set() for group in hamiltonian.groups}
    for reading in locality(hamiltonian):
        if reading.weight == weight:
            own[reading.group] |= set(reading.qubits)
    if cost == "operator":
        return {(0, group): qubits for group, qubits in own.items()}
    nudged = {(1, group): qubits for group, qubits in own.items()}
    # The free phase also broadcasts the error signal, read from the outputs alone.
    return nudged | {(0, "Z"): own["Z"] | set(OUTPUTS)}


@pytest.mark.parametrize("kind", ["symmetric", "one_sided"])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("network", [ising, tied])
def test_update_uses_nothing_but_its_own_bits(network, cost, kind):
    hamiltonian, weights = network(COSTS[cost])
    undisturbed = gradient(hamiltonian, weights, kind, Scrambler({}))
    for index, name in enumerate(hamiltonian.network.layout.names):
        scrambler = Scrambler(kept_for(name, hamiltonian, cost), seed=index)
        found = gradient(hamiltonian, weights, kind, scrambler)
        assert found[index] == undisturbed[index]  # to the last bit
        assert scrambler.touched > SHOTS
        assert np.any(found != undisturbed)


@pytest.mark.parametrize("network", [ising, tied])
def test_update_uses_its_own_bits(network):
    """Without any one of the qubits that are named the gradient is another."""
    hamiltonian, weights = network(COSTS["operator"])
    undisturbed = gradient(hamiltonian, weights, "symmetric", Scrambler({}))
    for index, name in enumerate(hamiltonian.network.layout.names):
        for (stage, group), qubits in kept_for(name, hamiltonian, "operator").items():
            for qubit in qubits:
                others = set(range(SIZE)) - {qubit}
                found = gradient(hamiltonian, weights, "symmetric", Scrambler({(stage, group): others}))
                assert found[index] != undisturbed[index]


def test_readings_of_an_ising_network():
    readings = {reading.weight: reading for reading in locality(ising(COSTS["loss"])[0])}
    assert (readings["J[1,2]"].group, readings["J[1,2]"].qubits) == ("Z", (1, 2))
    assert (readings["h[2]"].group, readings["h[2]"].qubits) == ("X", (2,))
    assert (readings["b[3]"].group, readings["b[3]"].qubits) == ("Z", (3,))
    assert (readings["W[1,0]"].group, readings["W[1,0]"].qubits) == ("Z", (0,))
    assert len(readings) == 4 + 4 + 4 + 8


def test_tied_weights_read_all_their_terms():
    readings = [(r.weight, r.group, r.products) for r in locality(tied(COSTS["loss"])[0])]
    assert [(weight, set(products)) for weight, _, products in readings] == [
        ("a", {(2,)}),
        ("a", {(0, 1)}),
        ("b", {(0, 1), (1, 2), (3,)}),
        ("c", {(0, 1)}),
        ("d", {(1,), (3,)}),
    ]
    groups = [group for _, group, _ in readings]
    assert groups == ["X", "Z", "Z", "X", "Z"]


def test_other_batches_read_the_same_bits():
    hamiltonian = tied(COSTS["loss"])[0]
    plan = qubit_wise_plan(hamiltonian.terms, SIZE)
    qubits = {r.weight: r.qubits for r in locality(hamiltonian, plan) if r.weight != "a"}
    assert qubits == {"b": (0, 1, 2, 3), "c": (0, 1), "d": (1, 3)}
