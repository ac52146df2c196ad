"""Acceptance of the variational preparation: gradients of the ansatz's own cost, and convergence."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast, load_instances
from reference import derivative, sum_of_paulis
from scipy.optimize import minimize
from variational_cases import KEY, contrast_of, entangled, family_of, prepare
from warned import warns

from qep_qiskit.ansatz import hamiltonian_variational
from qep_qiskit.core.errors import (
    AnsatzError,
    ConfigError,
    NetworkError,
    UnconvergedError,
    UnconvergedWarning,
    UnresolvedContrastWarning,
)
from qep_qiskit.core.program import lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.learning import Contrast
from qep_qiskit.network import complete
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    FixedAnsatz,
    HamiltonianFamily,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
    WarmStart,
    term_expectations,
)
from qep_qiskit.preparation.minimisers import SimulatedMinimiser

BETA = 0.1
INSTANCES = {case.name: case for case in load_instances()}
OF_FOUR_SPINS = [case for case in INSTANCES.values() if case.network.num_qubits == 4]
CHAINS_OF_EIGHT = [case for name, case in INSTANCES.items() if name.startswith("chain8")]


def hva(depth=3, seed=1, **options):
    return VariationalPreparation(ansatz=HamiltonianVariational(depth), seeds=Seeds(seed), **options)


@pytest.mark.deep(but=["complete4-2"])
@pytest.mark.parametrize("case", OF_FOUR_SPINS, ids=lambda case: case.name)
def test_three_layers_give_the_exact_contrast_of_four_spins(case):
    """A residual of 1e-6 would leave 1e-6 / BETA, by the softest curvature: more than 1e-5 from some starts."""
    found = contrast_of(hva(3, tolerance=1e-7, max_evaluations=6000), case, BETA)
    exact = exact_contrast(case.hamiltonian, case.weights, Contrast(beta=BETA))
    assert found.gradient == pytest.approx(exact.gradient, rel=0, abs=1e-5)
    assert found.diagnostics.residual <= 1e-7


@pytest.mark.deep(but=["chain4-1", "complete4-0"])
@pytest.mark.parametrize("case", OF_FOUR_SPINS, ids=lambda case: case.name)
def test_four_spins_to_a_ten_thousandth_in_few_evaluations(case):
    prepared_states, _ = prepare(hva(3, tolerance=2e-3), family_of(case))
    error = (prepared_states.report.energies[0, 0] - case.record["energy"]) / abs(case.record["energy"])
    assert 0 <= error < 1e-4
    assert prepared_states.report.evaluations <= 100


@pytest.mark.deep
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[pytest.mark.slow] * (n < 2)) for n, case in enumerate(CHAINS_OF_EIGHT)],
)
def test_chains_of_eight_to_a_millionth(case):
    prepared_states, _ = prepare(hva(7, tolerance=1e-5), family_of(case))
    error = (prepared_states.report.energies[0, 0] - case.record["energy"]) / abs(case.record["energy"])
    assert 0 <= error < 1e-6


@pytest.mark.parametrize("case", OF_FOUR_SPINS[:2], ids=lambda case: case.name)
def test_what_is_reported_is_what_the_states_have(case):
    """Energies, residuals and overlaps against matrices and differences of energies."""
    betas = (-0.2, 0.0, 0.2)
    family = family_of(case, betas)
    prepared_states, usage = prepare(hva(2, tolerance=1e-3), family)
    states, report = prepared_states.states, prepared_states.report
    vectors = evolve(states.program, states.parameters)
    words = case.hamiltonian.terms
    for phase, row in enumerate(family.rows()):
        matrix = sum_of_paulis(words, row, 4)
        assert report.energies[0, phase] == pytest.approx(np.vdot(vectors[phase], matrix @ vectors[phase]).real)

        def energies(step, matrix=matrix, phase=phase):
            moved = states.parameters[phase] + step * np.eye(states.program.num_parameters)
            ket = evolve(states.program, moved)
            return np.einsum("rx,xy,ry->r", ket.conj(), matrix, ket).real

        assert report.residuals[0, phase] == pytest.approx(np.linalg.norm(derivative(energies)), rel=1e-5)
        assert report.overlaps[0, phase] == pytest.approx(abs(np.vdot(vectors[1], vectors[phase])) ** 2, abs=1e-12)
    assert usage.shots == usage.circuits == 0
    assert not report.minima  # a descent cannot know


def test_an_ansatz_made_of_the_weights_is_refused():
    case = OF_FOUR_SPINS[0]
    ramp = AdiabaticPreparation(total_time=6.0, steps=10).program(case.hamiltonian.groups)
    preparation = VariationalPreparation(ansatz=FixedAnsatz(ramp), seeds=Seeds(0))
    with pytest.raises(AnsatzError, match="gates that contain weights make the gradient wrong") as caught:
        prepare(preparation, family_of(case))
    assert "\n" not in str(caught.value)


class AnglesMadeOfWeights:
    """Angles gamma_l x coefficient, with one gamma a group and layer: what an ansatz must not be."""

    def __init__(self, case, depth=2):
        self.case, self.groups = case, case.hamiltonian.groups
        self.program = hamiltonian_variational(self.groups, depth)
        sizes = [group.num_terms for group in self.groups] * depth
        self.spread = np.repeat(np.eye(len(sizes)), sizes, axis=0)
        self.start = 0.3 * np.ones(len(sizes))
        self.depth = depth

    def minimised(self, weights, beta, start):
        """Energy, gammas and means of all terms at the minimum next to `start`."""
        hamiltonian = self.case.hamiltonian
        free = hamiltonian.free_coefficients(weights, NO_INPUTS)
        total = free + beta * hamiltonian.operator_nudge(NO_INPUTS)[0]
        scale = np.tile(free[0], self.depth)

        def energy(gammas):
            angles = scale * (self.spread @ gammas)
            value, gradient = energy_and_gradient(self.program, angles[None], self.groups, total)
            return value[0], (scale * gradient[0]) @ self.spread

        found = minimize(energy, start, jac=True, method="BFGS", options={"gtol": 1e-10})
        states = evolve(self.program, (scale * (self.spread @ found.x))[None])
        return found.fun, found.x, term_expectations(self.groups, states)[0]


@pytest.mark.deep(but=["chain4-2"])
@pytest.mark.parametrize("case", OF_FOUR_SPINS[::2], ids=lambda case: case.name)
def test_with_weights_in_the_gates_the_contrast_is_wrong_by_its_own_size(case):
    """Why such an ansatz is refused: its contrast is not the gradient of its own contrastive function."""
    family = AnglesMadeOfWeights(case)
    _, free, _ = family.minimised(case.weights, 0.0, family.start)

    def numerator(step):
        moved = case.weights + step * np.eye(len(case.weights))
        sides = [[family.minimised(w, beta, free)[0] for w in moved] for beta in (BETA, -BETA)]
        return (np.array(sides[0]) - np.array(sides[1])) / 2

    expected = derivative(numerator, step=0.01, levels=2)
    high, low = (family.minimised(case.weights, beta, free)[2] for beta in (BETA, -BETA))
    jacobian = case.hamiltonian.jacobian(case.weights, NO_INPUTS)
    contrast = jacobian.pull_back(((high - low) / 2)[None])[0]
    assert np.linalg.norm(contrast - expected) > 0.9 * np.linalg.norm(expected)


@pytest.mark.parametrize("limit", [1, 3])
def test_not_converged_is_a_result_with_reasons(limit):
    case = OF_FOUR_SPINS[0]
    detail = r"3 of 3 states, tolerance 1\.2e-04; sample 0, beta = "
    with warns(UnconvergedWarning, "states are not converged to preparation.tolerance", detail=detail) as found:
        prepared_states, _ = prepare(hva(3, max_evaluations=limit), family_of(case, (-0.1, 0.0, 0.1)))
    report = prepared_states.report
    assert len(found) == 1
    assert len(report.unconverged) == 3
    assert not report.minima
    assert report.residuals.min() > 1e-4
    assert np.isfinite(report.energies).all()


def test_not_converged_can_stop_the_run():
    with pytest.raises(UnconvergedError, match="on_unconverged = 'stop'") as caught:
        prepare(hva(3, max_evaluations=3, on_unconverged="stop"), family_of(OF_FOUR_SPINS[0]))
    assert "\n" not in str(caught.value)


def test_not_converged_can_be_passed_over():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared_states, _ = prepare(hva(3, max_evaluations=3, on_unconverged="go_on"), family_of(OF_FOUR_SPINS[0]))
    assert len(prepared_states.report.unconverged) == 1


def test_not_converged_states_are_counted_in_the_diagnostics():
    with pytest.warns(UnresolvedContrastWarning, match="unknown, not zero"):
        found = contrast_of(hva(3, max_evaluations=3, on_unconverged="go_on"), OF_FOUR_SPINS[0])
    assert found.diagnostics.unconverged == 2
    assert found.diagnostics.evaluations > 0
    assert np.isnan(found.diagnostics.lower)


def test_a_state_without_a_residual_is_not_converged():
    """Coefficients that are no numbers are refused; should energies be none all the same, no state is vouched for."""
    case = OF_FOUR_SPINS[0]
    with pytest.raises(NetworkError, match=r"H: the coefficient of .* for sample 0 is nan"):
        replace(family_of(case), free=case.coefficients * np.nan)
    broken = family_of(case)
    object.__setattr__(broken, "free", case.coefficients * np.nan)
    prepared_states, _ = prepare(hva(2, on_unconverged="go_on"), broken)
    assert not prepared_states.report.minima
    assert len(prepared_states.report.unconverged) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": -1}, r"level: expected at least 0, got -1"),
        ({"max_evaluations": 0}, r"max_evaluations: expected at least 1, got 0"),
        ({"restarts": 0}, r"restarts: expected at least 1, got 0"),
        ({"residual_directions": -1}, r"residual_directions: expected at least 0, got -1"),
        ({"tolerance": 0.0}, r"tolerance: expected more than 0, got 0\.0"),
        ({"tolerance": float("nan")}, r"tolerance: expected a finite number, got nan"),
        ({"energies": "sampled"}, "'bfgs' needs exact gradients"),
    ],
)
def test_settings_are_checked(change, words):
    with pytest.raises(ConfigError, match=words) as caught:
        hva(2, **change)
    assert "\n" not in str(caught.value)


def test_preparing_twice_gives_the_same_states():
    family = family_of(OF_FOUR_SPINS[1], (-0.1, 0.1))
    one, other = (prepare(hva(2), family)[0].states.parameters for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, prepare(hva(2, seed=2), family)[0].states.parameters)


def test_free_states_of_an_earlier_stage_are_not_minimised_again():
    family = family_of(OF_FOUR_SPINS[2], (-0.1, 0.0, 0.1))
    first, _ = prepare(hva(3), replace(family, betas=np.zeros(1)))
    second, _ = prepare(hva(3), family, WarmStart(free=first.free))
    whole, _ = prepare(hva(3), family)
    assert np.array_equal(second.states.parameters, whole.states.parameters)
    assert first.report.evaluations + second.report.evaluations == whole.report.evaluations


def test_nudged_states_start_from_their_neighbours_inwards(monkeypatch):
    """The states at +-2 beta from those at +-beta, and these from the free one."""
    calls, minimise = [], SimulatedMinimiser.minimise

    def watched(self, problem, start, *known):
        found = yield from minimise(self, problem, start, *known)
        calls.append((start, found.points))
        return found

    monkeypatch.setattr(SimulatedMinimiser, "minimise", watched)
    prepare(hva(2, tolerance=1e-3), family_of(OF_FOUR_SPINS[4], (-0.4, -0.2, 0.2, 0.4)))
    (_, free), (inner_start, inner), (outer_start, outer) = calls
    assert np.array_equal(inner_start, np.repeat(free, 2, axis=0))
    assert np.array_equal(outer_start, inner)
    assert not np.array_equal(outer, inner)


def test_samples_that_were_never_met_start_cold_beside_those_that_were():
    rows = np.concatenate([case.coefficients for case in OF_FOUR_SPINS[:3]])
    groups = OF_FOUR_SPINS[0].hamiltonian.groups
    family = HamiltonianFamily.of_free(groups, rows, KEY)
    cold, _ = prepare(hva(3), family)
    warm_start = {name: array.copy() for name, array in cold.warm_start.items()}
    for array in warm_start.values():
        array[1] = np.nan
    mixed, _ = prepare(hva(3), family, WarmStart(arrays=warm_start))
    assert np.array_equal(mixed.states.parameters[[0, 2]], cold.states.parameters[[0, 2]])
    assert mixed.report.energies == pytest.approx(cold.report.energies, abs=1e-7)
    assert mixed.report.evaluations > 20


def test_more_restarts_never_end_higher():
    family = family_of(entangled(complete(4), 1))
    found = [
        prepare(VariationalPreparation(ansatz=HardwareEfficient(1), seeds=Seeds(5), restarts=n), family)[0].report
        for n in (1, 2, 4, 8)
    ]
    energies = [report.energies[0, 0] for report in found]
    assert np.all(np.diff(energies) <= 1e-12)
    assert energies[-1] < energies[0] - 1e-3


def test_states_that_are_known_are_not_restarted():
    family = family_of(OF_FOUR_SPINS[0])
    first, _ = prepare(hva(3, restarts=3), family)
    again, _ = prepare(hva(3, restarts=3), family, WarmStart(arrays=first.warm_start))
    assert again.report.evaluations == 1


@pytest.mark.parametrize("ansatz", [HamiltonianVariational(2), HardwareEfficient(1)], ids=["HVA", "hardware"])
def test_the_circuit_of_the_states_is_the_programs(ansatz):
    """The angles that are reported are those of the circuit that is shown and measured."""
    from qiskit.quantum_info import SparsePauliOp, Statevector

    case = OF_FOUR_SPINS[4]
    prepared_states, _ = prepare(VariationalPreparation(ansatz=ansatz, seeds=Seeds(3)), family_of(case))
    circuit = lower(prepared_states.states.program).assign_parameters(prepared_states.states.parameters[0])
    operator = case.network.hamiltonian(case.weights)
    assert isinstance(operator, SparsePauliOp)
    energy = Statevector(circuit).expectation_value(operator).real
    assert energy == pytest.approx(prepared_states.report.energies[0, 0], abs=1e-10)
