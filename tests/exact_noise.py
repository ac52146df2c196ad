"""Bias and shot noise of contrasts from dense matrices alone: what measured points and error models must meet.

Every weight multiplies one operator that lies in one commuting group, with one batch of shots a phase; error signals
are known. Nothing here goes through the package's kernels.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from reference import derivative, pauli_matrix
from scipy.stats import binom

STENCILS = {"one_sided": {0: -1.0, 1: 1.0}, "symmetric": {-1: -0.5, 1: 0.5}}


@dataclass(frozen=True)
class ExactNoise:
    """A free Hamiltonian, the operator that nudges it, and dH/dw of every weight, all dense."""

    free: np.ndarray
    nudge: np.ndarray
    operators: np.ndarray

    @classmethod
    def of(cls, hamiltonian, weights, nudge=None):
        """Of an Ising network without clamped inputs, each weight with a word of its own, and an operator cost."""
        network = hamiltonian.network
        words = [str(network.terms[term]) for term in network.jacobian(weights, np.zeros((1, 0))).term]
        operators = np.array([-pauli_matrix(word, network.num_qubits) for word in words]).real
        nudge = hamiltonian.cost.operator(np.zeros(0)).to_matrix() if nudge is None else nudge
        return cls(network.hamiltonian(weights).to_matrix().real, nudge.real, operators)

    def moments(self, betas):
        """Means and variances of all operators in the nudged ground states, each of shape (betas, weights)."""
        betas = np.asarray(betas, dtype=float)
        states = np.linalg.eigh(self.free + betas[:, None, None] * self.nudge)[1][:, :, 0]
        turned = np.einsum("kxy,by->kbx", self.operators, states)
        means = np.einsum("bx,kbx->bk", states, turned)
        return means, np.einsum("kbx,kbx->bk", turned, turned) - means**2

    @property
    def gradient(self):
        """da/dbeta at zero, the gradient of <C> (equilibrium propagation)."""
        return derivative(lambda beta: self.moments([beta])[0][0])

    def bias(self, kind, betas):
        """Deviation of the contrast, shape (betas, weights)."""
        betas = np.asarray(betas, dtype=float)
        found = sum(share * self.moments(step * betas)[0] for step, share in STENCILS[kind].items())
        return found / betas[:, None] - self.gradient

    def shot_variance(self, kind, betas):
        """Variance of one shot a batch, shape (betas, weights)."""
        betas = np.asarray(betas, dtype=float)
        found = sum(share**2 * self.moments(step * betas)[1] for step, share in STENCILS[kind].items())
        return found / betas[:, None] ** 2

    def errors(self, kind, betas, shots):
        """Root mean squared error over all weights, shape (betas,)."""
        squared = (self.bias(kind, betas) ** 2).sum(axis=1)
        return np.sqrt(squared + self.shot_variance(kind, betas).sum(axis=1) / shots)

    def best(self, kind, shots, betas=None):
        """The nudge with the smallest error, and the error there."""
        betas = np.geomspace(3e-3, 30.0, 600) if betas is None else betas
        errors = self.errors(kind, betas, shots)
        return betas[errors.argmin()], errors.min()

    def curvature(self, kind, step=0.04):
        """a'' or a''' at zero, shape (weights,), by extrapolated differences."""

        def difference(size):
            means = self.moments(size * np.arange(-2, 3))[0]
            if kind == "one_sided":
                return (means[1] - 2 * means[2] + means[3]) / size**2
            return (means[4] - 2 * means[3] + 2 * means[1] - means[0]) / (2 * size**3)

        table = [difference(size) for size in step / 2.0 ** np.arange(3)]
        for power in (1, 2):
            table = [fine + (fine - coarse) / (4**power - 1) for coarse, fine in pairwise(table)]
        return table[0]

    def theory(self, kind, shots):
        """Best nudge by the leading orders: (8V/(m a''^2))^(1/4) or (9V/(m a'''^2))^(1/6), summed over weights."""
        noise, curvature = self.moments([0.0])[1].sum(), (self.curvature(kind) ** 2).sum()
        if kind == "one_sided":
            return (8.0 * noise / (shots * curvature)) ** 0.25
        return (9.0 * noise / (shots * curvature)) ** (1.0 / 6.0)


@dataclass(frozen=True)
class ExactSignalNoise:
    """The same for the loss (<O> - y)^2 with one output O = Z_o and one sample, whose signal is read from m shots.

    The mean over the signal's noise is taken over the counts of the free batch. O has two outcomes, so that the means
    of a free batch given the counts of O are a straight line in them, and nothing is approximated.
    """

    noise: ExactNoise
    diagonal: np.ndarray
    target: float

    @classmethod
    def of(cls, hamiltonian, weights, target):
        """`noise` has the nudge O itself: it counts in units of beta times the signal."""
        output = hamiltonian.cost.observables[0].to_matrix().real
        noise = ExactNoise.of(hamiltonian, weights, output)
        in_z = np.array([np.allclose(operator, np.diag(np.diag(operator))) for operator in noise.operators])
        return cls(noise, in_z, target)

    @property
    def _free(self):
        """Free means of O and, for weights in the group of O, of dH/dw where O is +1 and where it is -1."""
        state = np.linalg.eigh(self.noise.free)[1][:, 0] ** 2
        up = np.diag(self.noise.nudge) > 0
        values = np.array([np.diag(operator) for operator in self.noise.operators])
        share = state[up].sum()
        above, below = values[:, up] @ state[up] / share, values[:, ~up] @ state[~up] / (1 - share)
        spreads = [(values[:, side] ** 2) @ state[side] / state[side].sum() for side in (up, ~up)]
        return share, above, below, spreads[0] - above**2, spreads[1] - below**2

    @property
    def gradient(self):
        """Gradient of the loss."""
        return 2.0 * (2.0 * self._free[0] - 1.0 - self.target) * self.noise.gradient

    def _counts(self, shots):
        """Allocation of +1 in the free batch, and their probabilities."""
        share = self._free[0]
        if shots <= 200:
            counts = np.arange(shots + 1)
            return counts / shots, binom.pmf(counts, shots, share)
        nodes, weights = np.polynomial.hermite_e.hermegauss(25)
        found = share + nodes * np.sqrt(share * (1 - share) / shots)
        return np.clip(found, 0.0, 1.0), weights / weights.sum()

    def errors(self, kind, betas, shots):
        """Root mean squared error over all weights, shape (betas,)."""
        ups, chances = self._counts(shots)
        signals = 2.0 * (2.0 * ups - 1.0 - self.target)
        return np.array([self._error(kind, beta, shots, ups, chances, signals) for beta in np.asarray(betas)])

    def _error(self, kind, beta, shots, ups, chances, signals):
        above, variance_above = self.noise.moments(beta * signals)
        if kind == "symmetric":
            below, variance_below = self.noise.moments(-beta * signals)
            means, variances = (above - below) / (2 * beta), (variance_above + variance_below) / (4 * beta**2)
        else:
            free, variance_free = self._free_given(ups)
            means, variances = (above - free) / beta, (variance_above + variance_free) / beta**2
        squared = ((means - self.gradient) ** 2 + variances / shots).sum(axis=1)
        return np.sqrt(chances @ squared)

    def _free_given(self, ups):
        """Means of the free batch that the contrast uses, and their one-shot variances, given the counts of O."""
        _, above, below, spread_above, spread_below = self._free
        mean, variance = self.noise.moments([0.0])
        means = ups[:, None] * above + (1 - ups[:, None]) * below
        spread = ups[:, None] * spread_above + (1 - ups[:, None]) * spread_below
        return np.where(self.diagonal, means, mean), np.where(self.diagonal, spread, variance)
