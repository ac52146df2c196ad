"""The batch descent: functions with known minima, rows that know nothing of each other, and searches that fail."""

import numpy as np
import pytest

from qep_qiskit.preparation.descent import descend


def quadratics(rng, rows=5, size=6):
    """sum_r (x - c_r) A_r (x - c_r) / 2 with eigenvalues from 1 to 100, and its centres and Hessians."""
    turns = np.linalg.qr(rng.normal(size=(rows, size, size)))[0]
    hessians = turns @ (np.geomspace(1.0, 100.0, size)[:, None] * turns.transpose(0, 2, 1))
    centres = rng.normal(size=(rows, size))

    def objective(chosen, points):
        away = points - centres[chosen]
        gradient = np.einsum("rpq,rq->rp", hessians[chosen], away)
        return np.einsum("rp,rp->r", away, gradient) / 2.0, gradient

    return objective, centres, hessians


def rosenbrock(_, points):
    x, y = points.T
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return value, np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=1)


def waves(chosen, points):
    """A different periodic function in every row, with cross terms; every number of a row comes from that row."""
    shift = 0.3 * (chosen[:, None] + 1) * np.arange(1, points.shape[1] + 1)
    moved, turned = points - shift, np.roll(points - shift, 1, axis=1)
    value = -np.cos(moved).sum(axis=1) - 0.3 * np.cos(moved + 0.5 * turned).sum(axis=1)
    cross = 0.3 * np.sin(moved + 0.5 * turned)
    return value, np.sin(moved) + cross + 0.5 * np.roll(cross, -1, axis=1)


def counted(objective, rows):
    """The objective, and how often it is asked for every row."""
    asked = np.zeros(rows, dtype=int)

    def counting(chosen, points):
        assert len(set(chosen.tolist())) == len(chosen) == len(points)
        asked[chosen] += 1
        return objective(chosen, points)

    return counting, asked


def test_quadratics_end_at_their_centres(rng):
    objective, centres, _ = quadratics(rng)
    found = descend(objective, np.zeros_like(centres), tolerance=1e-9, max_evaluations=500)
    assert np.abs(found.points - centres).max() < 1e-9
    assert np.abs(found.values).max() < 1e-17
    assert found.residuals.max() <= 1e-9


def test_inverse_hessians_that_were_learned_serve_a_neighbour(rng):
    objective, centres, _ = quadratics(rng)
    options = {"tolerance": 1e-9, "max_evaluations": 500}
    first = descend(objective, np.zeros_like(centres), **options)
    start = centres + 0.1 * rng.normal(size=centres.shape)
    warm = descend(objective, start, inverse_hessians=first.inverse_hessians, **options)
    cold = descend(objective, start, **options)
    assert np.all(warm.evaluations < cold.evaluations / 2)


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 0.0), (2.0, -3.0), (-3.0, 4.0)])
def test_rosenbrock_ends_in_its_valley(start):
    found = descend(rosenbrock, np.array([start]), tolerance=1e-9, max_evaluations=300)
    assert found.points[0] == pytest.approx([1.0, 1.0], abs=1e-8)
    assert found.evaluations[0] < 120


def test_a_flat_minimum_is_reached_where_curvature_vanishes():
    def quartic(_, points):
        return (points**4).sum(axis=1), 4 * points**3

    start = np.array([[1.0, -2.0, 0.5], [3.0, 0.1, 0.0]])
    found = descend(quartic, start, tolerance=1e-9, max_evaluations=500)
    assert found.residuals.max() <= 1e-9
    assert np.abs(found.points).max() < 1e-3
    assert found.evaluations.max() < 150


def test_every_row_ends_as_if_it_were_alone(rng):
    start = rng.normal(size=(7, 5))
    together = descend(waves, start, tolerance=1e-10, max_evaluations=400)
    for row in range(7):
        alone = descend(
            lambda chosen, points, row=row: waves(chosen + row, points),
            start[row : row + 1],
            tolerance=1e-10,
            max_evaluations=400,
        )
        assert alone.evaluations[0] == together.evaluations[row]
        for name in ("points", "values", "residuals", "inverse_hessians"):
            assert getattr(alone, name)[0] == pytest.approx(getattr(together, name)[row], rel=0, abs=1e-12)
    assert len(set(together.evaluations.tolist())) > 1


def test_rows_that_are_done_are_not_asked_again(rng):
    objective, centres, _ = quadratics(rng)
    counting, asked = counted(objective, 5)
    start = np.where(np.arange(5)[:, None] == 2, centres, 0.0)
    found = descend(counting, start, tolerance=1e-9, max_evaluations=500)
    assert asked.tolist() == found.evaluations.tolist()
    assert found.evaluations[2] == 1
    assert np.array_equal(found.points[2], centres[2])


def test_residuals_are_norms_of_the_gradient_at_the_points(rng):
    start = rng.normal(size=(6, 4))
    found = descend(waves, start, tolerance=1e-8, max_evaluations=7)
    values, gradients = waves(np.arange(6), found.points)
    assert found.residuals == pytest.approx(np.linalg.norm(gradients, axis=1), rel=1e-12)
    assert found.values == pytest.approx(values, rel=1e-14)
    assert found.residuals.max() > 1e-8


@pytest.mark.parametrize("limit", [2, 3, 10, 25])
def test_no_row_is_asked_more_often_than_allowed(limit, rng):
    counting, asked = counted(rosenbrock, 4)
    found = descend(counting, 2 * rng.normal(size=(4, 2)), tolerance=1e-12, max_evaluations=limit)
    assert asked.tolist() == found.evaluations.tolist()
    assert asked.max() == limit


def test_one_evaluation_is_the_start_itself(rng):
    counting, asked = counted(rosenbrock, 3)
    start = 2 * rng.normal(size=(3, 2))
    found = descend(counting, start, tolerance=1e-12, max_evaluations=1)
    assert asked.tolist() == [1, 1, 1]
    assert np.array_equal(found.points, start)


def test_more_evaluations_never_end_higher(rng):
    start = 2 * rng.normal(size=(5, 2))
    ends = [descend(rosenbrock, start, tolerance=1e-9, max_evaluations=n).values for n in (2, 5, 10, 20, 40, 80)]
    assert np.all(np.diff(ends, axis=0) <= 0)


def test_known_inverse_hessians_make_neighbouring_minima_cheap(rng):
    objective, centres, hessians = quadratics(rng)
    start = centres + 0.1 * rng.normal(size=centres.shape)
    options = {"tolerance": 1e-9, "max_evaluations": 500}
    warm = descend(objective, start, inverse_hessians=np.linalg.inv(hessians), **options)
    cold = descend(objective, start, **options)
    assert warm.evaluations.max() <= 3
    assert cold.evaluations.min() > 10
    assert np.abs(warm.points - centres).max() < 1e-9


def test_rows_without_a_known_inverse_hessian_start_from_scratch(rng):
    objective, centres, hessians = quadratics(rng)
    start = centres + 0.1 * rng.normal(size=centres.shape)
    options = {"tolerance": 1e-9, "max_evaluations": 500}
    inverse = np.linalg.inv(hessians)
    inverse[[1, 3]] = np.nan
    mixed = descend(objective, start, inverse_hessians=inverse, **options)
    cold = descend(objective, start, **options)
    assert mixed.evaluations[[1, 3]].tolist() == cold.evaluations[[1, 3]].tolist()
    assert mixed.evaluations[[0, 2, 4]].max() <= 3
    assert np.abs(mixed.points - centres).max() < 1e-9


def test_what_is_given_stays_as_it_is(rng):
    objective, centres, hessians = quadratics(rng)
    start, inverse = np.zeros_like(centres), np.linalg.inv(hessians) + 0.1
    copies = start.copy(), inverse.copy()
    descend(objective, start, tolerance=1e-9, max_evaluations=50, inverse_hessians=inverse)
    assert np.array_equal(start, copies[0])
    assert np.array_equal(inverse, copies[1])


def test_an_inverse_hessian_that_points_uphill_is_dropped(rng):
    objective, centres, hessians = quadratics(rng)
    found = descend(
        objective,
        np.zeros_like(centres),
        tolerance=1e-9,
        max_evaluations=500,
        inverse_hessians=-np.linalg.inv(hessians),
    )
    assert np.abs(found.points - centres).max() < 1e-9


@pytest.mark.parametrize("known", [False, True], ids=["from scratch", "with inverse Hessians"])
def test_a_search_with_a_false_gradient_gives_up(known, rng):
    """Values rise along every step: the row ends where it began, and those beside it do not notice."""
    objective, centres, _ = quadratics(rng, rows=3)

    def lying(chosen, points):
        value, gradient = objective(chosen, points)
        return value, np.where((chosen == 1)[:, None], -gradient, gradient)

    start = np.zeros_like(centres)
    inverse = np.tile(np.eye(6), (3, 1, 1)) if known else None
    found = descend(lying, start, tolerance=1e-9, max_evaluations=5000, inverse_hessians=inverse)
    assert found.evaluations[1] <= 1 + 30 * (1 + known)
    assert np.array_equal(found.points[1], start[1])
    assert found.residuals[1] > 1.0
    assert np.abs(found.points - centres)[[0, 2]].max() < 1e-9


def test_differences_that_drown_in_rounding_do_not_stop_the_descent(rng):
    """Sums of large terms err by parts in 1e15 either way: values rise here and there, slopes show the way."""
    objective, centres, _ = quadratics(rng, rows=20)

    def rounded(chosen, points):
        value, gradient = objective(chosen, points)
        return value + 1e6 * (1 + 2e-15 * np.sin(1e9 * points.sum(axis=1))), gradient

    found = descend(rounded, np.zeros_like(centres), tolerance=1e-9, max_evaluations=300)
    assert found.residuals.max() <= 1e-9
    assert np.abs(found.points - centres).max() < 1e-9


def test_a_saddle_is_left_on_the_lower_side():
    def saddle(_, points):
        x, y = points.T
        value = x**2 - y**2 / 2 + y**4 / 4
        return value, np.stack([2 * x, -y + y**3], axis=1)

    found = descend(saddle, np.array([[1.0, 1e-4]]), tolerance=1e-9, max_evaluations=200)
    assert found.points[0] == pytest.approx([0.0, 1.0], abs=1e-8)
