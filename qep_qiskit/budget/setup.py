"""Definition of a shot-noise study as picklable data for workers, and its gradient problem."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.problem import GradientProblem, true_gradient
from qep_qiskit.config import Experiment, build, check_config
from qep_qiskit.config.measurement import PilotConfig
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.contrast import NUDGELESS
from qep_qiskit.preparation import has_certain_outcomes
from qep_qiskit.tasks import Task

_PLACEHOLDER_SHOTS = 1000
_PLACEHOLDER_BETA = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetSetup:
    """Configuration, samples and weights of a study.

    Args:
        config: Resolved configuration; the study varies its nudges and shots.
        task: The samples of the study.
        weights: Shape (weights,).
        digest: Hash of the other fields.
    """

    config: Mapping[str, Any]
    task: Task
    weights: NDArray[np.float64]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        data = self.task.train
        text = json.dumps(self.config, sort_keys=True).encode()
        parts = [text, data.inputs.tobytes(), data.targets.tobytes(), np.asarray(self.weights).tobytes()]
        joined = b"".join(hashlib.sha256(part).digest() for part in parts)
        object.__setattr__(self, "digest", hashlib.sha256(joined).hexdigest()[:16])

    def executed(self, execution: Mapping[str, Any]) -> BudgetSetup:
        """Return the same study with other keys of the section `execution`."""
        return replace(self, config={**self.config, "execution": dict(execution)})

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BudgetSetup) and other.digest == self.digest


def setup_of(experiment: Experiment, weights: NDArray) -> BudgetSetup:
    """Return the study of the first training samples of an experiment at given weights.

    Args:
        experiment: The experiment.
        weights: Shape (weights,).

    Raises:
        ConfigError: All outcomes are certain, or there is no nudge.
    """
    if has_certain_outcomes(experiment.estimator.preparation):
        raise ConfigError(
            f"preparation.kind: {experiment.config.preparation.kind} states of classical spins have certain outcomes: "
            "there is no shot noise to budget; use preparation.kind = 'thermal', or network.kind = 'ising'"
        )
    config = experiment.config
    if config.contrast.kind in NUDGELESS:
        raise ConfigError(
            f"contrast.kind: a budget is about nudges, and '{config.contrast.kind}' has none; use --set "
            "contrast.kind=symmetric, with states that can be nudged"
        )
    contrast = config.contrast.model_copy(update={"beta": _PLACEHOLDER_BETA, "pilot": PilotConfig()})
    measurement = config.measurement.model_copy(
        update={"shots": _PLACEHOLDER_SHOTS, "allocation": "equal", "grouping": "shared", "adaptive": None}
    )
    plain = config.model_copy(update={"contrast": contrast, "measurement": measurement}).resolved()
    # The keys of the study do not change a point; only the seed, the network and the backend do.
    plain = {name: part for name, part in plain.items() if name not in ("budget", "update", "training", "name")}
    count = min(config.budget.samples, experiment.task.train.num_samples)
    task = replace(experiment.task, train=experiment.task.train.take(np.arange(count)), test=None)
    return BudgetSetup(config=on_the_engine(plain), task=task, weights=np.asarray(weights, dtype=float))


def on_the_engine(config: dict[str, Any]) -> dict[str, Any]:
    """Replace ideal simulation by Aer with the statevector engine, which draws the same shots and is faster."""
    execution = config["execution"]
    ideal_aer = execution["backend"] == "aer" and execution["noise"] is None and not execution["measured_circuits"]
    if not ideal_aer or execution["method"] not in ("automatic", "statevector") or execution["device"] != "CPU":
        return config
    return {**config, "execution": {**execution, "backend": "statevector", "method": "automatic"}}


def ideal(setup: BudgetSetup) -> BudgetSetup:
    """Return the same study without noise other than shot noise."""
    execution = {**setup.config["execution"], "backend": "statevector", "noise": None, "method": "automatic"}
    execution |= {"measured_circuits": False, "max_bond_dimension": None, "mitigation": {}}
    execution |= {"snapshot": None, "fractional_gates": False}
    return setup.executed(execution)


@lru_cache(maxsize=4)
def experiment_of(setup: BudgetSetup) -> Experiment:
    """Return the objects of a study, built once in each process."""
    return build(check_config(dict(setup.config), "the study's configuration"), setup.task)


@lru_cache(maxsize=4)
def problem_of(setup: BudgetSetup, reference: str) -> GradientProblem:
    """Return the gradient problem of a study.

    Args:
        setup: The study.
        reference: ``"exact"`` or ``"prepared"``, the reference for errors.
    """
    experiment, data = experiment_of(setup), setup.task.train
    config = experiment.config
    # A small nudge of Gibbs states without shots is as good as exact.
    section = config.preparation
    level = section.target_level if reference == "exact" and section.state_temperature is None else None
    source = experiment_of(ideal(setup)) if level is None else experiment
    truth = true_gradient(experiment.estimator, source.executor, setup.weights, data.inputs, data.targets, level=level)
    return GradientProblem(
        estimator=replace(experiment.estimator, replication=None),  # the repeats of a study are its replicates
        executor=experiment.executor,
        weights=setup.weights,
        inputs=data.inputs,
        targets=data.targets,
        trainable=experiment.network.layout.trainable(),
        truth=truth,
    )
