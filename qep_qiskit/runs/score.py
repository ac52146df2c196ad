"""Loss, accuracy and errors of a trained network on some samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning import Evaluation
from qep_qiskit.learning.evaluation import target_errors
from qep_qiskit.report.tables import value_with_error
from qep_qiskit.tasks import Dataset, Task


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Loss, accuracy and errors of a trained network on some samples.

    Args:
        samples: Number of samples.
        loss: Mean loss; of a regression that of its scaled targets. None without targets.
        loss_se: Its standard error by shots; None where it is not known.
        accuracy: Fraction of correct samples; None without labels.
        accuracy_se: Its standard error over samples.
        target_errors: For each target column ``rmse_<column>``, the root mean square error in units of the column, and
            ``rmse_<column>_se``.
        shots: Shots used.
        circuits: Circuits used.

    Example:
        >>> qep.train(qep.from_file("configs/xor.toml", ["training.epochs=1"])).evaluate(shots=10).shots
        40
    """

    samples: int
    loss: float | None
    loss_se: float | None
    accuracy: float | None
    accuracy_se: float | None
    target_errors: Mapping[str, float | None] = field(default_factory=dict)
    shots: int = 0
    circuits: int = 0

    def record(self) -> dict[str, Any]:
        """Return the numbers as a mapping that can be written as JSON."""
        return {
            "accuracy": self.accuracy,
            "accuracy_standard_error": self.accuracy_se,
            "loss": self.loss,
            "loss_standard_error": self.loss_se,
            **self.target_errors,
            "shots": self.shots,
            "circuits": self.circuits,
        }

    def rows(self, *, has_scaled_targets: bool) -> list[tuple[str, str]]:
        """Return names and values with their errors, for a table.

        Args:
            has_scaled_targets: Whether losses are those of scaled targets.
        """
        found = []
        for name, value in self.target_errors.items():
            if not name.endswith("_se") and value is not None:
                error = self.target_errors[f"{name}_se"]
                found.append((f"rms error of {name.removeprefix('rmse_')}", value_with_error(value, error)))
        if self.accuracy is not None:
            found.append(("accuracy", value_with_error(self.accuracy, self.accuracy_se)))
        if self.loss is not None:
            label = "loss of scaled targets" if has_scaled_targets else "loss"
            found.append((label, value_with_error(self.loss, self.loss_se)))
        return [*found, ("circuits", f"{self.circuits:,}"), ("shots", f"{self.shots:,}")]


def score_of(task: Task, data: Dataset, found: Evaluation, *, with_cost: bool = True) -> Score:
    """Return the score of an evaluation.

    Args:
        task: The task, with the scaling of its targets.
        data: The samples.
        found: Their evaluation.
        with_cost: Whether costs were computed from targets.
    """
    errors = target_errors("evaluated", task, data, found) if with_cost else {}
    return Score(
        samples=data.num_samples,
        loss=found.tally.mean_cost if with_cost else None,
        loss_se=found.tally.cost_error if with_cost else None,
        accuracy=found.tally.accuracy if with_cost else None,
        accuracy_se=found.tally.accuracy_error if with_cost else None,
        target_errors={name.removeprefix("evaluated_"): value for name, value in errors.items()},
        shots=found.usage.shots,
        circuits=found.usage.circuits,
    )
