"""Adaptive against fixed shots, as `qep budget --study training` runs them."""

import pytest

from qep_qiskit.budget.reaching import shots_to_reach
from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.study import Study
from qep_qiskit.budget.training import training_points, training_rows
from qep_qiskit.config import from_file
from qep_qiskit.runs.processes import open_pool


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.parametrize("task", ["xor", "parity"])
def test_a_low_loss_takes_at_most_half_the_shots_of_the_best_fixed_budget(task, request, tmp_path):
    """Mean loss of ten epochs, median of seven seeds; where a loss of 0.01 is enough, few fixed shots do as well."""
    overrides = (
        "preparation.kind=exact",
        "training.epochs=200",
        "training.evaluate_every=0",
        "budget.training.shots=[3,10,30,100,300]",
        "budget.training.adaptive_from=[3,10]",
        "budget.training.seeds=7",
    )
    experiment = from_file(request.config.rootpath / "configs" / f"{task}.toml", overrides)
    setup = setup_of(experiment, experiment.network.layout.initial(experiment.seeds))
    with open_pool(None) as pool:
        study = Study(setup=setup, config=experiment.config.budget, pool=pool)
        rows = training_rows(study, training_points(experiment.config, tmp_path))
    shots = shots_to_reach(rows, 0.001)
    fixed = min(count for budget, count in shots.items() if not budget.startswith("adaptive"))
    adaptive = min(count for budget, count in shots.items() if budget.startswith("adaptive"))
    assert adaptive <= 0.5 * fixed
