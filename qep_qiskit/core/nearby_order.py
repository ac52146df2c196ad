"""Order sites on a line so that coupled ones are near each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee


def nearby_order(pairs: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the sites in the reverse order of Cuthill and McKee, shape (size,).

    Args:
        pairs: Shape (pairs, 2), coupled sites.
        size: Number of sites.
    """
    first, second = pairs.T
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    adjacency = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()
    return reverse_cuthill_mckee(adjacency, symmetric_mode=True).astype(np.int64)
