"""The size study: gradient, gap, best nudge and shots of random networks against their number of spins.

A point is one network: a configuration of the grid with the weights of one seed. It is computed from exact means of the
prepared states, so it takes a few gradients without shots (`network_errors`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.network_errors import check_single_strings, exact_contrasts
from qep_qiskit.budget.setup import on_the_engine, setup_of
from qep_qiskit.budget.study import Study, StudyKind, StudySummary
from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.budget import BudgetConfig, SizeStudyConfig
from qep_qiskit.config.measurement import MeasurementConfig
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.distances import distances_of_weights, qubits_of_inputs, qubits_of_outputs
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.learning.shot_schedule import batches_per_group
from qep_qiskit.measurement import run_measurements
from qep_qiskit.runs.grid import GridPoint
from qep_qiskit.runs.points import Point, Row
from qep_qiskit.runs.warned_points import warned_sentences, with_warnings
from qep_qiskit.tasks import Dataset

_NOT_OF_A_POINT = ("update", "training", "name")
_PLACEHOLDER_BETA = 0.1
_EXPECTED = "such as --over network.num_spins=4,8,12"
_SOURCES = ("outputs", "inputs")
_ROUNDING = 1e-10  # of the length of the gradient: means of iterative solvers are not better


_METHOD = [
    (
        "networks",
        "Weights are drawn as those of the first step of a training run, with the seed of the configuration and the "
        "next ones. Means over networks are geometric, with the standard error of the mean of the logarithms.",
    ),
    (
        "gradient",
        "Of the mean cost of the samples by all trained weights, in the limit of β to 0, from exact means of the "
        "prepared states at two small nudges.",
    ),
    (
        "shots",
        "The fewest shots of one gradient, all batches and samples counted, for which bias and shot noise together "
        "stay below the error, at the nudge that needs fewest: the bias from exact means at nudges around it, the "
        "noise from the variance 1 − ⟨P⟩² of a shot. The noise of a measured error signal is included to first order.",
    ),
    ("gap", "First excitation energy of the free Hamiltonian, the smallest of the samples."),
    (
        "distance",
        "Couplings between the nearest qubit of a weight's dH/dw and the nearest output. Gradients below 1e-10 of "
        "the length are rounding errors and left out.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class SizeStudy(StudyKind):
    """Gradients, shots, gap and best nudge against the number of spins.

    Args:
        points: One point for every network.
        others: Swept keys that do not change the number of spins; each combination of their values is a curve.
    """

    points_name = "networks"

    points: Sequence[Point]
    others: Sequence[str]

    def found(self, study: Study, path: Path) -> StudySummary:
        """Compute the networks, and return their means by size and distance."""
        from qep_qiskit.budget.size_summary import curve_table, distance_averages, size_averages, size_sentences

        networks, distances = tables_of(study.rows(self.points, network_row))
        error = self.experiment.config.budget.size.target_error
        facts = {
            "name": self.experiment.config.name,
            "network": f"{len(networks)} random networks; shots are for an error of {error:.3g} of the gradient's "
            "length",
            "sentences": size_sentences(networks),
            "curves": curve_table(networks, distances, self.others),
            "warnings": warned_sentences({"size": networks}),
        }
        means = size_averages(networks, self.others) + distance_averages(distances, networks, self.others)
        tables = {"size": networks, "distance": distances}
        return StudySummary(facts=facts, tables=tables, drawn={"size": means}, method=_METHOD)


def sizes_of(grid: Sequence[GridPoint]) -> tuple[list[Point], list[str]]:
    """Return points and other keys of a study, after checks of every configuration; nothing is written.

    Args:
        grid: The configurations, all with the same swept keys.

    Raises:
        QepError: A configuration cannot be built or studied; the message names its point.
        ConfigError: All networks have the same number of spins, or the seed is swept.
    """
    if "seed" in grid[0].swept:
        raise ConfigError("--over seed: networks differ by their seeds already; set budget.size.networks instead")
    spins = [_checked(point) for point in grid]
    if len(set(spins)) < 2:
        raise ConfigError(f"--over: --study size expected networks of two sizes or more, {_EXPECTED}; got {spins[0]}")
    points: list[Point] = [
        {"key": f"{point.name},seed={seed}", "swept": dict(point.swept), "config": _of_network(point.config, seed)}
        for point, count in zip(grid, spins, strict=True)
        for seed in range(point.config.seed, point.config.seed + point.config.budget.size.networks_of(count))
    ]
    return points, _others(grid, spins)


def _checked(point: GridPoint) -> int:
    """Return the number of spins of a configuration that can be studied."""
    try:
        given = build(point.config)
        if not given.network.num_qubits or isinstance(given.network, GridNetwork):
            raise ConfigError(f"network.kind: --study size is about spins, got '{point.config.network.kind}'")
        if point.config.preparation.measures_energies:
            raise ConfigError(
                "preparation.energies: --study size takes exact means, and 'sampled' prepares states with shots; use "
                "'simulated'"
            )
        if point.config.runs_circuits and not point.config.execution.is_ideal:
            raise ConfigError("execution: --study size takes exact means; leave out noise and devices")
        setup_of(given, given.network.layout.initial(given.seeds))
        check_single_strings(_exact(_of_network(point.config, point.config.seed)).estimator)
    except QepError as error:
        raise type(error)(f"point {point.name}: {error}") from error
    return given.network.num_qubits


def _of_network(config: Config, seed: int) -> dict[str, Any]:
    """Return the configuration of a network with exact means, without keys that do not change it."""
    size = SizeStudyConfig(networks=1, target_error=config.budget.size.target_error)
    study = BudgetConfig(samples=config.budget.samples, size=size)
    contrast = config.contrast.model_copy(update={"beta": _PLACEHOLDER_BETA})
    exact = {"seed": seed, "measurement": MeasurementConfig(shots="exact"), "contrast": contrast, "budget": study}
    content = on_the_engine(config.model_copy(update=exact).resolved())
    return {name: part for name, part in content.items() if name not in _NOT_OF_A_POINT}


def _exact(config: Mapping[str, Any]) -> Experiment:
    return build(check_config(dict(config), "the study's configuration"))


def _others(grid: Sequence[GridPoint], spins: Sequence[int]) -> list[str]:
    """Return the keys with which the number of spins never changes while the other keys stay."""
    found = []
    for key in grid[0].swept:
        sizes: dict[str, set[int]] = {}
        for point, count in zip(grid, spins, strict=True):
            rest = str({name: value for name, value in point.swept.items() if name != key})
            sizes.setdefault(rest, set()).add(count)
        if all(len(counts) == 1 for counts in sizes.values()):
            found.append(key)
    return found


def network_row(point: Point) -> Mapping[str, Any]:
    """Return the row of one network. Called in a worker.

    Args:
        point: A point of `sizes_of`.
    """
    return {**point["swept"], **with_warnings(lambda: _measured(_exact(point["config"])))}


def _measured(experiment: Experiment) -> Row:
    """Return the row of a network whose means are exact."""
    estimator, study = experiment.estimator, experiment.config.budget
    hamiltonian, layout = estimator.hamiltonian, experiment.network.layout
    data = experiment.task.train.take(np.arange(min(study.samples, experiment.task.train.num_samples)))
    weights, trainable = layout.initial(experiment.seeds), layout.trainable()
    error, free = study.size.target_error, _free_phase(experiment, weights, data)
    found = exact_contrasts(
        estimator,
        experiment.executor,
        *(weights, data.inputs, data.targets),
        relative_error=error,
        free=free,
    )
    needed = found.shots_for(error)
    batches = float(batches_per_group(estimator).sum()) * data.num_samples
    sources = qubits_of_outputs(hamiltonian), qubits_of_inputs(hamiltonian, weights, data.inputs)
    distances = [distances_of_weights(hamiltonian, qubits)[trainable] for qubits in sources]
    return {
        "spins": hamiltonian.num_qubits,
        "seed": experiment.config.seed,
        "weights": int(trainable.sum()),
        "gradient": found.length,
        "gap": _smallest(free.prepared_states.report.gaps),
        "beta": None if needed is None else needed.beta,
        "shots": None if needed is None else needed.shots,
        "total_shots": None if needed is None else round(needed.shots * batches),
        "relative_bias": None if needed is None else needed.bias,
        "profiles": [_profile(found.gradient, one) for one in distances],
    }


def _free_phase(experiment: Experiment, weights: NDArray, data: Dataset) -> FreePhase:
    """Prepare the free states of the samples."""
    hamiltonian = experiment.estimator.hamiltonian
    coefficients = hamiltonian.free_coefficients(weights, data.inputs)
    targets = hamiltonian.targets_of(data.inputs, data.targets)
    free = experiment.estimator.free_phase(coefficients, targets, RequestKey("free", 0))
    return run_measurements(free, experiment.executor)[0]


def _smallest(gaps: NDArray) -> float | None:
    """Return the smallest gap, or None where the preparation gives none."""
    return float(np.nanmin(gaps)) if np.isfinite(gaps).any() else None


def _profile(gradient: NDArray, distances: NDArray) -> list[list[float]]:
    """Return for every distance the number of weights and the root mean square of their gradient."""
    levels = np.unique(distances[np.isfinite(distances)])
    parts = [gradient[distances == level] for level in levels]
    return [
        [float(level), len(part), float(np.sqrt((part**2).mean()))] for level, part in zip(levels, parts, strict=True)
    ]


def tables_of(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the table of networks, and that of their gradients by the distance of weights; None for rounding errors.

    Args:
        rows: Rows of `network_row`.
    """
    networks = [{name: value for name, value in row.items() if name != "profiles"} for row in rows]
    distances = [
        {
            **{name: row[name] for name in list(row)[: list(row).index("weights")]},
            "from": source,
            "distance": int(distance),
            "weights": count,
            "rms_gradient": size if size > _ROUNDING * row["gradient"] else None,
        }
        for row in rows
        for source, profile in zip(_SOURCES, row["profiles"], strict=True)
        for distance, count, size in profile
    ]
    return networks, distances
