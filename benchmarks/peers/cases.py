"""What is timed in the comparisons of speed: functions that make the work of one contestant (`paired.Contestant`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qep_qiskit as qep
from benchmarks import variational
from benchmarks.peers.simulators import SIMULATORS, PeerExecutor
from qep_qiskit.preparation.energies import Problem

ROOT = Path(__file__).resolve().parents[2]
Work = Callable[[int], "NDArray | None"]
_BETA = 0.2
_PAULIS = {"X": np.array([[0.0, 1.0], [1.0, 0.0]]), "Z": np.diag([1.0, -1.0])}


def problem(spins: int, samples: int) -> tuple[qep.NudgedHamiltonian, NDArray, NDArray, NDArray]:
    """A chain with two inputs on every spin and a loss on two outputs; weights, inputs and targets of a batch.

    Args:
        spins: Number of spins.
        samples: Number of samples.
    """
    inputs = qep.ClampedInputs.all_to(2, range(spins))
    network = qep.IsingNetwork(graph=qep.chain(spins), outputs=(0, 1), inputs=inputs)
    rng = np.random.default_rng(spins)
    hamiltonian = qep.NudgedHamiltonian(network, qep.LossOnExpectations.on_spins(network.outputs, spins))
    weights = network.layout.initial(qep.Seeds(0))
    return hamiltonian, weights, rng.normal(size=(samples, 2)), rng.choice([-1.0, 1.0], size=(samples, 2))


def _estimates(spins: int, samples: int, preparation: Any, executor: Any, shots: int | None) -> Work:
    hamiltonian, weights, inputs, targets = problem(spins, samples)
    contrast = qep.Contrast(beta=_BETA)
    estimator = qep.GradientEstimator(hamiltonian=hamiltonian, preparation=preparation, contrast=contrast, shots=shots)

    def gradient(number: int) -> NDArray:
        work = estimator.estimate(weights, inputs, targets, qep.RequestKey("benchmark", number))
        return qep.run_measurements(work, executor)[0].gradient

    return gradient


def ramp_gradient(cores: int, spins: int, samples: int, steps: int, shots: int | None, simulator: str) -> Work:
    """A gradient from ramps: the free state and two nudged ones of every sample, on one simulator.

    Args:
        cores: Number of cores.
        spins: Number of spins of a chain.
        samples: Number of samples in the batch.
        steps: Number of Trotter steps.
        shots: Shots per measured circuit, or None for exact expectations.
        simulator: ``"double"`` or ``"single"`` for the engine, else a name of `SIMULATORS`.
    """
    qep.set_jobs(cores)
    warnings.simplefilter("ignore")
    if simulator in SIMULATORS:
        executor: Any = PeerExecutor(qep.Seeds(0), SIMULATORS[simulator], cores)
    else:
        executor = qep.StatevectorExecutor(qep.Seeds(0), precision=simulator)  # type: ignore[arg-type]
    return _estimates(spins, samples, qep.AdiabaticPreparation(steps=steps), executor, shots)


def digits_epoch(cores: int, backend: str, images: int) -> Work:
    """One epoch of `configs/digits.toml`.

    Args:
        cores: Number of cores.
        backend: Simulator of the circuits.
        images: Number of training images, 1437 at most.
    """
    warnings.simplefilter("ignore")
    changes = [f"execution.backend={backend}", f"execution.jobs={cores}", "training.epochs=1"]
    changes += [f"task.test_size={1797 - images}", "training.evaluate_every=0"]

    def epoch(_: int) -> NDArray:
        trainer = qep.from_file(ROOT / "configs" / "digits.toml", changes).trainer()
        trainer.run()
        return trainer.weights

    return epoch


def ground_state_vqe(cores: int, spins: int, networks: int, library: bool) -> Work:
    """Minimise the energy of a chain until it is within 1e-4 of the exact one; another network in every round.

    Args:
        cores: Number of cores.
        spins: Number of spins.
        networks: Number of networks, which are made in advance.
        library: Whether by `VQE` of qiskit-algorithms with its reverse gradient, otherwise by this package's descent.
    """
    qep.set_jobs(cores)
    warnings.simplefilter("ignore")
    descents = [_minimisation(spins, seed, library) for seed in range(networks)]

    def minimised(number: int) -> NDArray | None:
        seconds = descents[number % networks]()
        return None if np.isnan(seconds) else np.zeros(0)

    return minimised


def _minimisation(spins: int, seed: int, library: bool) -> Callable[[], float]:
    ansatz = qep.HamiltonianVariational(3)
    made, weights = variational.network(spins, "chain", seed)
    coefficients = made.coefficients(weights, np.zeros((1, 0)))
    exact = float(qep.ExactPreparation().solve(made.groups, coefficients).energies[0])
    target, program = exact + 1e-4 * abs(exact), ansatz.program(made.groups)
    start = ansatz.cold_start(made.groups, coefficients, 0, np.random.default_rng(seed))[0]
    if library:
        operator, circuit = made.hamiltonian(weights, np.zeros(0)), qep.lower(program)
        return lambda: variational.library_seconds(operator, circuit, start, target)
    lower = np.zeros((1, 0, program.num_parameters))
    descent = Problem(groups=made.groups, coefficients=coefficients, lower=lower)
    return lambda: variational.own_seconds(program, descent, start, target)[0]


def exact_gradient(cores: int, spins: int, samples: int, method: str) -> Work:
    """A gradient from exact states, by this package or as a notebook of a publication computes it.

    Args:
        cores: Number of cores.
        spins: Number of spins of a chain.
        samples: Number of samples in the batch.
        method: ``"package"``; ``"dense"``: Kronecker products and `numpy.linalg.eigh`; ``"sparse"``: the same with
            sparse matrices and `scipy.sparse.linalg.eigsh`.
    """
    qep.set_jobs(cores)
    warnings.simplefilter("ignore")
    if method == "package":
        return _estimates(spins, samples, qep.ExactPreparation(), qep.VectorExecutor(qep.Seeds(0)), None)
    hamiltonian, weights, inputs, targets = problem(spins, samples)
    matrices = [_matrix(string, spins, sparse=method == "sparse") for string in hamiltonian.terms]

    def means(coefficients: NDArray) -> NDArray:
        total = sum(c * matrix for c, matrix in zip(coefficients, matrices, strict=True))
        state = _ground_state(total)
        return np.array([state @ (matrix @ state) for matrix in matrices])

    def gradient(_: int) -> NDArray:
        free = hamiltonian.free_coefficients(weights, inputs)
        nudge = hamiltonian.nudge(targets, hamiltonian.outputs(np.stack([means(row) for row in free])))
        up, down = (np.stack([means(row) for row in free + beta * nudge]) for beta in (_BETA, -_BETA))
        return hamiltonian.jacobian(weights, inputs).pull_back((up - down) / (2.0 * _BETA)).mean(axis=0)

    return gradient


def _matrix(string: qep.PauliString, spins: int, *, sparse: bool) -> Any:
    """The real matrix of a product of X and Z."""
    letters = dict(string.factors)
    factors = [_PAULIS[letters[k]] if k in letters else np.eye(2) for k in reversed(range(spins))]
    if not sparse:
        return reduce(np.kron, factors)
    from scipy import sparse as matrices

    return reduce(lambda a, b: matrices.kron(a, b, format="csr"), map(matrices.csr_matrix, factors))


def _ground_state(matrix: Any) -> NDArray:
    if isinstance(matrix, np.ndarray):
        return np.linalg.eigh(matrix)[1][:, 0]
    from scipy.sparse.linalg import eigsh

    return eigsh(matrix, k=1, which="SA")[1][:, 0]
