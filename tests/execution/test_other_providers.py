"""What backends of other providers return: all readable forms give the same numbers, nothing is taken for zero."""

from types import SimpleNamespace

import numpy as np
import odd_backends as odd
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, variance_p_value
from odd_backends import OddBackend
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2, BitArray, DataBin, SamplerPubResult
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from qep_qiskit.core.errors import ConfigError, ResourceError, ResultError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, SamplerExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.network import chain
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SIZE, STATES = 3, 3
LINE = [[k + a, k + 1 - a] for k in range(4) for a in (0, 1)]
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
        measurements=tuple(GroupMeasurement(group=group, states=np.array(states), shots=shots) for group in groups),
        randomizations=randomizations,
    )
    return executor.collect(executor.submit(request)).outcomes


def counts_of(outcomes):
    return np.array([np.bincount(row[:, -1], minlength=1 << SIZE) for row in outcomes.bits])


@pytest.mark.deep(but=["good", "binary"])
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
    found = outcomes_of(problem, executor, shots=50, step=1, states=[0] * 150)[1].moments(groups[1])
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


@pytest.mark.deep(but=["failed-", "fewer_counts-", "renamed-", "negative-"])
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
    made = SamplerExecutor(OddBackend(), Seeds(3), sampler_factory=lambda seed: BackendSamplerV2(backend=failing))
    failing = OddBackend(odd.failed)
    with pytest.raises(ResultError, match="odd_failed: circuit 'Z_basis', 3 of 3: it failed"):
        outcomes_of(problem, made)


@pytest.mark.parametrize("where", ["backend", "run options", "run options of Aer's sampler"])
def test_the_noise_of_a_sampler_is_kept(problem, where):
    """Noise of `cx` acts, though the simulator also runs `rzz`, which has none: counts are those of the backend."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    noisy = AerSimulator(noise_model=model)
    sampler = {
        "backend": lambda: BackendSamplerV2(backend=noisy),
        "run options": lambda: BackendSamplerV2(
            backend=AerSimulator(), options={"run_options": {"noise_model": model}}
        ),
        "run options of Aer's sampler": lambda: SamplerV2(options={"run_options": {"noise_model": model}}),
    }[where]()
    found = counts_of(outcomes_of(problem, SamplerExecutor(sampler, Seeds(3)), shots=4000)[1])
    expected = counts_of(outcomes_of(problem, SamplerExecutor(noisy, Seeds(4)), shots=40_000)[1]) / 40_000
    ideal = outcomes_of(problem, AerExecutor(Seeds(0)), shots=None)[1].weights
    assert min(counts_p_value(*pair) for pair in zip(found, expected, strict=True)) > LIMIT
    assert max(counts_p_value(*pair) for pair in zip(found, ideal, strict=True)) < LIMIT


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


def runtime_sampler(device):
    from qiskit_ibm_runtime.executor_sampler import Sampler

    return Sampler(mode=device, options={"simulator": {"angle_decimals": 15}})


@pytest.mark.parametrize("make", [runtime_sampler, SamplerV2.from_backend], ids=["runtime", "aer"])
def test_a_sampler_of_a_device_gets_circuits_of_its_device(problem, make):
    """Ideal gates of five qubits in a line; the sampler says which backend it runs on."""
    pytest.importorskip("qiskit_ibm_runtime")
    line = GenericBackendV2(5, basis_gates=["rz", "sx", "x", "cx"], coupling_map=LINE, noise_info=False, seed=1)
    found = outcomes_of(problem, SamplerExecutor(make(line), Seeds(0)), shots=4000)
    exact = outcomes_of(problem, AerExecutor(Seeds(0)), shots=None)
    for own, other in zip(found, exact, strict=True):
        p_values = [counts_p_value(*pair) for pair in zip(counts_of(own), other.weights, strict=True)]
        assert min(p_values) > LIMIT


class Picky(BaseSamplerV2):
    """Takes circuits of its device only, and does not say which that is."""

    def run(self, pubs, *, shots=None):
        for circuit, _ in pubs:
            if "rzz" in circuit.count_ops():
                raise ValueError("not an\nISA circuit")
        return SamplerV2().run(pubs, shots=shots)


def test_a_sampler_that_does_not_say_its_device_wants_the_backend(problem):
    with pytest.raises(
        ResultError, match=r"Picky: circuit 'Z_basis' could not be run \(ValueError: not an ISA"
    ) as caught:
        outcomes_of(problem, SamplerExecutor(Picky(), Seeds(0)))
    assert "give the backend: SamplerExecutor(backend, seeds, sampler_factory=lambda seed: sampler)" in str(
        caught.value
    )
    line = GenericBackendV2(5, basis_gates=["rz", "sx", "x", "cx"], coupling_map=LINE, noise_info=False, seed=1)
    outcomes_of(problem, SamplerExecutor(line, Seeds(0), sampler_factory=lambda seed: Picky()))


class Renaming(BaseSamplerV2):
    """Other register names, or other numbers of results."""

    def __init__(self, change):
        self.change = change

    def run(self, pubs, *, shots=None):
        found = list(SamplerV2().run(pubs, shots=shots).result())
        return SimpleNamespace(result=lambda: self.change(found))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found[:-1], r"expected 1 result \(of the circuits 'Z_basis'\), got 0"),
        (lambda found: found * 2, "got 2"),
        (lambda found: None, "expected a result for every circuit, got None"),
        (
            lambda found: [SamplerPubResult(DataBin(c=own.data.meas, shape=own.data.shape)) for own in found],
            "result 0 has no register 'meas', its registers are: c",
        ),
        (
            lambda found: [SamplerPubResult(DataBin(meas=BitArray(own.data.meas.array, 4))) for own in found],
            "circuit 'Z_basis': expected 3 bits a shot, got 4",
        ),
        (
            lambda found: [SamplerPubResult(DataBin(meas=own.data.meas.slice_shots(range(9)))) for own in found],
            r"circuit 'Z_basis': expected bits of shape \(3, 200, 1\) .* got \(3, 9, 1\)",
        ),
    ],
    ids=["fewer", "more", "none", "renamed", "wider", "shots"],
)
def test_results_of_a_sampler_pass_the_gate(problem, change, said):
    with pytest.raises(ResultError, match=f"^Renaming: .*{said}"):
        outcomes_of(problem, SamplerExecutor(Renaming(change), Seeds(0)))


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
