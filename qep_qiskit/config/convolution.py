"""Keys of convolutional networks, which Ising and Pauli networks share."""

from __future__ import annotations

from pydantic import Field

from qep_qiskit.config.graph import Pair
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.network.convolution import Convolution
from qep_qiskit.tasks import Task

CONVOLUTION = "convolution"
FILTER_KEYS = ("filters", "filter_size", "stride", "pooling")


class ConvolutionKeys(NetworkSection):
    """Base class of networks that can have filters over the pixels of an image."""

    image: Pair | None = None
    """Rows and columns of the image of a convolution; its pixels are the inputs, row by row."""
    filters: int | None = Field(default=None, ge=1)
    """Filters of a convolution, 4 by default; each has a map of spins with the same weights."""
    filter_size: int | None = Field(default=None, ge=1)
    """Side of a filter in pixels, 2 by default."""
    stride: int | None = Field(default=None, ge=1)
    """Distance between neighbouring places of a filter, 1 by default."""
    pooling: int | None = Field(default=None, ge=1)
    """Side of the windows over which maps are averaged, 2 by default; 1 couples maps to outputs directly. Couplings to
    pooling spins are frozen at one over the spins of a window."""
    copies: int = Field(default=1, ge=1)
    """Number of successive output spins whose mean is one output."""

    def convolution(self, task: Task, unused: dict[str, bool]) -> Convolution:
        """Return spins, links and ties of the convolution.

        Args:
            task: The samples, whose inputs are the pixels.
            unused: Keys that have no effect, and whether each is given.

        Raises:
            ConfigError: A key without effect is given.
            NetworkError: The image does not have as many pixels as the task has inputs, or numbers do not fit.
        """
        given = [key for key, is_given in unused.items() if is_given]
        if given:
            raise ConfigError(f"{given[0]}: does not go with graph = '{CONVOLUTION}'; leave it out")
        if self.image is None:
            raise ConfigError(f"image: this key is missing; graph = '{CONVOLUTION}' needs it")
        (rows, columns), count = self.image, task.train.num_inputs
        if rows * columns != count:
            raise NetworkError(
                f"image: expected as many pixels as the task has inputs, {count}; got {rows} x {columns}"
            )
        filters = {key: getattr(self, key) for key in FILTER_KEYS if getattr(self, key) is not None}
        return Convolution(image=(rows, columns), outputs=max(1, task.train.num_targets) * self.copies, **filters)
