"""Device noise: the gradient study on a noisy device compared with the ideal one, with and without error mitigation.

Errors are relative to the gradient of the same circuits without noise. Error signals are known exactly, so that repeats
differ by shots alone and the noisy states of a point are simulated once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from qep_qiskit.budget.gradient_grid import GradientStudy
from qep_qiskit.budget.points import setting_of, setting_point
from qep_qiskit.budget.problem import GradientProblem, with_known_signals
from qep_qiskit.budget.setup import BudgetSetup, ideal, problem_of
from qep_qiskit.budget.study import Study
from qep_qiskit.config import Config
from qep_qiskit.config.backend import Backend
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import Contrast
from qep_qiskit.measurement import StateMoments, run_measurements
from qep_qiskit.runs.points import Point, Row

_CONTRASTS = ("symmetric", "one_sided")


def noisy_setups(setup: BudgetSetup, config: Config) -> dict[str, BudgetSetup]:
    """Return the ideal study, the noisy one, and one with each of the mitigations of `budget.noise`, by name.

    Args:
        setup: The study as configured; if it is ideal, the noisy one uses the backend of `budget.noise`.
        config: The keys of the study.

    Raises:
        ConfigError: Exact states are sampled without circuits and have no noise, or two mitigations have the same name.
    """
    kind = setup.config["preparation"]["kind"]
    if kind in ("exact", "thermal"):
        raise ConfigError(
            f"--study noise: {kind} states are sampled without circuits and see no noise; use preparation.kind = "
            "'adiabatic' or 'variational'"
        )
    execution = dict(setup.config["execution"])
    if execution["noise"] is None and not Backend.named(execution["backend"]).is_snapshot:
        execution |= {"backend": _device(config.budget.noise.backend), "method": "automatic"}
    name = "noisy" if execution["noise"] is not None else execution["backend"]
    tables = {name: {"readout": "none"}} | {f"{name}, {own}": keys for own, keys in _mitigations(config).items()}
    noisy = {label: setup.executed(execution | {"mitigation": keys}) for label, keys in tables.items()}
    return {"ideal": ideal(setup), **noisy}


def _mitigations(config: Config) -> dict[str, dict[str, Any]]:
    """Return the keys of `execution.mitigation` by the names of the study.

    The default ones are about errors of gates and readout, which decoherence in time has none of.
    """
    study, found = config.budget.noise, {}
    is_default = study.mitigations == type(study).model_fields["mitigations"].default
    if is_default and config.execution.noise is not None and config.execution.noise.rates.any:
        return {}
    for one in study.mitigations:
        keys = one.model_dump(exclude={"name"})
        if one.name in found:
            raise ConfigError(f"budget.noise.mitigations: two are named '{one.name}'; give each a name of its own")
        if keys["readout"] != "none" and keys["calibration_shots"] is None:
            keys["calibration_shots"] = study.calibration_shots
        found[one.name] = keys
    return found


def _device(backend: str) -> str:
    if Backend.named(backend).kind != "snapshot":
        raise ConfigError(
            f"budget.noise.backend: expected a noisy device such as 'fake_manila', got '{backend}'; other noise goes "
            "into execution.noise"
        )
    return backend


def noise_rows(study: Study, setups: Mapping[str, BudgetSetup]) -> list[Row]:
    """Return the points of the grid for every setup, with equal nudges from ideal pilots.

    Args:
        study: The study.
        setups: The setups by name, from `noisy_setups`.
    """
    contrasts = [name for name in _CONTRASTS if name in study.config.contrasts] or ["symmetric"]
    keys = {"contrasts": contrasts, "reference": "prepared"}
    guide = GradientStudy.started(study.of(setups["ideal"], **keys))
    rows: list[Row] = []
    for name, setup in setups.items():
        points = [
            setting_point(setup, setting_of(contrast, beta, shots, signals="known"), study.config.repeats, None)
            for contrast in contrasts
            for beta in guide.betas(contrast)
            for shots in study.config.shots
        ]
        rows += [{**row, "execution": name} for row in study.of(setup, **keys).estimates(points)]
    return rows


def cancellation_rows(study: Study, setups: Mapping[str, BudgetSetup]) -> list[Row]:
    """Return the part of a device's error that is common to +beta and -beta, for every nudge of the study.

    There is no shot noise.

    Args:
        study: The study.
        setups: The setups by name, from `noisy_setups`.
    """
    guide = GradientStudy.started(study.of(setups["ideal"]))
    found: list[Row] = []
    for name, setup in setups.items():
        if name == "ideal":
            continue
        points: list[Point] = [
            {"key": f"cancellation {beta:g} {setup.digest}", "beta": beta}
            for beta in guide.betas(guide.default_contrast)
        ]
        rows = study.rows(points, partial(_cancellation, setup, setups["ideal"]))
        found += [{"execution": name, **row} for row in rows]
    return found


def _cancellation(noisy: BudgetSetup, clean: BudgetSetup, point: Point) -> Row:
    """Return norms over all terms and samples: of the errors of <A> at +beta and at -beta, and of their difference."""
    beta = float(point["beta"])
    reference = with_known_signals(problem_of(clean, "prepared"))
    measured = problem_of(noisy, "prepared")
    own = measured.estimator
    noisy_estimator = replace(reference.estimator, mitigation=own.mitigation, extrapolation=own.extrapolation)
    found = _moments(replace(reference, executor=measured.executor, estimator=noisy_estimator), beta)
    error = found.means - _moments(reference, beta).means
    each = float(np.sqrt((error**2).sum(axis=(0, 2)).mean()))
    difference = float(np.sqrt(((error[:, 1] - error[:, 0]) ** 2).sum()))
    return {
        "beta": beta,
        "error": each,
        "error_of_difference": difference,
        "common": difference / each if each else 0.0,
    }


def _moments(problem: GradientProblem, beta: float) -> StateMoments:
    mitigation = problem.estimator.mitigation
    exact = None if mitigation is None else replace(mitigation, calibration_shots=None)
    estimator = replace(problem.estimator, shots=None, contrast=Contrast(beta=beta), mitigation=exact)
    key = RequestKey("cancellation", 0)
    betas = np.array([-beta, beta])
    work = estimator.phases(*problem.given, key, betas, quiet=True)
    return run_measurements(work, problem.executor)[0].moments
