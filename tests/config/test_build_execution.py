"""Executors and mitigation that sections build, and what contradicts itself there."""

import pytest
from built_runs import ADIABATIC, EXACT, make

from qep_qiskit.core.errors import (
    ConfigError,
    ResourceError,
)
from qep_qiskit.execution import NoisyExecutor, SamplerExecutor, StatevectorExecutor, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor, fake_device
from qep_qiskit.execution.decoherence import DecoherenceExecutor
from qep_qiskit.execution.device_snapshot import description_of
from qep_qiskit.execution.on_device import fractional_device
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation


@pytest.mark.parametrize(
    ("preparation", "execution", "executor"),
    [
        (EXACT, {}, VectorExecutor),
        (ADIABATIC, {}, StatevectorExecutor),
        (ADIABATIC, {"device": "CPU", "measured_circuits": False}, StatevectorExecutor),
        (ADIABATIC, {"backend": "aer"}, AerExecutor),
        (ADIABATIC, {"method": "statevector"}, AerExecutor),
        (ADIABATIC, {"measured_circuits": True}, SamplerExecutor),
        (ADIABATIC, {"method": "matrix_product_state"}, SamplerExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}}, NoisyExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "method": "density_matrix"}, NoisyExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "method": "statevector"}, SamplerExecutor),
        (ADIABATIC, {"noise": {"readout": 0.1}, "measured_circuits": True}, SamplerExecutor),
        (ADIABATIC, {"noise": {"dephasing_rate": 0.1}}, DecoherenceExecutor),
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


DEPHASING = {"dephasing_rate": 0.1}


@pytest.mark.parametrize(
    ("preparation", "execution", "message"),
    [
        ({"kind": "variational"}, {"noise": DEPHASING}, r"expected preparation.kind = 'adiabatic' of spins, got 'var"),
        (ADIABATIC, {"noise": {**DEPHASING, "readout": 0.1}}, r"noise.dephasing_rate: .* got readout; set one of them"),
        (ADIABATIC, {"noise": DEPHASING, "measured_circuits": True}, r"measured_circuits: does not go with noise.deph"),
        (ADIABATIC, {"noise": DEPHASING, "method": "statevector"}, r"method: noise.dephasing_rate is simulated by"),
        (ADIABATIC, {"noise": DEPHASING, "mitigation": {"readout": "calibrated"}}, r"mitigation: readout and noise_f"),
        (ADIABATIC, {"noise": DEPHASING, "mitigation": {"noise_factors": [1, 3]}}, r"mitigation: readout and noise_f"),
    ],
)
def test_decoherence_in_time_goes_with_ramps_alone(preparation, execution, message):
    with pytest.raises(ConfigError, match=message):
        make(preparation=preparation, execution=execution)


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
        (ADIABATIC, {"mitigation": {"gate_twirling": True}}, "gate_twirling: needs a device, .* got 'statevector'"),
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
        (
            {"execution": {"instance": "mine"}},
            r"execution\.instance: goes with backend = 'ibm_...' only, got 'statevector'",
        ),
        (
            {"execution": {"wait_seconds": 5}},
            r"wait_seconds: goes with a device behind a service only, got 'statevector'",
        ),
        ({"execution": {"backend": "ibm_a", "measured_circuits": True}}, r"execution\.measured_circuits: does not go"),
        ({"execution": {"backend": "ibm_a", "method": "density_matrix"}}, r"execution\.method: does not go"),
        ({"execution": {"backend": "ibm_a", "noise": {"readout": 0.1}}}, "brings the noise of its device"),
        ({"execution": {"backend": "ibm_a"}, "measurement": {"shots": "exact"}}, r"measurement\.shots: 'exact' needs"),
        ({"execution": {"backend": "ibm_a"}, "preparation": EXACT}, "exact states are sampled without circuits"),
        ({"execution": {"backend": "quantum"}}, r"'ibm_...', 'ocean:...' or 'package.module:factory', got 'quantum'"),
    ],
)
def test_contradictions_of_devices(more, message):
    with pytest.raises(ConfigError, match=message):
        make(**{"preparation": ADIABATIC} | more)


@pytest.mark.parametrize("preparation", [EXACT, ADIABATIC])
def test_memory(monkeypatch, preparation):
    monkeypatch.setattr("qep_qiskit.core.memory.available_bytes", lambda: 1 << 20)
    with pytest.raises(ResourceError, match=r"of 24 qubits does not fit in memory .* at most 1\d qubits would"):
        make(network={"graph": "chain", "num_spins": 24}, preparation=preparation)


def test_matrix_product_states_need_no_state_vector():
    network = {"graph": "chain", "num_spins": 100, "inputs": {"spins": [0]}}
    execution = {"method": "matrix_product_state", "max_bond_dimension": 8}
    assert make(network=network, preparation=ADIABATIC, execution=execution).network.num_qubits == 100


@pytest.mark.parametrize(
    ("execution", "way_out"),
    [
        ({"backend": "aer"}, r"execution\.backend = 'statevector' evolves parts"),
        ({"noise": {"dephasing_rate": 0.1}}, r"'statevector', without execution\.noise, evolves parts"),
    ],
)
def test_joint_vectors_of_unconnected_parts_name_the_way_out(execution, way_out):
    edges = [[k, k + 1] for k in range(0, 60, 2)]
    with pytest.raises(ResourceError, match=rf"of 60 qubits does not fit in memory .* {way_out}"):
        make(
            network={"graph": "edges", "num_spins": 60, "edges": edges, "outputs": [0]},
            preparation=ADIABATIC,
            execution=execution,
        )
