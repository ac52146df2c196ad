"""Worker pool on an existing Dask cluster; the only module that imports distributed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from qep_qiskit.core.errors import IdleClusterWarning, ResourceError
from qep_qiskit.core.jobs import Cluster, on_cluster
from qep_qiskit.core.warning_log import warn
from qep_qiskit.core.worker_processes import GO_ON, STOP, PlainFlag, run_item, set_flag
from qep_qiskit.runs.pool import Pool

if TYPE_CHECKING:
    from distributed import Client


Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_TO_ANSWER = 5
_AHEAD = 64
# Global random terms and warnings belong to the process, and so does the work that uses them.
_one_at_a_time = threading.Lock()


@contextmanager
def cluster_pool(address: str) -> Iterator[Pool]:
    """Return a pool of workers that are connected to a running Dask scheduler.

    Args:
        address: Such as ``tcp://10.0.0.1:8786``.

    Raises:
        ResourceError: The package distributed is missing, or no scheduler answers at the address.
    """
    try:
        from distributed import KilledWorker
    except ImportError:
        raise ResourceError(
            "--scheduler: needs the package distributed; install it with pip install 'qep_qiskit[cluster]'"
        ) from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # this module reports it in one line
    client = _connected(address)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    threads = sum(worker["nthreads"] for worker in workers.values())
    if not workers:
        warn(IdleClusterWarning, f"the cluster at {address} has no workers yet; waiting for some")
    executor = client.get_executor()
    try:
        yield Pool(
            executor=executor,
            flag=PlainFlag(),
            window=max(_AHEAD, 2 * threads),
            workers=len(workers),
            call=run_on_cluster,
            cancels=True,
            lost=(KilledWorker,),
            lost_line=f"the cluster at {address} lost workers or its scheduler (killed, or out of memory)",
        )
    finally:
        executor.shutdown(wait=False)
        client.close()


@contextmanager
def states_on_cluster(address: str | None) -> Iterator[None]:
    """Compute the states of one run on a cluster, those that take processes on one machine.

    Args:
        address: Address of the Dask scheduler; None for this machine.

    Raises:
        ResourceError: The package distributed is missing, or no scheduler answers at the address.
    """
    if address is None:
        yield
        return
    with cluster_pool(address) as pool:
        cluster = Cluster(
            executor=pool.executor, call=pool.call, lost=(*pool.lost, CancelledError), lost_line=pool.lost_line
        )
        with on_cluster(cluster):
            yield
        if not cluster.items:
            warn(
                IdleClusterWarning,
                "--scheduler: nothing of this run went to the cluster, because its states take no processes; states of "
                "Lanczos, DMRG and matrix products do",
            )


def _connected(address: str) -> Client:
    from distributed import Client
    from distributed.comm import get_address_host_port

    try:
        get_address_host_port(address)  # a client with an unreadable address leaves a thread running
        return Client(address, timeout=_SECONDS_TO_ANSWER, set_as_default=False)
    except Exception as error:  # an invalid address raises various exceptions
        raise ResourceError(
            f"--scheduler {address}: no Dask scheduler answers there ({type(error).__name__}); expected the address of "
            "a running one, such as tcp://10.0.0.1:8786"
        ) from error


def run_on_cluster(work: Callable[[Item], Result], item: Item) -> Result:
    """Process one item on a worker of the cluster, one at a time in each process.

    Args:
        work: Function that is called with the item.
        item: The item.

    Returns:
        The result of `work`.

    Raises:
        WorkStopped: The task was cancelled.
    """
    with _one_at_a_time:
        set_flag(_Wanted())
        try:
            return run_item(work, item)
        finally:
            set_flag(None)


class _Wanted:
    """Stop flag of a task, read from its Dask worker: whether the task was cancelled or its client has disconnected."""

    def __init__(self) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._key = self._worker.get_current_task()

    @property
    def value(self) -> int:
        """The value of the flag: continue or stop."""
        task = self._worker.state.tasks.get(self._key)
        return GO_ON if task is not None and task.state not in ("cancelled", "resumed") else STOP

    @value.setter
    def value(self, _: int) -> None:
        raise AttributeError("only the scheduler cancels a task")
