"""``qep train``: a new run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qep_qiskit.cli.working import free_folder, require_device, say_stopped, working_in
from qep_qiskit.config import Experiment, from_file
from qep_qiskit.config.build_executor import build_retry_policy
from qep_qiskit.core.errors import QepError
from qep_qiskit.device.retries import RetryingDevice
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import device_of, start_run


def run(options: argparse.Namespace) -> int:
    """Start a run and train."""
    return train_in(*started(options.config, options.overrides, options.out))


def started(
    config: str, overrides: Sequence[str], out: str | None, *, only_on_device: str | None = None
) -> tuple[RunFolder, Experiment, RemoteDevice | None]:
    """Build everything first, so that nothing is written where something is wrong; then make the folder of the run.

    Args:
        config: The configuration file.
        overrides: ``key.path=value`` texts.
        out: The folder; the first free one of the configuration's name by default.
        only_on_device: The command, if it is for devices only.

    Raises:
        ResourceError: It would take more of a device than it may.
        ConfigError: The command is for devices only, and it runs elsewhere.
    """
    experiment = from_file(config, overrides)
    if only_on_device is not None:
        require_device(experiment, only_on_device)
    path = Path(out) if out else free_folder(Path("runs") / Path(config).stem)
    device = device_of(experiment)
    if device is not None:
        _require_start(experiment, device)
    try:
        return start_run(path, experiment), experiment, device
    except QepError:
        if device is not None:
            device.close()
        raise


def _require_start(experiment: Experiment, device: RemoteDevice) -> None:
    """Warn and refuse before anything is written. Qiskit's transpiler is imported only now."""
    from qep_qiskit.execution.surviving_signal import warn_of_lost_signal
    from qep_qiskit.plan.estimate import estimate_on

    RetryingDevice(device, build_retry_policy(experiment.config)).require_open("try later or use another backend")
    plan = estimate_on(experiment, device)
    for program in plan.programs:
        warn_of_lost_signal(program.surviving, plan.device)
    plan.require_start()
    device.batch()


def train_in(folder: RunFolder, experiment: Experiment, device: RemoteDevice | None = None) -> int:
    """Train in a run folder, from its last checkpoint or from the start, and report at the end.

    Args:
        folder: The folder of the run.
        experiment: What it trains.
        device: The device that it asks for, if it was found already.
    """
    with working_in(folder, experiment, device) as work:
        if work.outcome == "stopped":
            return say_stopped(work, folder)
    return 0
