"""What a user prints fits on a screen: every object of the package that can be reached from a run."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.core.short_repr import brief

ROOT = Path(__file__).parents[1]
LONGEST = 200
CONFIGS = [
    *("xor", "iris", "xor_noisy", "xor_vqe", "phase_sensor", "cluster_ising", "classical_ising", "thermal"),
    *("oscillators", "oscillators_grid", "elastic"),
]


def parts_of(value):
    if isinstance(value, dict):
        return [*value.keys(), *value.values()][:40]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)[:20]
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value) if hasattr(value, field.name)]
    if type(value).__module__.startswith("qep_qiskit"):
        return list(getattr(value, "__dict__", {}).values())
    return []


def reached(value, seen):
    """All objects of the package inside one, each once, but those whose class is private."""
    if id(value) not in seen:
        seen[id(value)] = value  # kept, so that no id is used twice
        if type(value).__module__.startswith("qep_qiskit") and not type(value).__name__.startswith("_"):
            yield value
        for part in parts_of(value):
            yield from reached(part, seen)


def too_long(values):
    lengths = {}
    for value in reached(values, {}):
        kind = type(value).__name__
        lengths[kind] = max(lengths.get(kind, 0), len(repr(value)))
    return len(lengths), {kind: length for kind, length in lengths.items() if length > LONGEST}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.parametrize("name", CONFIGS)
def test_all_that_a_run_is_made_of_has_a_short_repr(name):
    experiment = qep.from_file(ROOT / "configs" / f"{name}.toml")
    kinds, long = too_long([experiment, experiment.trainer()])
    assert kinds > 20
    assert long == {}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_what_a_step_asks_and_gives_has_a_short_repr(monkeypatch):
    seen = []
    measure, answer = qep.GradientEstimator.estimate_batch, qep.StatevectorExecutor.collect

    def kept_estimate(*args, **kwargs):
        seen.append((yield from measure(*args, **kwargs)))
        return seen[-1]

    def kept_answer(self, job_handle):
        seen.extend([job_handle, answer(self, job_handle)])
        return seen[-1]

    monkeypatch.setattr(qep.GradientEstimator, "estimate_batch", kept_estimate)
    monkeypatch.setattr(qep.StatevectorExecutor, "collect", kept_answer)
    changes = ["measurement.shots=10", "preparation.steps=3", "training.epochs=1", "execution.backend=statevector"]
    trainer = qep.from_file(ROOT / "configs" / "xor.toml", changes).trainer()
    trainer.run()
    assert any(type(value).__name__ == "GradientEstimate" for value in seen)
    kinds, long = too_long([seen, trainer])
    assert kinds > 30
    assert long == {}
    assert repr(trainer).startswith("Trainer(estimator=GradientEstimator(...), executor=")


def test_long_things_say_what_they_are():
    assert brief(np.zeros((200, 3))) == "<array of 200 x 3>"
    assert brief(np.array([1.0, 2.0])) == "array([1., 2.])"
    assert brief(np.array(3.0)) == "array(3.)"
    assert brief(tuple(range(9))) == "<tuple of 9>"
    assert brief(["a" * 30, "b" * 30]) == "<list of 2>"
    assert brief("a" * 100) == f"'{'a' * 45}...'"
