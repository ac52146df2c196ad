"""When to trust a gradient: bounds, susceptibility, gaps and jumps, against matrices."""

import warnings

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, Instance, half_one_plus_z, load_instances, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from qiskit.quantum_info import SparsePauliOp
from reference import ground, sum_of_paulis
from variational_cases import entangled

from qep_qiskit.continuous.response import linear_response
from qep_qiskit.core.errors import BranchJumpWarning, NudgeBeyondGapWarning
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey, StatevectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.diagnostics import Diagnostics, spectral_ranges
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain, complete, ring
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    ExactPreparation,
    HamiltonianFamily,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
    WarmStart,
    term_expectations,
)

KEY = RequestKey("test", 0)
GENTLE = {
    "one-sided": Contrast(kind="one_sided", beta=0.05),
    "one-sided, negative": Contrast(kind="one_sided", beta=-0.05),
    "symmetric": Contrast(kind="symmetric", beta=0.05),
    "four-point": Contrast(kind="four_point", beta=0.05),
}
PREPARATIONS = {
    "exact": ExactPreparation(),
    "lanczos": ExactPreparation(solver="lanczos"),
}


def estimate(
    hamiltonian,
    weights,
    contrast,
    preparation=None,
    *,
    shots=None,
    inputs=NO_INPUTS,
    targets=NO_INPUTS,
    step=0,
    measures_free_cost=False,
):
    """The estimate and what it cost."""
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=preparation or ExactPreparation(),
        contrast=contrast,
        shots=shots,
        measures_free_cost=measures_free_cost,
    )
    work = estimator.estimate(weights, inputs, targets, RequestKey("test", step))
    return run_measurements(work, StatevectorExecutor(Seeds(2)))


def diagnostics_of(*args, **options):
    return estimate(*args, **options)[0].diagnostics


def batch_of(cost, rng, graph="complete", samples=3):
    """A batch with inputs and targets, aimed at an operator cost with constants or at a loss."""
    network, weights = random_network(SMALL_GRAPHS[graph], rng, num_inputs=1)
    size = network.num_qubits
    aim = {
        "operator": lambda: OperatorCost.squared_error((0, size - 1), size),
        "loss": lambda: LossOnExpectations.on_spins((0, size - 1), size),
    }[cost]()
    arguments = {"inputs": 0.5 * rng.normal(size=(samples, 1)), "targets": rng.choice([-0.4, 0.4], (samples, 2))}
    return NudgedHamiltonian(network, aim), weights, arguments


def nudges_and_constants(hamiltonian, weights, inputs, targets, preparation):
    """C of every sample in terms of Paulis, as the gradient nudges by it, and <C>_0 of the prepared states."""
    free = hamiltonian.free_coefficients(weights, inputs)
    states = run_measurements(
        preparation.prepare(HamiltonianFamily.of_free(hamiltonian.groups, free, KEY), WarmStart()),
        StatevectorExecutor(Seeds(2)),
    )[0].states
    vectors = states.vectors if hasattr(states, "vectors") else evolve(states.program, states.parameters)
    means = term_expectations(hamiltonian.groups, vectors)
    if isinstance(hamiltonian.cost, OperatorCost):
        nudge, constants = hamiltonian.operator_nudge(targets)
    else:
        outputs = means @ hamiltonian.output_map.matrix.T + hamiltonian.output_map.constants
        nudge = hamiltonian.signal_nudge(hamiltonian.cost.loss.gradient(outputs, targets))
        constants = np.zeros(len(inputs))
    return free, nudge, constants, float((np.einsum("st,st->s", nudge, means) + constants).mean())


def costs_at(hamiltonian, free, nudge, constants, beta):
    """<C>_beta of the ground states, averaged, from matrices; and the mean of F(beta) with the constants in it."""
    size, words = hamiltonian.num_qubits, hamiltonian.terms
    costs, energies = [], []
    for h, c, constant in zip(free, nudge, constants, strict=True):
        cost = sum_of_paulis(words, c, size)
        energy, state, _ = ground(sum_of_paulis(words, h, size) + beta * cost)
        costs.append(np.vdot(state, cost @ state).real + constant)
        energies.append(energy + beta * constant)
    return np.mean(costs), np.mean(energies)


@pytest.mark.parametrize("cost", ["operator", "loss"])
@pytest.mark.parametrize("name", GENTLE)
def test_chi_and_bounds_are_those_of_matrices(name, cost, rng):
    hamiltonian, weights, batch = batch_of(cost, rng)
    contrast = GENTLE[name]
    found = diagnostics_of(hamiltonian, weights, contrast, **batch, measures_free_cost=True)
    free, nudge, constants, _ = nudges_and_constants(hamiltonian, weights, **batch, preparation=ExactPreparation())
    at = {beta: costs_at(hamiltonian, free, nudge, constants, beta) for beta in (*contrast.betas, 0.0)}
    inner = sorted((b for b in contrast.betas), key=abs)[:2] if 0.0 not in contrast.betas else contrast.betas
    low, high = min(inner), max(inner)
    assert found.chi == pytest.approx((at[low][0] - at[high][0]) / (high - low), abs=1e-9)
    assert found.surrogate_gap == pytest.approx(0.05 * found.chi, rel=1e-12)
    assert found.chi > 0
    for side, bound in ((0.05, found.lower), (-0.05, found.upper)):
        if side in contrast.betas:
            assert bound == pytest.approx((at[side][1] - at[0.0][1]) / side, abs=1e-8)
        else:
            assert np.isnan(bound)


@pytest.mark.parametrize("name", ["edges", "ring", "complete"])
def test_chi_is_the_exact_response_at_small_nudges(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng)
    size = network.num_qubits
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(size - 1, size))
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    response = linear_response(hamiltonian.groups, hamiltonian.free_coefficients(weights, NO_INPUTS), nudge)
    expected = -float((response @ nudge.T)[0, 0])
    assert diagnostics_of(hamiltonian, weights, Contrast(beta=1e-3)).chi == pytest.approx(expected, rel=1e-5)
    assert diagnostics_of(hamiltonian, weights, Contrast(kind="one_sided", beta=1e-4)).chi == pytest.approx(
        expected, rel=1e-2
    )


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("cost", ["operator", "loss"])
@pytest.mark.parametrize("name", ["one-sided", "one-sided, negative", "symmetric"])
@pytest.mark.parametrize("graph", ["edges", "complete"])
def test_the_free_cost_lies_within_its_bounds(graph, name, cost, preparation, rng):
    hamiltonian, weights, batch = batch_of(cost, rng, graph)
    solver = PREPARATIONS[preparation]
    found = diagnostics_of(hamiltonian, weights, GENTLE[name], solver, **batch, measures_free_cost=True)
    free_cost = nudges_and_constants(hamiltonian, weights, **batch, preparation=solver)[3]
    rounding = 1e-7
    if name != "one-sided, negative":
        assert found.lower <= free_cost + rounding
    if name != "one-sided":
        assert free_cost - rounding <= found.upper
    assert np.isnan(found.upper) == (name == "one-sided")
    assert np.isnan(found.lower) == (name == "one-sided, negative")
    known = {
        "one-sided": {"cost_lower"},
        "one-sided, negative": {"cost_upper"},
        "symmetric": {"cost_lower", "cost_upper"},
    }
    printed = {"cost_lower", "cost_upper"} & set(found.record())
    assert printed == (known[name] if cost == "operator" else set())  # C of error signals is not the loss


@pytest.mark.parametrize("cost", ["operator", "loss"])
def test_the_bounds_lie_beta_chi_apart(cost, rng):
    hamiltonian, weights, batch = batch_of(cost, rng)
    relative = []
    for beta in (0.02, 0.01):
        found = diagnostics_of(hamiltonian, weights, Contrast(beta=beta), **batch, measures_free_cost=True)
        relative.append((found.upper - found.lower) / found.surrogate_gap - 1)
    assert abs(relative[1]) < 0.01
    assert relative[0] / relative[1] == pytest.approx(4.0, abs=0.5)


@pytest.mark.parametrize("name", ["one-sided", "symmetric"])
def test_error_bars_of_chi(name, rng):
    network, weights = random_network(SMALL_GRAPHS["complete"], rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((0, 3), 4))
    batch = {"inputs": np.zeros((2, 0)), "targets": np.array([[0.5, -0.3], [-0.2, 0.4]])}
    contrast = Contrast(kind="one_sided" if name == "one-sided" else "symmetric", beta=0.2)
    exact = diagnostics_of(hamiltonian, weights, contrast, **batch)
    found = [diagnostics_of(hamiltonian, weights, contrast, **batch, shots=200, step=step) for step in range(300)]
    chi = np.array([d.chi for d in found])
    assert exact.chi_se == 0.0
    assert mean_p_value(chi, exact.chi) > LIMIT
    assert variance_p_value(chi, np.mean([d.chi_se**2 for d in found])) > LIMIT


def warned(*args, **options):
    """Kinds of warnings, and the diagnostics."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = diagnostics_of(*args, **options)
    assert all("\n" not in str(warning.message) for warning in caught)
    return {warning.category for warning in caught}, found


def test_bounds_are_silent_where_nobody_vouches_for_a_minimum(rng):
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(2, 3))
    silent = {
        "adiabatic": AdiabaticPreparation(),
        "excited": ExactPreparation(level=1),
        "unconverged": VariationalPreparation(
            ansatz=HamiltonianVariational(3), seeds=Seeds(1), max_evaluations=3, on_unconverged="go_on"
        ),
        "local minimum": VariationalPreparation(ansatz=HamiltonianVariational(4), seeds=Seeds(1)),
        "product states": VariationalPreparation(ansatz=HardwareEfficient(0), seeds=Seeds(1), restarts=5),
        "excited by deflation": VariationalPreparation(ansatz=HamiltonianVariational(4), seeds=Seeds(1), level=1),
        "sampled": VariationalPreparation(
            ansatz=HardwareEfficient(0), seeds=Seeds(1), energies="sampled", optimizer="spsa", options={"maxiter": 2}
        ),
    }
    for preparation in silent.values():
        _, found = warned(hamiltonian, weights, Contrast(beta=0.05), preparation, measures_free_cost=True)
        assert np.isnan([found.lower, found.upper, found.lower_se, found.upper_se]).all()
        assert np.isfinite(found.chi)
        assert not {"cost_lower", "cost_upper"} & set(found.record())


def test_symmetric_contrasts_without_a_free_phase_have_no_bounds(rng):
    hamiltonian, weights, batch = batch_of("operator", rng)
    found = diagnostics_of(hamiltonian, weights, Contrast(beta=0.05), **batch)
    assert np.isnan([found.lower, found.upper]).all()


def test_weyl_beta_is_gap_over_range(rng):
    hamiltonian, weights, batch = batch_of("operator", rng)
    found = diagnostics_of(hamiltonian, weights, Contrast(beta=0.02), **batch)
    free = hamiltonian.free_coefficients(weights, batch["inputs"])
    nudge, _ = hamiltonian.operator_nudge(batch["targets"])
    gaps, limits = [], []
    for h, c in zip(free, nudge, strict=True):
        cost = sum_of_paulis(hamiltonian.terms, c, 4)
        matrix = sum_of_paulis(hamiltonian.terms, h, 4)
        smallest = min(ground(matrix + beta * cost)[2] for beta in (-0.02, 0.02))
        gaps.append(smallest)
        limits.append(smallest / np.ptp(np.linalg.eigvalsh(cost)))
    assert found.gap == pytest.approx(min(gaps), abs=1e-9)
    assert found.weyl_beta == pytest.approx(min(limits), abs=1e-9)


@pytest.mark.parametrize("masks", [(1, 2, 4), (3, 6, 5, 7), (1, 3)])
def test_ranges_of_one_group_are_exact(masks, rng):
    group = CommutingGroup(name="Z", basis=LocalBasis("ZXY"), masks=masks)
    coefficients = rng.normal(size=(4, len(masks)))
    expected = [np.ptp(np.linalg.eigvalsh(sum_of_paulis(group.terms, row, 3))) for row in coefficients]
    assert spectral_ranges([group], coefficients) == pytest.approx(np.array(expected), abs=1e-10)


def test_ranges_of_many_groups_are_bounds(rng):
    hamiltonian = NudgedHamiltonian(
        random_network(chain(3), rng)[0],
        OperatorCost.from_operator(SparsePauliOp(["YYI", "IZZ", "IIX"], [0.5, -0.8, 0.3])),
    )
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    exact = np.ptp(np.linalg.eigvalsh(sum_of_paulis(hamiltonian.terms, nudge[0], 3)))
    found = spectral_ranges(hamiltonian.groups, nudge)[0]
    assert exact <= found <= 2 * (0.5 + 0.8 + 0.3) + 1e-12


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_nudges_past_the_gap_are_told(factor):
    """One spin in its field: the gap is 2 sqrt(h^2 + ...) and the range 2."""
    network, _ = random_network(chain(1), np.random.default_rng(0))
    weights = network.weights_from({"h[0]": 0.3, "b[0]": 0.0})
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(["X"], [1.0])))
    # <X> = 1 and beta X changes the gap to 2 (h - beta): Weyl says beta < h - beta.
    kinds, found = warned(hamiltonian, weights, Contrast(kind="one_sided", beta=factor * 0.15), measures_free_cost=True)
    assert found.weyl_beta == pytest.approx(0.3 - factor * 0.15, abs=1e-9)
    assert kinds == ({NudgeBeyondGapWarning} if factor > 1 else set())


@pytest.mark.parametrize("shots", [None, 500])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_nothing_is_said_where_states_change_smoothly(kind, shots):
    for case in load_instances():
        if case.network.num_qubits > 6:
            continue
        beta = 0.05 if kind == "four_point" else 0.1
        kinds, found = warned(case.hamiltonian, case.weights, Contrast(kind=kind, beta=beta), shots=shots)
        assert kinds == set()
        assert found.jumps == 0


@pytest.mark.parametrize("shots", [None, 300])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_a_degenerate_doublet_jumps_and_it_is_said(kind, shots):
    """Strong couplings, weak fields, no biases: any nudge picks one of two mirrored states."""
    network, _ = random_network(ring(4), np.random.default_rng(0))
    named = dict.fromkeys(network.layout.names, 0.0)
    named |= {name: 1.0 for name in named if name.startswith("J")}
    named |= {name: 0.05 for name in named if name.startswith("h")}
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(3, 4))
    weights = network.weights_from(named)
    kinds, found = warned(hamiltonian, weights, Contrast(kind=kind, beta=0.1), shots=shots)
    if kind == "one_sided":
        # The free state is the even superposition: half of it is in the nudged state, and chi is large instead.
        assert found.chi > 4
        assert NudgeBeyondGapWarning in kinds
    else:
        assert BranchJumpWarning in kinds
        assert found.jumps >= 1


@pytest.mark.parametrize("cost", ["operator", "loss"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_nothing_is_measured_for_diagnostics(kind, cost, rng, monkeypatch):
    hamiltonian, weights, batch = batch_of(cost, rng)
    options = {**batch, "shots": 50, "measures_free_cost": True}
    one, usage = estimate(hamiltonian, weights, Contrast(kind=kind, beta=0.05), **options)
    monkeypatch.setattr("qep_qiskit.learning.phase_measurement.diagnose", lambda *args, **options: Diagnostics())
    other, without = estimate(hamiltonian, weights, Contrast(kind=kind, beta=0.05), **options)
    assert usage == without
    assert np.array_equal(one.gradient, other.gradient)


def test_overlaps_and_residuals_are_the_worst_ones(rng):
    hamiltonian, weights, batch = batch_of("operator", rng)
    preparation = VariationalPreparation(ansatz=HamiltonianVariational(3), seeds=Seeds(1), tolerance=1e-3)
    found = diagnostics_of(hamiltonian, weights, Contrast(beta=0.05), preparation, **batch)
    nudge, _ = hamiltonian.operator_nudge(batch["targets"])
    family = HamiltonianFamily(
        groups=hamiltonian.groups,
        free=hamiltonian.free_coefficients(weights, batch["inputs"]),
        nudge=nudge,
        betas=np.array([-0.05, 0.05]),
        key=KEY,
    )
    report = run_measurements(preparation.prepare(family, WarmStart()), StatevectorExecutor(Seeds(2)))[0].report
    assert found.overlap == report.overlaps.min()
    assert found.residual == report.residuals.max()
    assert found.evaluations == report.evaluations
    assert found.overlap < 1.0


def test_records_hold_what_is_known_and_nothing_else():
    assert Diagnostics().record() == {}
    unjudged = {"chi": 0.5, "evaluations": 3, "branch_jumps": 2}
    assert Diagnostics(chi=0.5, evaluations=3, jumps=2).record() == unjudged
    assert Diagnostics(chi=0.5, evaluations=3, jumps=2, judged=True).record() == unjudged | {"unconverged": 0}


def test_an_ansatz_that_jumps_between_its_minima_is_caught():
    """A product state on a nearly symmetric network, pushed across to the other well by the nudge."""
    case = entangled(complete(4), 1)
    network = case.network
    named = dict.fromkeys(network.layout.names, 0.0)
    named |= {name: 1.0 for name in named if name.startswith("J")}
    named |= {name: 0.3 for name in named if name.startswith("h")}
    named["b[0]"] = 0.02
    weights = network.weights_from(named)
    strong = Instance("wells", IsingNetwork(graph=network.graph, outputs=(3,)), weights, {})
    preparation = VariationalPreparation(ansatz=HardwareEfficient(0), seeds=Seeds(1), restarts=5, tolerance=1e-6)
    kinds, _ = warned(strong.hamiltonian, weights, Contrast(beta=0.02), preparation)
    assert kinds == set()
    kinds, found = warned(strong.hamiltonian, weights, Contrast(beta=30.0), preparation, measures_free_cost=True)
    assert BranchJumpWarning in kinds
    assert found.jumps >= 1
