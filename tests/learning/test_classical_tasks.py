"""Classical spins and Gibbs states learn, each by every way to their gradient that the package has."""

from pathlib import Path

import pytest

from qep_qiskit.config import from_file
from qep_qiskit.learning import evaluate

CONFIGS = Path(__file__).parents[2] / "configs"
WAYS = {
    "search": ("classical_ising", ()),
    "annealing": ("classical_ising", ("preparation={kind='annealing', sweeps=30, restarts=4}",)),
    "fluctuations": ("thermal", ()),
    "nudged Gibbs states": ("thermal", ("contrast.kind='symmetric'",)),
    "quantum fluctuations": ("thermal", ("network.kind='ising'", "measurement.shots='exact'")),
}


@pytest.mark.deep(but=["search", "fluctuations", "quantum fluctuations"])
@pytest.mark.parametrize("way", WAYS)
def test_exclusive_or(way):
    name, overrides = WAYS[way]
    experiment = from_file(CONFIGS / f"{name}.toml", overrides)
    trainer = experiment.trainer()
    trainer.run()
    data = experiment.task.train
    found = evaluate(experiment.estimator, experiment.executor, trainer.weights, data, purpose="test", index=0)
    assert found.tally.correct == data.num_samples
