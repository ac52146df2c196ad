"""Restricted Boltzmann machines as positive wave functions: descent, sampling and derivatives (extra ``neural``).

    log psi(s) = sum_k a_k s_k + sum_j log cosh(b_j + sum_k W_jk s_k)

The network and its Markov chains are those of NetKet. Everything that depends on a Hamiltonian takes it as arrays, so
JAX compiles each function once for a number of spins and terms. This module imports JAX and NetKet, so it is imported
only where a neural state is prepared.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import netket as nk
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

_CONFIGURATIONS_AT_ONCE = 1 << 14
_MOST_AT_ONCE = 512


class Strings(NamedTuple):
    """Real Pauli strings as arrays.

    Args:
        signs: Shape (terms, N), 1 where a sign of the spin counts.
        flips: Shape (flips, N), spins that are flipped.
        place: Shape (terms, flips), the factor of every term in the column of its flip, 0 in the others.
    """

    signs: Any
    flips: Any
    place: Any


class Tangent(NamedTuple):
    """What linear response needs of sampled configurations.

    Args:
        derivatives: Shape (configurations, parameters), O = d(log psi)/d(parameter).
        driven: Shape (configurations, parameters), (H O psi)(s) / psi(s).
        energies: Shape (configurations,), local energies (H psi)(s) / psi(s).
        values: Shape (configurations, terms), local values (P psi)(s) / psi(s).
    """

    derivatives: NDArray[np.float64]
    driven: NDArray[np.float64]
    energies: NDArray[np.float64]
    values: NDArray[np.float64]


class BoltzmannMachine:
    """A wave function of N spins with alpha N hidden units, and its Markov chains.

    A chain proposes flips of single spins, N of them between two samples, and on average one flip of all spins.

    Args:
        num_spins: Number of spins.
        alpha: Hidden units for each spin.
        chains: Number of Markov chains.
    """

    def __init__(self, num_spins: int, alpha: int, chains: int) -> None:
        self._num_spins = num_spins
        self._model = nk.models.RBM(alpha=alpha, param_dtype=float)
        rules = (nk.sampler.rules.LocalRule(), nk.sampler.rules.GlobalSpinFlipRule())
        share = 1.0 / (num_spins + 1)
        self._sampler = nk.sampler.MetropolisSampler(
            nk.hilbert.Spin(0.5, num_spins),
            nk.sampler.rules.MultipleRules(rules, [1.0 - share, share]),
            n_chains=chains,
            sweep_size=num_spins + 1,
        )
        example, self._unravel = ravel_pytree(self._model.init(jax.random.PRNGKey(0), jnp.ones((1, num_spins))))
        self.num_parameters = example.size
        self._draw = jax.jit(self._drawn, static_argnames="length")
        self._descend = jax.jit(self._descended, static_argnames=("steps", "length"))
        self._values = jax.jit(self._local_values)
        self._tangent = jax.jit(self._tangents)

    def initial(self, seed: int) -> NDArray[np.float64]:
        """Return random parameters near those of equal amplitudes, shape (parameters,)."""
        parameters = self._model.init(jax.random.PRNGKey(seed), jnp.ones((1, self._num_spins)))
        return np.asarray(ravel_pytree(parameters)[0])

    def scattered(self, seed: int) -> NDArray[np.float64]:
        """Return random configurations of all chains, shape (chains, N), of +1 and -1."""
        shape = self._sampler.n_chains, self._num_spins
        return np.asarray(jax.random.rademacher(jax.random.PRNGKey(seed), shape, dtype=float))

    def draw(self, parameters: NDArray, spins: NDArray, seed: int, length: int) -> NDArray[np.float64]:
        """Return samples of all chains, shape (chains, length, N).

        Args:
            parameters: Shape (parameters,).
            spins: Shape (chains, N), first configurations.
            seed: Seed of the chains.
            length: Samples of each chain.
        """
        return np.asarray(self._draw(parameters, spins, jax.random.PRNGKey(seed), length=length))

    def descend(
        self,
        parameters: NDArray,
        spins: NDArray,
        seed: int,
        strings: Strings,
        coefficients: NDArray,
        *,
        rate: float,
        shift: float,
        steps: int,
        length: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Lower the energy by stochastic reconfiguration.

        Args:
            parameters: Shape (parameters,).
            spins: Shape (chains, N), first configurations.
            seed: Seed of the chains.
            strings: The terms.
            coefficients: Shape (terms,), of H.
            rate: Learning rate, in 1 / energy.
            shift: Shift of the diagonal of the metric.
            steps: Number of steps.
            length: Samples of each chain in a step.

        Returns:
            Parameters, last configurations, and energies and their variances of all steps.
        """
        found = self._descend(
            parameters, spins, jax.random.PRNGKey(seed), strings, coefficients, rate, shift, steps=steps, length=length
        )
        return tuple(np.asarray(part) for part in found)  # type: ignore[return-value]

    def values(self, parameters: NDArray, spins: NDArray, strings: Strings) -> NDArray[np.float64]:
        """Return local values of all terms, shape (configurations, terms).

        Args:
            parameters: Shape (parameters,).
            spins: Shape (configurations, N).
            strings: The terms.
        """
        return np.asarray(self._values(parameters, spins, strings))

    def tangent(self, parameters: NDArray, spins: NDArray, strings: Strings, coefficients: NDArray) -> Tangent:
        """Return derivatives at configurations and, through H, at the configurations connected to them.

        Args:
            parameters: Shape (parameters,).
            spins: Shape (configurations, N).
            strings: The terms.
            coefficients: Shape (terms,), of H.
        """
        return Tangent(*(np.asarray(part) for part in self._tangent(parameters, spins, strings, coefficients)))

    def _log_amplitudes(self, parameters: Any, spins: Any) -> Any:
        return self._model.apply(self._unravel(parameters), spins)

    def _samples(self, parameters: Any, spins: Any, key: Any, length: int) -> tuple[Any, Any]:
        variables = self._unravel(parameters)
        state = self._sampler.init_state(self._model, variables, key)
        state = self._sampler.reset(self._model, variables, state.replace(σ=spins.astype(state.σ.dtype)))
        samples, state = self._sampler.sample(self._model, variables, state=state, chain_length=length)
        return samples.astype(float), state.σ.astype(float)

    def _drawn(self, parameters: Any, spins: Any, key: Any, length: int) -> Any:
        return self._samples(parameters, spins, key, length)[0]

    def _derivatives(self, parameters: Any, one: Any) -> Any:
        return jax.grad(lambda p: self._log_amplitudes(p, one[None])[0])(parameters)

    def _ratios(self, parameters: Any, one: Any, strings: Strings) -> tuple[Any, Any]:
        """Return the connected configurations (flips, N) and psi(s') / psi(s), shape (flips,)."""
        connected = jnp.where(strings.flips, -one, one)
        own = self._log_amplitudes(parameters, one[None])[0]
        return connected, jnp.exp(self._log_amplitudes(parameters, connected) - own)

    @staticmethod
    def _elements(one: Any, strings: Strings) -> Any:
        """Return the elements of all terms in the column of their flips, shape (terms, flips)."""
        odd = jnp.mod(((1.0 - one) / 2.0) @ strings.signs.T, 2.0)
        return (1.0 - 2.0 * odd)[:, None] * strings.place

    def _mapped(self, function: Any, spins: Any, strings: Strings) -> Any:
        at_once = max(1, min(_MOST_AT_ONCE, _CONFIGURATIONS_AT_ONCE // strings.flips.shape[0]))
        return jax.lax.map(function, spins, batch_size=at_once)

    def _local_values(self, parameters: Any, spins: Any, strings: Strings) -> Any:
        def of_one(one: Any) -> Any:
            return self._elements(one, strings) @ self._ratios(parameters, one, strings)[1]

        return self._mapped(of_one, spins, strings)

    def _local_energies(self, parameters: Any, spins: Any, strings: Strings, coefficients: Any) -> Any:
        odd = jnp.mod(((1.0 - spins) / 2.0) @ strings.signs.T, 2.0)
        elements = ((1.0 - 2.0 * odd) * coefficients) @ strings.place
        connected = jnp.where(strings.flips, -spins[:, None], spins[:, None])
        own = self._log_amplitudes(parameters, spins)
        return (elements * jnp.exp(self._log_amplitudes(parameters, connected) - own[:, None])).sum(axis=1)

    def _descended(
        self,
        parameters: Any,
        spins: Any,
        key: Any,
        strings: Strings,
        coefficients: Any,
        rate: Any,
        shift: Any,
        steps: int,
        length: int,
    ) -> Any:
        def step(carry: Any, own_key: Any) -> Any:
            parameters, spins = carry
            samples, spins = self._samples(parameters, spins, own_key, length)
            samples = samples.reshape(-1, self._num_spins)
            energies = self._local_energies(parameters, samples, strings, coefficients)
            derivatives = jax.vmap(partial(self._derivatives, parameters))(samples)
            move = _natural(derivatives, energies, shift)
            return (parameters - rate * move, spins), (energies.mean(), energies.var())

        (parameters, spins), (energies, variances) = jax.lax.scan(
            step, (parameters, spins), jax.random.split(key, steps)
        )
        return parameters, spins, energies, variances

    def _tangents(self, parameters: Any, spins: Any, strings: Strings, coefficients: Any) -> Any:
        def of_one(one: Any) -> Any:
            connected, ratios = self._ratios(parameters, one, strings)
            elements = self._elements(one, strings)
            weights = (coefficients @ elements) * ratios
            driven = jax.grad(lambda p: weights @ self._log_amplitudes(p, connected))(parameters)
            return self._derivatives(parameters, one), driven, weights.sum(), elements @ ratios

        return self._mapped(of_one, spins, strings)


def _natural(derivatives: Any, energies: Any, shift: Any) -> Any:
    """Return the natural gradient of half the energy, by the smaller one of the metric and its Gram matrix."""
    scale = jnp.sqrt(len(energies))
    derivatives = (derivatives - derivatives.mean(axis=0)) / scale
    forces = (energies - energies.mean()) / scale
    if derivatives.shape[0] >= derivatives.shape[1]:
        metric = derivatives.T @ derivatives
        shifted = metric + shift * jnp.eye(len(metric))
        return jax.scipy.linalg.solve(shifted, derivatives.T @ forces, assume_a="pos")
    gram = derivatives @ derivatives.T
    return derivatives.T @ jax.scipy.linalg.solve(gram + shift * jnp.eye(len(gram)), forces, assume_a="pos")


@lru_cache(maxsize=8)
def boltzmann_machine(num_spins: int, alpha: int, chains: int) -> BoltzmannMachine:
    """Return the machine of a shape; the same one every time, so that its functions are compiled once.

    Args:
        num_spins: Number of spins.
        alpha: Hidden units for each spin.
        chains: Number of Markov chains.
    """
    return BoltzmannMachine(num_spins, alpha, chains)
