"""Backends that a configuration names ``package.module:factory``."""

from itertools import pairwise

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value
from qiskit_aer import AerSimulator

from qep_qiskit import RequestKey, run_measurements
from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError, NoLedgerWarning, QepError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import SamplerExecutor, bound_circuits
from qep_qiskit.execution.circuits import transpile_on

AER = {"backend": "qiskit_aer:AerSimulator", "backend_options": {"method": "statevector"}}
GENERIC = {"backend": "qiskit.providers.fake_provider:GenericBackendV2", "backend_options": {"num_qubits": 5}}


def content_of(execution, **more):
    ramp = {"kind": "adiabatic", "total_time": 1.0, "steps": 3}
    return {"task": {"kind": "xor"}, "network": {"num_spins": 3}, "preparation": ramp, "execution": execution} | more


def make(execution, **more):
    return build(check_config(content_of(execution, **more), "run.toml"))


def estimate_of(experiment, step=0):
    data, weights = experiment.task.train, experiment.network.layout.initial(experiment.seeds)
    key = RequestKey("train", step)
    return run_measurements(
        experiment.estimator.estimate(weights, data.inputs, data.targets, key), experiment.executor
    )[0]


@pytest.mark.parametrize("execution", [AER, GENERIC | {"backend_options": {"num_qubits": 3, "noise_info": False}}])
def test_gradients_of_any_ideal_backend_are_those_of_the_engine(execution):
    aim = {"cost": {"kind": "operator", "operator": "squared_error"}, "contrast": {"beta": 0.5}}
    exact = estimate_of(make({"backend": "statevector"}, measurement={"shots": "exact"}, **aim))
    with pytest.warns(NoLedgerWarning, match="cannot be retrieved"):
        experiment = make(execution, measurement={"shots": 400}, **aim)
    found = [estimate_of(experiment, step) for step in range(6)]
    samples, variance = np.array([one.gradient for one in found]), np.mean([one.variance for one in found], axis=0)
    assert mean_p_value(samples, exact.gradient, variance) > LIMIT


@pytest.fixture
def needs_numbers(monkeypatch):
    """Every transpiler fails where an angle is free."""
    made = bound_circuits.generate_preset_pass_manager

    class NeedsNumbers:
        def __init__(self, **options):
            self.inner = made(**options)

        def run(self, circuits):
            for circuit in circuits if isinstance(circuits, list) else [circuits]:
                if circuit.parameters:
                    raise TypeError("an angle is not a number")
            return self.inner.run(circuits)

    monkeypatch.setattr(bound_circuits, "generate_preset_pass_manager", NeedsNumbers)
    monkeypatch.setattr(bound_circuits, "_HOOKS", ("run",))


@pytest.mark.deep
def test_a_transpiler_without_free_angles_gives_the_same_distribution(needs_numbers):
    test_gradients_of_any_ideal_backend_are_those_of_the_engine(AER)


def test_without_free_angles_a_given_place_is_kept_and_given_qubits_are_refused(needs_numbers):
    """Where programs sit is decided where they are placed: unplaced, as given, or not at all."""
    program = make({"backend": "statevector"}).estimator.preparation.program
    backend, seeds = AerSimulator(), Seeds(0)
    groups = make({"backend": "statevector"}).network.groups
    given = transpile_on(None, seeds, 1)(program(groups))
    kept = SamplerExecutor(backend, seeds, place=lambda _: given)
    assert kept._circuits.transpiled_program(program(groups)) is given
    assert SamplerExecutor(backend, seeds)._circuits.transpiled_program(program(groups)).backend is None
    with pytest.raises(ConfigError, match=r"network.graph: the transpiler of \S+ takes no free angles"):
        transpile_on(backend, seeds, 1, layout=[2, 1, 0])


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        ({"backend": "no_such_package:thing"}, "execution.backend: cannot import 'no_such_package:thing'"),
        ({"backend": "qiskit_aer:NoSuchThing"}, "execution.backend: cannot import 'qiskit_aer:NoSuchThing'"),
        ({"backend": "provider_stand_in:not_a_function"}, "to be a function or class that makes a backend, got int"),
        ({"backend": "provider_stand_in:nothing"}, "to return a BackendV2 of Qiskit or a RemoteDevice, got NoneType"),
        ({"backend": "provider_stand_in:breaking"}, r"made no backend \(RuntimeError: the token is wrong\)"),
        (GENERIC | {"backend_options": {"num_spins": 2}}, "are the keys of execution.backend_options"),
        (GENERIC | {"backend_options": {"num_qubits": 2}}, "GenericBackendV2 has 2 qubits, the network needs 3"),
        ({"backend": "aer", "backend_options": {"x": 1}}, "execution.backend_options: goes with backend = 'package"),
        (AER | {"noise": {"readout": 0.1}}, "execution.noise"),
        (AER | {"method": "statevector"}, "execution.method"),
        (AER | {"instance": "mine"}, "execution.instance"),
        (AER | {"mode": "batch"}, "execution.mode"),
        (AER | {"wait_seconds": 3.0}, "execution.wait_seconds"),
    ],
)
def test_what_cannot_be_used_is_one_line(execution, message):
    with pytest.raises(QepError, match=message) as caught:
        make(execution)
    assert "\n" not in str(caught.value)


def test_exact_expectations_are_refused():
    with pytest.raises(ConfigError, match=r"measurement.shots: 'exact' needs"):
        make(AER, measurement={"shots": "exact"})


def test_a_native_network_is_cut_from_any_device():
    options = {"num_qubits": 6, "coupling_map": [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]], "seed": 3}
    with pytest.warns(NoLedgerWarning):
        experiment = make(GENERIC | {"backend_options": options}, network={"graph": "native", "num_spins": 4})
    qubits = experiment.config.network.qubits
    assert [abs(a - b) for a, b in pairwise(qubits)] == [1, 1, 1]
