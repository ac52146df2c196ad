"""Error bars under a loss on expectations on random networks, by the study of benchmarks/error_bars.py."""

import numpy as np
import pytest
from error_bars_study import study
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.error_signals import SignalBatch
from qep_qiskit.learning.excitation import Excitation
from qep_qiskit.learning.signal_noise import UsedPhases, _bending, unseen_directions
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import PauliNetwork
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")


def figures(numbers, repeats, seed=0):
    chosen = [case for number, case in enumerate(study.cases(max(numbers) + 1, seed)) if number in numbers]
    return [study.studied(case, repeats, seed) for case in chosen]


@pytest.mark.parametrize("size", [None, 0.2])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_saturation_of_one_spin_is_exact(kind, size):
    """H = -h X - b Z nudged by eps Z: the contrast as a function of eps, and its slope by a step of 1e-5.

    Where nudges are divided by a size that is proportional to eps, the contrast is proportional to eps too.
    """
    field, bias, signal = 0.8, 0.3, 0.9
    contrast = Contrast(kind=kind, beta=0.5)
    betas = contrast.betas
    stencil = contrast.stencil_on(betas)

    def derivative(eps):
        part = 1.0 if size is None else size * eps / signal
        return part * float(((bias - betas * eps / part) / np.hypot(field, bias - betas * eps / part)) @ stencil)

    energy, shots = np.hypot(field, bias), 50.0
    mean, variance = bias / energy, (field / energy) ** 2
    batch = SignalBatch(
        signals=np.array([[signal]]),
        slope=np.ones((1, 1, 1)),
        covariance=np.ones((1, 1, 1)),
        fluctuations=np.zeros((1, 1, 1)),
        output_covariance=np.array([[[variance / shots]]]),
        moved=np.ones((1, 1), dtype=bool),
        excitation=Excitation(gain=shots / energy, shots=shots, shift=np.array([-2.0 * mean * signal])),
        is_free_phase=False,
        size_slope=None if size is None else np.array([[size / signal]]),
    )
    used = UsedPhases(
        betas=betas,
        stencil=stencil,
        mean_noise=np.ones((1, 1)),
        free_weight=0.0,
        sizes=np.array([size or 1.0]),
    )
    secant, bend = _bending(batch, used)
    linear = -variance * signal / energy
    assert secant == pytest.approx(derivative(signal) / linear, rel=1e-9)
    slope = (derivative(signal + 1e-5) - derivative(signal - 1e-5)) / 2e-5
    assert bend[0] == pytest.approx(slope * signal / derivative(signal), rel=1e-5)
    assert max(abs(bend[0] - 1.0), abs(secant - 1.0)) > 0.01


def signals_of(operators, outputs, targets):
    """Error signals of weights 1 as 1e6 shots read them."""
    hamiltonian = NudgedHamiltonian(PauliNetwork.from_operators(operators), LossOnExpectations(outputs))
    contrast = Contrast(kind="symmetric", beta=0.01)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=contrast, shots=1_000_000
    )
    work = estimator.phases(np.ones(2), np.zeros((1, 0)), targets[None], RequestKey("test", 0), contrast.betas)
    return run_measurements(work, VectorExecutor(Seeds(1)))[0].signals


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_sum_rule_of_sums_of_strings(constant):
    """Z0 + Z0 Z1, both of which X0 flips, has the energy of dense matrices; a constant excites nothing.

    Without couplings it is exact that flips are independent of what they find. All means are read from 1e6 shots.
    """
    operators = {"h": SparsePauliOp(["IX", "XI"], [-0.8, -0.8]), "b": SparsePauliOp(["IZ", "ZI"], [-0.3, -0.3])}
    output = SparsePauliOp(["IZ", "ZZ", "II"], [1.0, 1.0, constant])
    signals = signals_of(operators, (output,), targets=np.zeros(1))

    free, dense = sum(operators.values()).to_matrix(), output.to_matrix()
    state = np.linalg.eigh(free)[1][:, 0]

    def mean(operator):
        return float(np.real(state.conj() @ operator @ state))

    inner = free @ dense - dense @ free
    variance = mean(dense @ dense) - mean(dense) ** 2
    energy = 0.5 * mean(dense @ inner - inner @ dense) / variance
    found = signals.excitation
    assert found.shots == pytest.approx(1e6, rel=1e-5)
    assert 2.0 * found.shots / found.gain == pytest.approx(energy, rel=0.01)
    assert found.shift is None


def test_shift_of_two_outputs_is_that_of_one_flip():
    """Spins without couplings: the flip of one leaves the other, at rates h <X> eps^2."""
    fields, biases, eps = np.array([0.8, 1.2]), np.array([0.3, -0.4]), np.array([0.5, -0.25])
    operators = {"a": SparsePauliOp(["IX", "IZ"], [-0.8, -0.3]), "b": SparsePauliOp(["XI", "ZI"], [-1.2, 0.4])}
    outputs = SparsePauliOp("IZ"), SparsePauliOp("ZI")
    energies = np.hypot(fields, biases)
    means = biases / energies
    signals = signals_of(operators, outputs, targets=means - eps / 2.0)
    rates = fields**2 / energies * eps**2
    shift = -2.0 * rates @ (eps * means) / rates.sum()
    assert signals.signals[0] == pytest.approx(eps, abs=0.01)
    assert signals.excitation.shift[0] == pytest.approx(shift, rel=0.05)


def test_what_no_signal_points_to_is_not_in_the_data():
    assert unseen_directions(np.array([[0.6, -0.8]])) == pytest.approx(np.array([[0.64, 0.48], [0.48, 0.36]]))
    assert unseen_directions(np.array([[0.6, -0.8], [0.2, 0.1]])) == pytest.approx(np.zeros((2, 2)), abs=1e-12)
    assert unseen_directions(np.array([[0.3], [0.1]])) == pytest.approx(np.zeros((1, 1)), abs=1e-12)


def test_two_outputs_of_one_sample_are_approximate():
    """One weight's variance is up to half as large again as claimed there: the second response is not in the data."""
    assert figures([15], 200, 11)[0]["marked"] > 0.25  # the share from which on the study below spares a network


# One-sided with two outputs and one sample, symmetric with 20 shots and with a strong nudge, four-point.
@pytest.mark.deep(but=["0", "16"])
@pytest.mark.parametrize("number", [0, 6, 9, 16])
def test_claimed_variances(number):
    """Before, the sum was off by up to a fifth on these networks, and weights by up to three quarters."""
    found = figures([number], 800)[0]
    assert abs(found["sum"] - 1.0) < 0.1 + 3 * found["error"]
    sampling = 4 * np.sqrt(2.0 / 800)
    assert found["least"] > 0.8 - sampling
    assert found["most"] < 1.25 + sampling


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7, 11])
def test_twenty_networks(seed):
    """A tenth in the sum and a quarter for weights, but for estimates that say that they are approximate."""
    rows = figures(range(20), 2000, seed)
    sure = [row for row in rows if row["marked"] < 0.25]
    assert (
        len(sure) >= 10
    )  # of twenty; half have two outputs, most of these one sample, which cannot tell two responses
    assert all(abs(row["sum"] - 1.0) < 0.1 + 3 * row["error"] for row in sure)
    assert all(row["least"] > 0.8 - 0.1 and row["most"] < 1.25 + 0.1 for row in sure)
    costs = np.array([row["cost"] for row in rows if row["cost marked"] < 0.25])
    assert (np.abs(costs - 1.0) < 0.1 + 3 * np.sqrt(2.0 / 2000)).all()
