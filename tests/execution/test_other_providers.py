"""What backends of other providers return: all readable forms give the same numbers, nothing is taken for zero."""

import numpy as np
import odd_backends as odd
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, variance_p_value
from odd_backends import OddBackend
from qiskit.primitives import BackendSamplerV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap

from qep_qiskit.errors import ConfigError, ResourceError, ResultError
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import Readout, Request, RequestKey, SamplerExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.measurement import moments
from qep_qiskit.network import chain
from qep_qiskit.preparation import AdiabaticPreparation
from qep_qiskit.prepared import CircuitStates
from qep_qiskit.seeds import Seeds

SIZE, STATES = 3, 3
READABLE = [odd.good, odd.counts_only, odd.binary, odd.binary_counts, odd.without_header]


@pytest.fixture(scope="module")
def problem():
    network, weights = random_network(chain(SIZE), np.random.default_rng(5))
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(network.groups)
    rows = network.coefficients(weights, NO_INPUTS) * np.linspace(0.8, 1.3, STATES)[:, None]
    return network.groups, CircuitStates(program=program, parameters=rows)


def outcomes_of(problem, executor, shots=200, step=0, states=range(STATES), randomizations=None):
    groups, prepared = problem
    request = Request(
        key=RequestKey("test", step),
        prepared=prepared,
        readouts=tuple(Readout(group=group, states=np.array(states), shots=shots) for group in groups),
        randomizations=randomizations,
    )
    return executor.collect(executor.submit(request)).outcomes


def counts_of(outcomes):
    return np.array([np.bincount(row[:, -1], minlength=1 << SIZE) for row in outcomes.bits])


@pytest.mark.parametrize("change", READABLE, ids=lambda change: change.__name__)
def test_every_readable_form_holds_the_same_counts(problem, change):
    expected = outcomes_of(problem, SamplerExecutor(OddBackend(), Seeds(3)))
    found = outcomes_of(problem, SamplerExecutor(OddBackend(change), Seeds(3)))
    for own, other in zip(found, expected, strict=True):
        assert np.array_equal(counts_of(own), counts_of(other))


def test_expanded_counts_have_the_means_and_the_covariance_of_shots(problem):
    groups, prepared = problem
    executor = SamplerExecutor(OddBackend(odd.counts_only), Seeds(4))
    exact = np.abs(groups[1].basis.rotate(evolve(prepared.program, prepared.parameters[:1]))[0]) ** 2
    (counts,) = counts_of(outcomes_of(problem, executor, shots=6000, states=[0])[1])
    assert counts_p_value(counts, exact) > LIMIT
    found = moments(outcomes_of(problem, executor, shots=50, step=1, states=[0] * 150)[1], groups[1])
    claimed = np.diagonal(found.covariance, axis1=1, axis2=2).mean(axis=0)
    assert variance_p_value(found.means, claimed) > LIMIT


def test_expanded_counts_are_in_no_order(problem):
    """Under flips some shots are cut off at the end: they must not be those of the last bit string."""
    (bits, _) = outcomes_of(problem, SamplerExecutor(OddBackend(odd.counts_only), Seeds(4)), shots=400)
    changes = np.count_nonzero(np.diff(bits.bits[:, :, 0].astype(int), axis=1), axis=1)
    assert (changes > 2 * (1 << SIZE)).all()
    (bits, _) = outcomes_of(
        problem, SamplerExecutor(OddBackend(odd.counts_only), Seeds(4)), shots=101, randomizations=20
    )
    assert bits.bits.shape == (STATES, 101, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (odd.failed, r"it failed \(status ERROR: out of qubits\)"),
        (odd.failed_job, r"the job of circuit 'Z_basis' failed \(status ERROR: no power\)"),
        (odd.nothing_ran, r"circuit 'Z_basis' .* expected results of 3 circuits, got 0 \(status ERROR: no power\)"),
        (odd.fewer_shots, "expected 200 shots, got 199"),
        (odd.more_shots, "expected 200 shots, got 201"),
        (odd.fewer_counts, "expected 200 shots, got 199"),
        (odd.no_data, "neither a memory of its shots nor counts"),
        (odd.renamed, r"expected the registers \[\['meas', 3\]\], got \[\['c', 3\]\]"),
        (odd.narrower, r"expected the registers \[\['meas', 3\]\], got \[\['meas', 2\]\]"),
        (odd.missing_circuit, "expected results of 3 circuits, got 2"),
        (odd.extra_circuit, "expected results of 3 circuits, got 4"),
        (odd.too_wide, "expected outcomes of 3 bits, hexadecimal or binary, got '0xff'"),
        (odd.frequencies, r"expected counts, whole numbers from 0 on, got 0\."),
        (odd.not_a_number, "expected counts, whole numbers from 0 on, got nan"),
        (odd.negative, "expected counts, whole numbers from 0 on, got -1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_there_is_one_line_with_circuit_and_backend(problem, change, said):
    with pytest.raises(ResultError, match=said) as caught:
        outcomes_of(problem, SamplerExecutor(OddBackend(change), Seeds(3)))
    assert str(caught.value).startswith(f"odd_{change.__name__}: ")
    assert "circuit 'Z_basis'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_job_that_says_that_it_failed_is_believed(problem):
    with pytest.raises(ResultError, match="odd_good: the job of circuit 'Z_basis' failed"):
        outcomes_of(problem, SamplerExecutor(OddBackend(job_status="ERROR"), Seeds(3)))


def test_a_backend_that_raises_is_one_line(problem):
    with pytest.raises(ResultError, match=r"circuit 'Z_basis' could not be run \(RuntimeError: on fire\)"):
        outcomes_of(problem, SamplerExecutor(Burning(), Seeds(3)))


class Burning(OddBackend):
    def run(self, circuits, shots, **options):
        raise RuntimeError("on\nfire")


def test_qiskits_own_sampler_of_a_backend_is_read_by_the_package(problem):
    """BackendSamplerV2 takes a result without memory for zeros."""
    expected = outcomes_of(problem, SamplerExecutor(OddBackend(), Seeds(3)))
    wrapped = SamplerExecutor(BackendSamplerV2(backend=OddBackend(odd.counts_only)), Seeds(3))
    assert np.array_equal(counts_of(outcomes_of(problem, wrapped)[0]), counts_of(expected[0]))


def test_more_shots_than_a_backend_takes_are_several_runs_with_seeds_of_their_own(problem):
    backend = OddBackend(most_shots=80, most_circuits=2)
    (bits, _) = outcomes_of(problem, SamplerExecutor(backend, Seeds(3)), shots=200)
    assert bits.bits.shape == (STATES, 200, 1)
    assert [(circuits, shots) for circuits, shots, _ in backend.runs] == 2 * [
        *((count, 80) for _ in range(2) for count in (2, 1)),
        (2, 40),
        (1, 40),
    ]
    assert len({seed for *_, seed in backend.runs}) == len(backend.runs)
    exact = np.abs(evolve(problem[1].program, problem[1].parameters)) ** 2
    many = outcomes_of(problem, SamplerExecutor(OddBackend(most_shots=1000), Seeds(3)), shots=4500)[0]
    assert min(counts_p_value(own, row) for own, row in zip(counts_of(many), exact, strict=True)) > LIMIT


@pytest.mark.parametrize("target", ["ibm_torino", OddBackend, None, 7])
def test_what_is_no_backend_is_refused(target):
    with pytest.raises(ConfigError, match="expected a BackendV2 or a SamplerV2, got"):
        SamplerExecutor(target, Seeds(0))


def test_a_device_in_pieces(problem):
    pieces = GenericBackendV2(4, coupling_map=CouplingMap([[0, 1], [1, 0], [2, 3], [3, 2]]), noise_info=False, seed=1)
    with pytest.raises(ResourceError, match="its qubits are in pieces of at most 2, the network needs 3 connected"):
        outcomes_of(problem, SamplerExecutor(pieces, Seeds(0)))
    large = GenericBackendV2(
        5, coupling_map=CouplingMap([[0, 1], [1, 0], [2, 3], [3, 2], [3, 4], [4, 3]]), noise_info=False, seed=1
    )
    found = outcomes_of(problem, SamplerExecutor(large, Seeds(0)), shots=4000)
    exact = outcomes_of(problem, AerExecutor(Seeds(0)), shots=None)
    for own, other in zip(found, exact, strict=True):
        p_values = [counts_p_value(*pair) for pair in zip(counts_of(own), other.weights, strict=True)]
        assert min(p_values) > LIMIT
