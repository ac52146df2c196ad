"""Length of a training run, and when it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass

from qep_qiskit.core.limits import Count, Index, check_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Length of a training run and when it is evaluated.

    Args:
        epochs: Passes over the training samples.
        batch_size: Samples per step.
        evaluate_every: Epochs between evaluations on the test set; 0 evaluates after the last epoch only.
        evaluate_final: Whether the cost of the training samples is measured again with the final weights.
        decay_epochs: Epochs over which the learning rate decays, after which it stays; None for all.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> qep.TrainingSettings(epochs=10, batch_size=4).is_test_due(10)
        True
    """

    epochs: Count = 20
    batch_size: Count = 16
    evaluate_every: Index = 1
    evaluate_final: bool = True
    decay_epochs: Count | None = None

    def __post_init__(self) -> None:
        check_limits(self)

    def is_test_due(self, epoch: int) -> bool:
        """Return whether the test set is evaluated after `epoch` epochs (0: before the first)."""
        return epoch == self.epochs or (self.evaluate_every > 0 and epoch % self.evaluate_every == 0)

    def is_final_evaluation_due(self, epoch: int) -> bool:
        """Return whether the training samples are measured again after `epoch` epochs."""
        return self.evaluate_final and epoch == self.epochs
