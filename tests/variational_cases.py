"""What the tests of variational preparations share: entangled networks, and families that are driven to their end."""

import numpy as np
from cases import NO_INPUTS, Instance

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork
from qep_qiskit.preparation import HamiltonianFamily, WarmStart

KEY = RequestKey("test", 0)


def entangled(graph, seed):
    """Couplings and fields of order one, and biases too weak to break the symmetry: far from product states."""
    rng, size = np.random.default_rng(seed), graph.num_spins
    network = IsingNetwork(graph=graph, outputs=(size - 1,))
    J = rng.choice([-1.0, 1.0], len(graph.edges)) * rng.uniform(0.7, 1.3, len(graph.edges))
    weights = np.concatenate([J, rng.uniform(0.8, 1.2, size), rng.normal(0, 0.15, size)])
    return Instance(f"seed{seed}", network, weights, {})


def family_of(case, betas=(0.0,), key=KEY):
    hamiltonian = case.hamiltonian
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    return HamiltonianFamily(
        groups=hamiltonian.groups, free=case.coefficients, nudge=nudge, betas=np.array(betas), key=key
    )


def prepare(preparation, family, start=None, executor=None):
    """Equilibria and usage."""
    return run_measurements(
        preparation.prepare(family, start or WarmStart()), executor or StatevectorExecutor(Seeds(0))
    )


def contrast_of(preparation, case, beta=0.1, kind="symmetric", **options):
    """The gradient of exact expectations."""
    estimator = GradientEstimator(
        hamiltonian=case.hamiltonian,
        preparation=preparation,
        contrast=Contrast(kind=kind, beta=beta),
        shots=None,
        **options,
    )
    work = estimator.estimate(case.weights, NO_INPUTS, NO_INPUTS, KEY)
    return run_measurements(work, StatevectorExecutor(Seeds(0)))[0]
