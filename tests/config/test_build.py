import json
import warnings

import numpy as np
import pytest
from warned import warns

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import (
    ConfigError,
    DegenerateGroundStateWarning,
    NetworkError,
    QepWarning,
    ResourceError,
    UnconnectedOutputWarning,
)
from qep_qiskit.execution import NoisyExecutor, SamplerExecutor, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor, fake_device
from qep_qiskit.execution.device_snapshot import description_of
from qep_qiskit.execution.on_device import fractional_device
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import CrossEntropy, SquaredError
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

EXACT = {"kind": "exact"}
PAIR = {"num_spins": 2}


def make(**sections):
    content = {"task": {"kind": "xor"}, "network": PAIR, "preparation": EXACT} | sections
    return build(check_config(content, "run.toml"))


@pytest.mark.parametrize(
    ("network", "spins", "edges"),
    [
        ({"graph": "chain", "num_spins": 4}, 4, 3),
        ({"graph": "ring", "num_spins": 4}, 4, 4),
        ({"graph": "complete", "num_spins": 4}, 4, 6),
        ({"graph": "lattice", "shape": [2, 3]}, 6, 7),
        ({"graph": "lattice", "shape": [3, 3], "periodic": True}, 9, 18),
        ({"graph": "layered", "layers": [2, 3, 1]}, 6, 9),
        ({"graph": "edges", "num_spins": 3, "edges": [[0, 2], [2, 1]]}, 3, 2),
        ({"graph": "chain", "num_spins": 1}, 1, 0),
    ],
)
def test_graph(network, spins, edges):
    graph = make(network=network).network.graph
    assert (graph.num_spins, len(graph.edges)) == (spins, edges)


def test_heavy_hex():
    adiabatic = {"kind": "adiabatic"}
    assert make(network={"graph": "heavy_hex", "distance": 3}, preparation=adiabatic).network.num_qubits == 19


@pytest.mark.parametrize(
    ("network", "outputs"),
    [
        ({"num_spins": 4}, (3,)),
        ({"graph": "layered", "layers": [2, 3, 1]}, (5,)),
        ({"num_spins": 4, "outputs": [1]}, (1,)),
    ],
)
def test_outputs(network, outputs):
    assert make(network=network).network.outputs == outputs


def test_outputs_follow_the_targets():
    """Three parity bits have one target; cross-entropy encodes two classes in two."""
    network = {"num_spins": 4}
    cost = {"kind": "loss", "loss": "cross_entropy"}
    assert make(network=network, cost=cost).network.outputs == (2, 3)


@pytest.mark.parametrize(
    ("network", "links"),
    [
        (PAIR, {(0, 0), (0, 1), (1, 0), (1, 1)}),
        ({"num_spins": 3, "inputs": {"spins": [2]}}, {(0, 2), (1, 2)}),
        ({"graph": "layered", "layers": [1, 2]}, {(0, 0), (1, 0)}),
        ({"num_spins": 3, "inputs": {"links": [[0, 2], [1, 0]]}}, {(0, 2), (1, 0)}),
        ({"num_spins": 3, "inputs": {"mode": "fields"}}, {(0, 0), (1, 1)}),
        ({"num_spins": 3, "inputs": {"mode": "fields", "spins": [2, 0]}}, {(0, 2), (1, 0)}),
    ],
)
def test_inputs(network, links):
    outputs = {"outputs": [1]} if "layers" in network else {}
    assert set(make(network=network | outputs).network.inputs.links) == links


def test_input_fields_do_not_train_and_have_their_strength():
    experiment = make(network={"num_spins": 3, "inputs": {"mode": "fields", "strength": 2.5}})
    layout = experiment.network.layout
    block = layout.slice_of("W")
    assert layout.initial(experiment.seeds)[block].tolist() == [2.5, 2.5]
    assert not layout.trainable()[block].any()


def test_starting_weights():
    network = {
        "num_spins": 2,
        "couplings": {"values": [0.5]},
        "fields": {"distribution": "uniform", "low": 0.5, "high": 2.0, "frozen": ["h[1]"]},
        "biases": {"distribution": "constant", "mean": 0.25, "maximum": 0.3},
        "inputs": {"values": {"W[1,0]": -0.75}},
    }
    experiment = make(network=network)
    layout = experiment.network.layout
    start = dict(zip(layout.names, layout.initial(experiment.seeds).tolist(), strict=True))
    assert (start["J[0,1]"], start["b[0]"], start["b[1]"], start["W[1,0]"]) == (0.5, 0.25, 0.25, -0.75)
    assert 0.5 <= start["h[0]"] <= 2.0
    assert start["h[0]"] != start["h[1]"]
    assert [name for name, trains in zip(layout.names, layout.trainable(), strict=True) if not trains] == ["h[1]"]
    assert layout.bounds()[0][layout.slice_of("h")].tolist() == [0.1, 0.1]
    assert layout.bounds()[1][layout.slice_of("b")].tolist() == [0.3, 0.3]


def test_floor_of_the_fields_can_be_taken_away():
    network = {"num_spins": 2, "fields": {"minimum": 0.0, "values": [0.0, 1.0]}}
    layout = make(network=network).network.layout
    assert layout.bounds()[0][layout.slice_of("h")].tolist() == [0.0, 0.0]


def test_normal_starts_are_truncated_on_request():
    fields = {"distribution": "normal", "mean": 0.2, "std": 0.5, "maximum": 0.9, "truncate": True}
    experiment = make(network={"num_spins": 6, "fields": fields})
    layout = experiment.network.layout
    drawn = layout.initial(experiment.seeds)[layout.slice_of("h")]
    assert ((drawn > 0.1) & (drawn < 0.9)).all()
    assert len(set(drawn)) == 6


STARTS = {
    "couplings": {"distribution": "normal", "mean": 0.0, "std": 0.3, "minimum": None, "maximum": None, "low": None},
    "fields": {"distribution": "constant", "mean": 1.0, "std": None, "minimum": 0.1, "maximum": None, "frozen": False},
    "biases": {"distribution": "normal", "std": 0.1, "truncate": False},
    "inputs": {"distribution": "normal", "std": 0.3, "high": None},
}
ATOMS = {
    "springs": {"distribution": "constant", "mean": 1.0, "minimum": 0.001},
    "anchors": {"mean": 0.5, "minimum": 0.001},
    "masses": {"mean": 1.0, "minimum": 0.001, "frozen": True},
    "forces": {"mean": 0.0, "frozen": True},
    "rest_lengths": {"natural": True, "distribution": None, "mean": None, "minimum": 0.0},
}


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        (PAIR, STARTS),
        (
            PAIR | {"fields": {"distribution": "uniform", "low": 0.5}},
            {"fields": {"low": 0.5, "high": 0.1, "mean": None}},
        ),
        (PAIR | {"biases": {"enabled": False}}, {"biases": {"distribution": None, "minimum": None, "frozen": None}}),
        ({"num_spins": 3, "inputs": {"mode": "fields"}}, {"inputs": {"distribution": None, "frozen": None}}),
        ({"kind": "elastic", "num_atoms": 4, "forces": {}, "rest_lengths": {}}, ATOMS),
        (
            {"kind": "elastic", "num_atoms": 4, "rest_lengths": {"mean": 0.5}},
            {"rest_lengths": {"distribution": "constant", "mean": 0.5, "minimum": 0.0}},
        ),
    ],
)
def test_a_stored_configuration_shows_every_default_of_a_start_and_reads_the_same(network, blocks):
    config = check_config({"task": {"kind": "xor"}, "network": network}, "run.toml")
    stored = json.loads(json.dumps(config.resolved()))
    for name, expected in blocks.items():
        assert {key: stored["network"][name][key] for key in expected} == expected
    assert check_config(stored, "config.json").resolved() == stored


def test_biases_can_be_left_out():
    names = make(network=PAIR | {"biases": {"enabled": False}}).network.layout.names
    assert not any(name.startswith("b") for name in names)


@pytest.mark.parametrize("setting", [{"values": [1.0, 1.0]}, {"mean": 1.0}, {"frozen": True}])
def test_keys_of_biases_that_are_left_out_are_refused(setting):
    """They would be read by nobody."""
    with pytest.raises(ConfigError, match=r"network\.biases"):
        make(network=PAIR | {"biases": {"enabled": False} | setting})


@pytest.mark.parametrize(
    ("kind", "setting"), [("uniform", {"mean": 1.0}), ("constant", {"std": 1.0}), ("normal", {"low": -1.0})]
)
def test_keys_of_another_distribution_are_refused(kind, setting):
    with pytest.raises(ConfigError, match=rf"network\.couplings\.{next(iter(setting))}"):
        make(network=PAIR | {"couplings": {"distribution": kind} | setting})


def test_one_seed_gives_one_run():
    def start(seed):
        experiment = make(seed=seed)
        return experiment.network.layout.initial(experiment.seeds).tolist()

    assert start(1) == start(1)
    assert start(1) != start(2)


@pytest.mark.parametrize(
    ("cost", "kind"),
    [
        ({"kind": "loss"}, LossOnExpectations),
        ({"kind": "loss", "observables": ["X0"]}, LossOnExpectations),
        ({"kind": "operator", "operator": "squared_error"}, OperatorCost),
        ({"kind": "operator", "terms": [{"pauli": "Z0 Z1", "target": 0}]}, OperatorCost),
    ],
)
def test_cost(cost, kind):
    assert isinstance(make(cost=cost).estimator.hamiltonian.cost, kind)


@pytest.mark.parametrize(("name", "kind"), [("squared_error", SquaredError), ("cross_entropy", CrossEntropy)])
def test_loss(name, kind):
    network = {"num_spins": 2}
    found = make(network=network, cost={"kind": "loss", "loss": name, "gain": 2.0}).estimator.hamiltonian.cost.loss
    assert isinstance(found, kind)
    assert getattr(found, "gain", 2.0) == 2.0


OWN_LOSS = """
import numpy as np
from qep_qiskit.network.losses import CustomLoss
quartic = CustomLoss(lambda outputs, targets: np.sum((outputs - targets) ** 4, axis=1))
"""


def test_loss_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "own_quartic_loss.py").write_text(OWN_LOSS)
    monkeypatch.chdir(tmp_path)
    loss = make(cost={"kind": "loss", "loss": "own_quartic_loss:quartic"}).estimator.hamiltonian.cost.loss
    assert loss.value(np.array([[0.5]]), np.array([[-0.5]])).tolist() == [1.0]


def test_preparation():
    section = {"kind": "adiabatic", "total_time": 3.0, "steps": 7, "order": 1, "ramp": "linear", "driver_field": 2.0}
    found = make(preparation=section).estimator.preparation
    expected = AdiabaticPreparation(total_time=3.0, steps=7, order=1, ramp="linear", driver_field=2.0)
    assert found == expected
    assert isinstance(make().estimator.preparation, ExactPreparation)


ADIABATIC = {"kind": "adiabatic"}


@pytest.mark.parametrize(
    ("preparation", "execution", "executor"),
    [
        (EXACT, {}, VectorExecutor),
        (ADIABATIC, {}, AerExecutor),
        (ADIABATIC, {"method": "statevector"}, AerExecutor),
        (ADIABATIC, {"measured_circuits": True}, SamplerExecutor),
        (ADIABATIC, {"method": "matrix_product_state"}, SamplerExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}}, NoisyExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "method": "density_matrix"}, NoisyExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "method": "statevector"}, SamplerExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "measured_circuits": True}, SamplerExecutor),
    ],
)
def test_executor(preparation, execution, executor):
    assert isinstance(make(preparation=preparation, execution=execution).executor, executor)


@pytest.mark.parametrize(
    "execution",
    [
        {"measured_circuits": True},
        {"method": "matrix_product_state"},
        {"noise": {"readout": 0.1}, "measured_circuits": True},
        {"noise": {"readout": 0.1}, "method": "statevector"},
    ],
)
def test_exact_expectations_need_the_state_vector(execution):
    with pytest.raises(ConfigError, match=r"measurement\.shots"):
        make(preparation=ADIABATIC, execution=execution, measurement={"shots": "exact"})


def test_exact_expectations_of_noisy_circuits_need_few_qubits():
    noise, exact = {"noise": {"readout": 0.1}}, {"shots": "exact"}
    ten, eleven = ({"graph": "chain", "num_spins": size} for size in (10, 11))
    found = make(network=ten, preparation=ADIABATIC, execution=noise, measurement=exact)
    assert isinstance(found.executor, NoisyExecutor)
    with pytest.raises(ConfigError, match=r"measurement\.shots: 'exact' .* at most 10 qubits"):
        make(network=eleven, preparation=ADIABATIC, execution=noise, measurement=exact)
    assert isinstance(make(network=eleven, preparation=ADIABATIC, execution=noise).executor, SamplerExecutor)


@pytest.mark.parametrize(
    ("mitigation", "shots"),
    [({"readout": "calibrated"}, 4096), ({"readout": "calibrated", "calibration_shots": 9}, 9)],
)
def test_mitigation(mitigation, shots):
    execution = {"noise": {"readout": 0.1}, "mitigation": mitigation}
    assert make(preparation=ADIABATIC, execution=execution).estimator.mitigation == ReadoutMitigation(
        calibration_shots=shots
    )


@pytest.mark.parametrize(("more", "randomizations"), [({}, 128), ({"randomizations": 7}, 7)])
def test_twirled_readout(more, randomizations):
    execution = {"noise": {"readout": 0.1}, "mitigation": {"readout": "twirled", **more}}
    expected = ReadoutMitigation(readout="twirled", randomizations=randomizations)
    assert make(preparation=ADIABATIC, execution=execution).estimator.mitigation == expected


def test_options_of_the_sampler():
    pytest.importorskip("qiskit_ibm_runtime")
    mitigation = {"dynamical_decoupling": "XpXm", "gate_twirling": True, "randomizations": 9}
    found = make(preparation=ADIABATIC, execution={"backend": "fake_manila", "mitigation": mitigation})
    assert found.config.execution.sampler_options() == SamplerOptions(
        dynamical_decoupling="XpXm", gate_twirling=True, randomizations=9
    )
    assert found.estimator.mitigation is None
    with pytest.raises(ConfigError, match=r"measurement\.shots: 'exact'"):
        make(
            preparation=ADIABATIC,
            execution={"backend": "fake_manila", "mitigation": {"gate_twirling": True}},
            measurement={"shots": "exact"},
        )


@pytest.mark.parametrize("backend", ["fake_kingston", "rehearse:ibm_kingston", "ibm_kingston"])
def test_fractional_gates_are_not_twirled(backend):
    pytest.importorskip("qiskit_ibm_runtime")
    execution = {"backend": backend, "fractional_gates": True, "mitigation": {"gate_twirling": True}}
    if backend.startswith("rehearse:"):
        execution["snapshot"] = description_of(fractional_device(fake_device("fake_kingston", 2)))
    with pytest.raises(ConfigError) as raised:
        make(preparation=ADIABATIC, execution=execution)
    assert str(raised.value) == (
        "execution.mitigation.gate_twirling: does not go with fractional_gates = true; switch one of them off"
    )
    decoupled = execution | {"mitigation": {"dynamical_decoupling": "XX"}}
    assert make(preparation=ADIABATIC, execution=decoupled).config.execution.sampler_options().changes_gates


def test_exact_calibration():
    mitigation = {"readout": "calibrated", "calibration_shots": "exact"}
    execution = {"noise": {"readout": 0.1}, "mitigation": mitigation}
    assert make(preparation=ADIABATIC, execution=execution).estimator.mitigation == ReadoutMitigation(
        calibration_shots=None
    )


def test_extrapolation():
    execution = {"noise": {"readout": 0.1}, "mitigation": {"noise_factors": [1, 3, 5], "extrapolation": "polynomial"}}
    found = make(preparation=ADIABATIC, execution=execution).estimator
    assert found.extrapolation == Extrapolation((1, 3, 5), "polynomial")
    assert found.mitigation is None
    assert make(preparation=ADIABATIC, execution={"noise": {"readout": 0.1}}).estimator.extrapolation is None


@pytest.mark.parametrize(
    ("preparation", "execution", "message"),
    [
        (ADIABATIC, {"mitigation": {"noise_factors": [1, 3]}}, r"mitigation\.noise_factors: this backend has no noise"),
        (EXACT, {"mitigation": {"noise_factors": [1, 3]}}, r"mitigation\.noise_factors: this backend has no noise"),
        (ADIABATIC, {"noise": {}, "mitigation": {"noise_factors": [1, 2]}}, "odd numbers that ascend from 1"),
        (ADIABATIC, {"mitigation": {"readout": "calibrated"}}, r"mitigation\.readout: this backend has no errors"),
        (EXACT, {"mitigation": {"readout": "calibrated"}}, r"mitigation\.readout: this backend has no errors"),
        (ADIABATIC, {"mitigation": {"calibration_shots": 9}}, "goes with readout = 'calibrated' or 'twirled' only"),
        (ADIABATIC, {"mitigation": {"readout": "twirled"}}, r"mitigation\.readout: this backend has no errors"),
        (ADIABATIC, {"mitigation": {"randomizations": 9}}, "goes with readout = 'twirled' or gate_twirling = true"),
        (ADIABATIC, {"mitigation": {"gate_twirling": True}}, "gate_twirling: needs a device, .* got 'aer'"),
        (
            ADIABATIC,
            {"backend": "statevector", "mitigation": {"dynamical_decoupling": "XX"}},
            "dynamical_decoupling: needs a device, 'ibm_...', 'fake_...' or 'rehearse:ibm_...', got 'statevector'",
        ),
        (EXACT, {"mitigation": {"gate_twirling": True}}, "gate_twirling: needs a device"),
    ],
)
def test_mitigation_of_nothing(preparation, execution, message):
    with pytest.raises(ConfigError, match=message):
        make(preparation=preparation, execution=execution)


@pytest.mark.parametrize(
    "execution",
    [{"noise": {"readout": 0.1}}, {"backend": "fake_manila"}],
)
def test_execution_of_circuits_has_no_meaning_for_exact_states(execution):
    with pytest.raises(ConfigError, match="execution"):
        make(execution=execution)


def test_a_device_is_reached_only_where_a_ledger_is():
    network = {"graph": "chain", "num_spins": 60, "inputs": {"spins": [0]}}
    found = make(network=network, preparation=ADIABATIC, execution={"backend": "ibm_somewhere", "wait_seconds": 60})
    with pytest.raises(ConfigError, match="'ibm_somewhere' needs the folder of a run"):
        found.executor.submit(None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"execution": {"instance": "mine"}}, r"execution\.instance: goes with backend = 'ibm_...' only, got 'aer'"),
        ({"execution": {"wait_seconds": 5}}, r"wait_seconds: goes with a device behind a service only, got 'aer'"),
        ({"execution": {"backend": "ibm_a", "measured_circuits": True}}, r"execution\.measured_circuits: does not go"),
        ({"execution": {"backend": "ibm_a", "method": "density_matrix"}}, r"execution\.method: does not go"),
        ({"execution": {"backend": "ibm_a", "noise": {"readout": 0.1}}}, "brings the noise of its device"),
        ({"execution": {"backend": "ibm_a"}, "measurement": {"shots": "exact"}}, r"measurement\.shots: 'exact' needs"),
        ({"execution": {"backend": "ibm_a"}, "preparation": EXACT}, "exact states are sampled without circuits"),
        ({"execution": {"backend": "quantum"}}, "'ibm_...' or 'package.module:factory', got 'quantum'"),
    ],
)
def test_contradictions_of_devices(more, message):
    with pytest.raises(ConfigError, match=message):
        make(**{"preparation": ADIABATIC} | more)


@pytest.mark.parametrize(
    ("network", "outputs"),
    [
        ({"graph": "edges", "num_spins": 3, "edges": [[0, 1]], "inputs": {"spins": [0]}}, "2"),
        ({"graph": "edges", "num_spins": 2, "edges": [], "inputs": {"spins": [0]}}, "1"),
    ],
)
def test_unconnected_output(network, outputs):
    with warns(UnconnectedOutputWarning, f"output spin {outputs} is not connected to any input", line_of=__file__):
        make(network=network)


def test_flip_symmetry():
    network = PAIR | {"biases": {"enabled": False}, "inputs": {"distribution": "constant", "mean": 0.0}}
    with warns(DegenerateGroundStateWarning, "flip symmetry", detail="for 4 of 4 samples"):
        make(network=network)


@pytest.mark.parametrize("network", [PAIR, PAIR | {"biases": {"enabled": False}}])
def test_no_warning(network):
    with warnings.catch_warnings():
        warnings.simplefilter("error", QepWarning)
        make(network=network)


@pytest.mark.parametrize("preparation", [EXACT, ADIABATIC])
def test_memory(monkeypatch, preparation):
    monkeypatch.setattr("qep_qiskit.core.memory.available_bytes", lambda: 1 << 20)
    with pytest.raises(ResourceError, match=r"of 24 qubits does not fit in memory .* at most 1\d qubits would"):
        make(network={"graph": "chain", "num_spins": 24}, preparation=preparation)


def test_matrix_product_states_need_no_state_vector():
    network = {"graph": "chain", "num_spins": 100, "inputs": {"spins": [0]}}
    execution = {"method": "matrix_product_state", "max_bond_dimension": 8}
    assert make(network=network, preparation=ADIABATIC, execution=execution).network.num_qubits == 100


def test_targets_that_do_not_fit_the_outputs_are_refused_when_built():
    """Not later, when the folder of the run is there already."""
    with pytest.raises((ConfigError, NetworkError)):
        make(network=PAIR | {"outputs": [0, 1]})


def test_loss_without_targets_is_refused():
    with pytest.raises(ConfigError, match="cost"):
        make(task={"kind": "none"})


def test_config_of_a_run_builds_the_same_run():
    experiment = make(network={"num_spins": 3, "inputs": {"spins": [0]}}, seed=9)
    again = build(check_config(json.loads(json.dumps(experiment.config.resolved())), "config.json"), experiment.task)
    assert again.network.layout.names == experiment.network.layout.names
    start = again.network.layout.initial(again.seeds)
    assert np.array_equal(start, experiment.network.layout.initial(experiment.seeds))
