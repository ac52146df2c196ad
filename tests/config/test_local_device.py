"""What a configuration takes from a device is written into it, and never taken twice."""

import pytest

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.execution import native

pytest.importorskip("qiskit_ibm_runtime")


def make(network, **execution):
    content = {
        "task": {"kind": "xor"},
        "network": {"graph": "native"} | network,
        "preparation": {"kind": "adiabatic", "total_time": 1.5, "steps": 3},
        "execution": {"backend": "fake_torino"} | execution,
    }
    return build(check_config(content, "run.toml"))


def test_a_native_graph_is_cut_once_and_kept(monkeypatch):
    experiment = make({"num_spins": 5})
    kept = experiment.config.resolved()
    assert len(kept["network"]["qubits"]) == experiment.network.num_qubits == 5
    assert [tuple(edge) for edge in kept["network"]["edges"]] == list(experiment.network.graph.edges)

    def calibrated_anew(*_):
        raise AssertionError("the device is asked again")

    monkeypatch.setattr(native, "_map_of", calibrated_anew)
    again = build(check_config(kept, "config.json"), experiment.task)
    assert again.config.resolved() == kept
    assert again.network.graph.edges == experiment.network.graph.edges


def test_all_programs_sit_on_its_qubits():
    experiment = make({"num_spins": 4})
    for steps in (2, 3):
        program = type(experiment.estimator.preparation)(total_time=1.0, steps=steps).program(experiment.network.groups)
        executor = experiment.executor.executor(program)
        circuit = executor.circuit(program, experiment.network.groups[0])
        assert circuit.num_qubits == 4
        assert sum(step.operation.name == "cz" for step in circuit.data) == 2 * (steps + 1) * 3


def test_qubits_may_be_named():
    experiment = make({"qubits": [36, 29, 28]})
    assert experiment.network.graph.edges == ((0, 1), (1, 2))
    assert experiment.config.network.qubits == [36, 29, 28]


@pytest.mark.parametrize(
    ("network", "execution", "message"),
    [
        ({}, {}, "network.num_spins: this key is missing"),
        ({"num_spins": 3, "qubits": [1, 2, 3]}, {}, "network.qubits: num_spins is given too"),
        ({"qubits": [1, 2, 1]}, {}, "network.qubits: a qubit is named twice"),
        ({"qubits": [1, 400]}, {}, "the device has no qubit 400"),
        ({"num_spins": 3, "edges": [[0, 1]]}, {}, "network.edges: does not go with graph = 'native'"),
        (
            {"num_spins": 3},
            {"backend": "aer"},
            "'native' is cut from a device; expected network.device = 'fake_...', or execution.backend = 'fake_",
        ),
        (
            {"num_spins": 3, "device": "ibm_torino"},
            {"backend": "mps"},
            "network.device: expected a device snapshot 'fake_...', got 'ibm_torino'",
        ),
        (
            {"num_spins": 3, "device": "fake_torono"},
            {"backend": "mps"},
            "network.device: there is no 'fake_torono'; the nearest names are fake_tor",
        ),
        (
            {"num_spins": 300, "device": "fake_torino"},
            {"backend": "statevector"},
            "network.device: fake_torino has 133 qubits, the network needs 300",
        ),
        ({"graph": "chain", "num_spins": 3, "device": "fake_torino"}, {}, "network.device: does not go with graph"),
        ({"num_spins": 300}, {}, "fake_torino has 133 qubits, the network needs 300"),
        ({"graph": "square"}, {}, "network.num_spins: this key is missing"),
        ({"graph": "heavy_hex", "num_spins": 3, "distance": 3}, {}, "network.distance: num_spins is given too"),
        ({"graph": "chain", "num_spins": 3, "qubits": [1]}, {}, "network.qubits: does not go with graph = 'chain'"),
    ],
)
def test_bad_settings_are_one_line(network, execution, message):
    with pytest.raises(QepError, match=message) as caught:
        make(network, **execution)
    assert "\n" not in str(caught.value)


def test_ideal_backends_take_the_couplings_of_a_named_snapshot():
    """The network is that on the device itself, which goes before the named one."""
    on_device = make({"num_spins": 6})
    assert on_device.config.network.qubits is not None
    ideal = make({"num_spins": 6, "device": "fake_torino"}, backend="mps")
    assert ideal.config.network.qubits == on_device.config.network.qubits
    assert ideal.network.graph.edges == on_device.network.graph.edges
    other = make({"num_spins": 6, "device": "fake_brisbane"})
    assert other.config.network.qubits == on_device.config.network.qubits


def test_patches_of_lattices():
    assert len(make({"graph": "square", "num_spins": 4}).network.graph.edges) == 4
    assert len(make({"graph": "heavy_hex", "num_spins": 6}).network.graph.edges) == 5
    with pytest.raises(ConfigError):
        make({"graph": "square", "num_spins": 0})
