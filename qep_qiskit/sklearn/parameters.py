"""The configuration that the hyperparameters of an estimator describe."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from qep_qiskit.config import Config, check_config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.jobs import MOST_JOBS
from qep_qiskit.tasks.encoding import Encoding, default_num_targets

KEYS = {
    "graph": "network.graph",
    "num_spins": "network.num_spins",
    "preparation": "preparation.kind",
    "backend": "execution.backend",
    "shots": "measurement.shots",
    "beta": "contrast.beta",
    "loss": "cost.loss",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "update.learning_rate",
    "input_scale": "task.input_scale",
    "n_jobs": "execution.jobs",
}
"""Keys of the configuration by hyperparameter."""

_LEAST_SPINS = 4
_DEFAULTS: Mapping[str, tuple[Any, Any]] = {"shots": ("exact", None), "beta": (0.05, 0.3)}
"""Values in place of None, without shots and with."""


def given_content(config: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    """Return the sections of `config=`: a dictionary, or the path of a TOML file.

    Raises:
        ConfigError: The file is missing or does not parse.
    """
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return {name: dict(keys) if isinstance(keys, Mapping) else keys for name, keys in config.items()}
    path = Path(config)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"config: {path} cannot be read ({error.strerror}); expected a configuration in TOML") from (
            None
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"config: {path} is not valid TOML: {error}") from None


def merged_config(
    parameters: Mapping[str, Any],
    defaults: Mapping[str, Any],
    given: Mapping[str, Any],
    num_classes: int,
    num_targets: int,
    seed: int,
) -> Config:
    """Return the checked configuration of an estimator.

    Args:
        parameters: Hyperparameters by name.
        defaults: Their default values.
        given: Sections of `config=`, which take precedence over defaults.
        num_classes: Number of classes; 0 for a regression.
        num_targets: Number of targets of a regression; 0 for classes.
        seed: Seed of the run.

    Raises:
        ConfigError: A key is given by a hyperparameter and by `config=`, or a value is not valid.
    """
    content: dict[str, Any] = {name: dict(keys) if isinstance(keys, Mapping) else keys for name, keys in given.items()}
    content.setdefault("name", "classifier" if num_classes else "regressor")
    content.setdefault("seed", seed)
    task_keys = content.setdefault("task", {})
    if task_keys.setdefault("kind", "arrays") != "arrays":
        raise ConfigError("config: task.kind: samples come from X and y; leave out the task of the configuration")
    content.setdefault("cost", {}).setdefault("kind", "loss")
    content.setdefault("update", {}).setdefault("kind", "adam")
    content["update"].setdefault("decay", "linear")
    shots = parameters["shots"] if parameters["shots"] is not None else content.get("measurement", {}).get("shots")
    has_shots = shots not in (None, "exact")
    is_ising = content.setdefault("network", {}).setdefault("kind", "ising") == "ising"
    for name, key in KEYS.items():
        section, last = key.split(".")
        if (section == "network" and not is_ising) or (section == "cost" and content["cost"]["kind"] != "loss"):
            continue
        value = parameters[name]
        if name == "n_jobs":
            value = _jobs(value)
        if value is None and name in _DEFAULTS:
            value = _DEFAULTS[name][has_shots]
        if last in content.get(section, {}):
            if parameters[name] != defaults[name]:
                raise ConfigError(f"{name}: config also sets {key}; leave one of them out")
            continue
        _fill(content, section, last, value)
    if is_ising and has_shots:
        _divide_by_errors(content)
    if is_ising:
        cost = content["cost"]
        encoding: Encoding = "one_hot" if cost.get("loss") == "cross_entropy" else "amplitude"
        outputs = default_num_targets(num_classes, encoding) if num_classes else num_targets
        _fill_outputs(content["network"], cost, outputs)
    return check_config(content, "config")


def _divide_by_errors(content: dict[str, Any]) -> None:
    """Nudge all samples equally and divide shots by their errors, where neither is given and the contrast allows it."""
    if "kind" in content.get("contrast", {}) or content["update"]["kind"] == "agnostic":
        return
    if content.setdefault("contrast", {}).setdefault("equal_nudges", True):
        content.setdefault("measurement", {}).setdefault("shots_by_error", True)


def _jobs(n_jobs: Any) -> int:
    """Return how many jobs scikit-learn means; within its own workers it is one."""
    if n_jobs is not None and (not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs == 0):
        raise ConfigError(f"n_jobs: expected None, -1 for all cores, or a whole number other than 0, got {n_jobs!r}")
    return min(effective_n_jobs(n_jobs), MOST_JOBS)


def _fill(content: dict[str, Any], section: str, key: str, value: Any) -> None:
    if value is not None:
        content.setdefault(section, {}).setdefault(key, value)


def _fill_outputs(network: dict[str, Any], cost: dict[str, Any], wanted: int) -> None:
    """Add number and outputs of the spins where they are not given: the last spins are the outputs."""
    if "shape" not in network and "edges" not in network:
        network.setdefault("num_spins", max(_LEAST_SPINS, wanted))
    if "outputs" not in network and "observables" not in cost and isinstance(network.get("num_spins"), int):
        spins = network["num_spins"]
        if spins < wanted:
            raise ConfigError(f"num_spins: expected at least {wanted}, one for each output, got {spins}")
        network["outputs"] = list(range(spins - wanted, spins))
