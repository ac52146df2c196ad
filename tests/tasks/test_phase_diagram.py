"""Points of the cluster-Ising phase diagram and the phases that they are in."""

import numpy as np
import pytest
from reference import ground, pauli_matrix

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import phase_diagram_task
from qep_qiskit.tasks.phase_diagram import cluster_phases

PATCHES = [[1.0, 0.5, 0.4], [2.5, 0.5, 0.4], [0.5, 3.0, 0.4]]


def ring_matrix(couplings, size=8):
    """+ g_ZXZ sum ZXZ - g_ZZ sum ZZ - g_X sum X."""
    g_zxz, g_zz, g_x = couplings
    total = np.zeros((1 << size, 1 << size))
    for j in range(size):
        k, m = (j + 1) % size, (j + 2) % size
        total += g_zxz * pauli_matrix(f"Z{j} X{k} Z{m}", size).real
        total -= g_zz * pauli_matrix(f"Z{j} Z{k}", size).real + g_x * pauli_matrix(f"X{j}", size).real
    return total


def test_points_are_uniform_on_the_triangle(rng):
    table = cluster_phases(4000, rng)
    assert table.inputs.sum(axis=1) == pytest.approx(4.0)
    assert (table.inputs >= 0).all()
    # Each coupling of a uniform point has mean 4/3 and variance 16/18.
    assert table.inputs.mean(axis=0) == pytest.approx(4 / 3, abs=4 * np.sqrt(16 / 18 / 4000))
    shares = [table.labels.count(name) / 4000 for name in ("cluster", "ferromagnet", "paramagnet")]
    # g_ZZ > 2 is a quarter of the area; the rest is halved.
    assert shares == pytest.approx([0.375, 0.25, 0.375], abs=4 * np.sqrt(0.25 / 4000))


@pytest.mark.parametrize(
    ("couplings", "order"),
    [((3.4, 0.4, 0.2), "cluster"), ((0.4, 3.2, 0.4), "ferromagnet"), ((0.2, 0.4, 3.4), "paramagnet")],
)
def test_phases_are_those_of_the_ground_state(couplings, order):
    """Deep in a phase its own order is the largest of the three."""
    _, state, _ = ground(ring_matrix(couplings))
    orders = {
        "cluster": -pauli_matrix("Z0 X1 Z2", 8),
        "ferromagnet": pauli_matrix("Z0 Z1", 8),
        "paramagnet": pauli_matrix("X0", 8),
    }
    found = {name: np.vdot(state, matrix @ state).real for name, matrix in orders.items()}
    assert max(found, key=found.get) == order
    assert found[order] > 0.9


def test_gap_of_an_open_phase_boundary_closes_where_the_labels_change():
    """Zeros on the unit circle: at g_ZXZ = g_X, and at g_ZZ = 2, the ring of 8 has the smallest gaps between phases."""

    def gap(couplings):
        levels = np.linalg.eigvalsh(ring_matrix(couplings))
        return levels[1] - levels[0]

    assert gap((1.8, 0.4, 1.8)) < min(gap((2.6, 0.4, 1.0)), gap((1.0, 0.4, 2.6)))


def test_task_has_one_hot_targets_and_a_test_part_of_its_own():
    task = phase_diagram_task(50, 20, seeds=Seeds(3), patches=PATCHES)
    assert (task.train.num_samples, task.test.num_samples, task.train.num_targets) == (50, 20, 3)
    assert task.train.classes == ("cluster", "ferromagnet", "paramagnet")
    assert np.array_equal(np.argmax(task.train.targets, axis=1), task.train.labels)
    assert set(np.unique(task.train.targets)) == {0.0, 1.0}
    centres = np.array([[p[0], p[1]] for p in PATCHES])
    away = np.abs(task.train.inputs[:, [2, 1]][:, None] - centres).max(axis=2).min(axis=1)
    assert (away <= 0.2 + 1e-12).all()
    assert (np.abs(task.test.inputs[:, [2, 1]][:, None] - centres).max(axis=2).min(axis=1) > 0.2).any()


def test_the_same_seed_gives_the_same_points():
    one, again, other = (phase_diagram_task(10, 5, seeds=Seeds(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.train.inputs, again.train.inputs)
    assert not np.array_equal(one.train.inputs, other.train.inputs)


@pytest.mark.parametrize(
    ("count", "patches", "words"),
    [
        (0, None, "num_samples: expected at least 1, got 0"),
        (5, [], "patches: expected at least one"),
        (5, [[1.0, 0.5]], "patches: expected g_X, g_ZZ and a width"),
        (5, [[0.1, 0.5, 0.4]], "inside g_X"),
        (5, [[2.0, 2.0, 0.1]], "inside g_X"),
        (5, [[1.0, 1.0, -0.1]], "inside g_X"),
    ],
)
def test_bad_options_are_one_line(count, patches, words, rng):
    with pytest.raises(ConfigError) as caught:
        cluster_phases(count, rng, patches)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
