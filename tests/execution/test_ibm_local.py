"""IBM's sampler on the snapshot of a device: its distributions, shots that repeat, and what it does to gates."""

import numpy as np
import pytest
from chi_square import LIMIT, counts_p_value
from gate_binding import bind_gates
from ibm_requests import calibrated_request, ramp_request
from qiskit_aer import AerSimulator

pytest.importorskip("qiskit_ibm_runtime")

from qiskit_ibm_runtime import executor_sampler
from qiskit_ibm_runtime.executor.dynamical_decoupling import generate_dd_pass_manager
from qiskit_ibm_runtime.options_models.dynamical_decoupling import DynamicalDecouplingOptions

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import ibm_local
from qep_qiskit.execution.aer import _DensityMatrices, device_executor, fake_device
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.execution.ibm_local import LocalIbmExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions

TWIRLED = SamplerOptions(gate_twirling=True, randomizations=6)
DECOUPLED = SamplerOptions(dynamical_decoupling="XX")


def executor(options=None, seed=1):
    return device_executor(fake_device("fake_manila", 3), Seeds(seed), options=options)


def run(request, options=None, seed=1):
    made = executor(options, seed)
    return made.collect(made.submit(request))


def counts(outcomes):
    return np.array([np.bincount(row[:, 0], minlength=8) for row in outcomes.bits])


def assert_from(outcomes, probabilities):
    for row, expected in zip(counts(outcomes), probabilities, strict=True):
        assert counts_p_value(row, expected) > LIMIT


def test_only_what_changes_gates_goes_through_it():
    program = ramp_request().prepared.program
    assert isinstance(executor(TWIRLED).executor(program), LocalIbmExecutor)
    assert isinstance(executor(DECOUPLED).executor(program), LocalIbmExecutor)
    assert not isinstance(executor(SamplerOptions()).executor(program), LocalIbmExecutor)


@pytest.mark.deep(but=["twirled"])
@pytest.mark.parametrize("options", [TWIRLED, DECOUPLED], ids=["twirled", "decoupled"])
def test_shots_follow_from_the_seed_and_come_in_full(options):
    request = ramp_request(shots=(50, 40), states=((0, 1), (0, 2)))
    first, again, other = (run(request, options, seed) for seed in (1, 1, 2))
    assert [outcomes.bits.shape for outcomes in first.outcomes] == [(2, 50, 1), (2, 40, 1)]
    for one, same, different in zip(first.outcomes, again.outcomes, other.outcomes, strict=True):
        assert np.array_equal(one.bits, same.bits)
        assert not np.array_equal(one.bits, different.bits)


def test_decoupled_circuits_have_pulses_and_the_noise_of_waiting():
    """Against density matrices of the circuits with delays and pulses; those without are another distribution."""
    request = ramp_request(shots=(4000, 4000), states=((0, 1), (0, 1)))
    local = executor(DECOUPLED).executor(request.prepared.program)
    simulator, program = local._simulator, request.prepared.program
    padded = generate_dd_pass_manager(simulator, DynamicalDecouplingOptions(enable=True, sequence_type="XX"))
    exact, data = _DensityMatrices(AerSimulator.from_backend(simulator)), local.collect(local.submit(request))
    bare = []
    for measurement, outcomes in zip(request.measurements, data.outcomes, strict=True):
        circuit = local.circuit(program, measurement.group)
        values = bind_gates(circuit, gate_values(program, request.prepared.parameters[measurement.states]))
        assert_from(outcomes, exact(padded.run(circuit), values))
        bare += [counts_p_value(*pair) for pair in zip(counts(outcomes), exact(circuit, values), strict=True)]
    assert min(bare) < LIMIT


def test_twirled_circuits_have_nearly_the_distribution_of_the_device():
    """Errors of snapshots are stochastic; twirling changes those that are no Pauli errors, by little."""
    data = run(ramp_request(shots=(600, 600), states=((0,), (0,))), TWIRLED)
    exact = run(ramp_request(shots=(None, None), states=((0,), (0,))))
    for found, expected in zip(data.outcomes, exact.outcomes, strict=True):
        assert np.abs(counts(found) / 600 - expected.weights).sum() / 2 < 0.1


@pytest.mark.deep
def test_readings_are_flipped_as_the_package_flips_them():
    """With a randomization for every shot, against the exact mean over all flips."""
    request = calibrated_request(shots=(300, 300), calibration_shots=600, kind="twirled", randomizations=300)
    exact = run(calibrated_request(shots=(None, None), calibration_shots=None, kind="twirled"))
    other = executor(DECOUPLED).executor(request.prepared.program)
    local = LocalIbmExecutor(other._simulator, Seeds(1), SamplerOptions(), place=other._circuits.transpiled_program)
    data = local.collect(local.submit(request))
    assert data.calibration.bits.shape == (1, 600, 1)
    assert_from(data.calibration, exact.calibration.weights)
    for found, expected in zip(data.outcomes, exact.outcomes, strict=True):
        assert_from(found, expected.weights)


def test_every_circuit_has_random_numbers_of_its_own(monkeypatch):
    seeds, inner = [], executor_sampler.Sampler

    def sampler(mode, options):
        seeds.append(options["simulator"]["seed_simulator"])
        return inner(mode=mode, options=options)

    monkeypatch.setattr(ibm_local, "Sampler", sampler)
    data = run(calibrated_request(shots=(50, 50), calibration_shots=400), DECOUPLED)
    assert len(set(seeds)) == len(seeds) == 4
    assert data.calibration.bits.shape == (2, 400, 1)
    assert np.bitwise_count(data.calibration.bits).mean(axis=(1, 2)) == pytest.approx([0, 3], abs=0.4)
