"""A task whose inputs are the couplings of a quantum system: recognising the phases of the cluster-Ising ring.

    H = g_ZXZ sum Z X Z - g_ZZ sum Z Z - g_X sum X ,      all g >= 0,  g_ZXZ + g_ZZ + g_X = 4

As free fermions its phases are the numbers of zeros of g_ZXZ z^2 - g_ZZ z + g_X inside the unit circle: one where g_ZZ
> 2 (ferromagnet), else two where g_ZXZ > g_X (cluster state, protected by symmetry), else none (paramagnet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count, check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.assembly import TaskOptions, task_from_table
from qep_qiskit.tasks.dataset import Task
from qep_qiskit.tasks.table import RawTable

PHASES = ("cluster", "ferromagnet", "paramagnet")
TOTAL = 4.0


def cluster_phases(
    num_samples: int, generator: np.random.Generator, patches: Sequence[Sequence[float]] | None = None
) -> RawTable:
    """Draw random points of the phase diagram, labelled by their phases.

    Args:
        num_samples: Number of points, at least 1.
        generator: Draws the points.
        patches: Squares to draw from, each as g_X and g_ZZ of its centre and its width; None for points drawn uniformly
            from the whole triangle.

    Returns:
        Inputs g_ZXZ, g_ZZ, g_X; labels "cluster", "ferromagnet", "paramagnet".

    Raises:
        ConfigError: There are no samples, or a patch is not three numbers or extends beyond the triangle.
    """
    check_value("num_samples", num_samples, Count)
    if patches is None:
        # Gaps between sorted uniform numbers are uniform on the simplex.
        cuts = np.sort(generator.uniform(0.0, TOTAL, (num_samples, 2)), axis=1)
        couplings = np.diff(cuts, axis=1, prepend=0.0, append=TOTAL)
    else:
        couplings = _in_patches(num_samples, generator, patches)
    return RawTable(
        inputs=couplings,
        input_names=("g_ZXZ", "g_ZZ", "g_X"),
        labels=tuple(PHASES[index] for index in _phase_of(couplings)),
        label_column="phase",
    )


def phase_diagram_task(
    num_samples: Count = 2000,
    test_size: Count = 200,
    *,
    seeds: Seeds,
    patches: Sequence[Sequence[float]] | None = None,
    **options: Unpack[TaskOptions],
) -> Task:
    """Build the task of recognising phases; inputs are not scaled and targets are one-hot by default.

    Args:
        num_samples: Number of training points.
        test_size: Number of test points, drawn from the whole triangle; at least 1.
        seeds: Root of the random streams, for the points.
        patches: Regions of the training points, see `cluster_phases`.
        **options: See `TaskOptions`.

    Raises:
        ConfigError: An option is out of range.
    """
    raw = cluster_phases(num_samples, seeds.generator("phases", "train"), patches)
    kept_aside = cluster_phases(test_size, seeds.generator("phases", "test"))
    options.setdefault("scaling", "none")
    options.setdefault("encoding", "one_hot")
    return task_from_table("phases", raw, test=kept_aside, classes=PHASES, **options)


def _in_patches(num_samples: int, generator: np.random.Generator, patches: Sequence[Sequence[float]]) -> NDArray:
    """Draw points from squares with equal probability."""
    for patch in patches:
        fits = len(patch) == 3 and min(patch) >= 0 and min(patch[:2]) >= patch[2] / 2
        if not fits or patch[0] + patch[1] + patch[2] > TOTAL:
            raise ConfigError(
                f"patches: expected g_X, g_ZZ and a width, of a square inside g_X + g_ZZ <= 4, got {list(patch)}"
            )
    if not patches:
        raise ConfigError("patches: expected at least one; leave the key out to draw from the whole triangle")
    chosen = np.array(patches, dtype=float)[generator.integers(len(patches), size=num_samples)]
    points = chosen[:, :2] + chosen[:, 2:] * generator.uniform(-0.5, 0.5, (num_samples, 2))
    return np.column_stack([TOTAL - points.sum(axis=1), points[:, 1], points[:, 0]])


def _phase_of(couplings: NDArray) -> NDArray[np.int64]:
    """Index of the phase for couplings g_ZXZ, g_ZZ, g_X of shape (samples, 3)."""
    g_zxz, g_zz, g_x = couplings.T
    return np.where(g_zz >= TOTAL / 2, 1, np.where(g_zxz > g_x, 0, 2))
