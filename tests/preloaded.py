"""Processes of the command line that have its imports behind them: forked from one that has made them.

Python takes seconds to import Qiskit, IBM's client and this package, and most commands of tests take less. One process
for each home folder imports them, and every command is a fork of it: with an environment, a working directory, outputs
and signals of its own, to be killed and waited for as any other. Where nothing can be forked, commands are started.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import types

PACKAGES = ("qep_qiskit.cli", "qep_qiskit.device", "qep_qiskit.runs")
ALSO = ("qiskit_aer", "qiskit_ibm_runtime", "sklearn.linear_model")
_servers = {}


class Preloaded:
    """A command `[sys.executable, "-c" or a file, ...]` in a process of its own, with the part of Popen that tests use.

    Outputs go to files, so that nobody has to read them while the command runs.
    """

    def __init__(self, command, *, env=None, cwd=None, start_new_session=False):
        env = dict(os.environ if env is None else env)
        self.returncode = None
        self._connection = connected(env)
        outputs = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115 - closed when read
        self.stdout, self.stderr = outputs
        wanted = {"words": [*map(str, command[1:])], "env": env, "cwd": str(cwd or os.getcwd())}
        content = json.dumps(wanted | {"session": start_new_session}).encode()
        socket.send_fds(self._connection, [len(content).to_bytes(4, "big")], [file.fileno() for file in outputs])
        self._connection.sendall(content)
        self.pid = int.from_bytes(received(self._connection, 4), "big")

    def poll(self):
        """Exit code, minus the signal where one ended it, or None while it runs."""
        with contextlib.suppress(TimeoutError):
            self.wait(timeout=1e-4)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = int.from_bytes(received(self._connection, 2), "big", signed=True)
            self._connection.close()
        return self.returncode

    def communicate(self, timeout=None):
        try:
            self.wait(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("qep", timeout) from None
        found = []
        for file in (self.stdout, self.stderr):
            file.seek(0)
            found.append(file.read())
            file.close()
        return tuple(found)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def started(command, **how):
    """Start a command as a fork where this system can, else as any other."""
    if hasattr(os, "fork") and hasattr(socket, "send_fds"):
        return Preloaded(command, **how)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def run(command, timeout=None, **how):
    """Run a command to its end, or kill it when time is over; see `subprocess.run`."""
    process = started(command, **how)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def connected(env):
    """A connection to the process with the imports, whose libraries have seen this home folder."""
    home = env.get("HOME")
    if home not in _servers:
        mine, its = socket.socketpair()
        command = [sys.executable, __file__, str(its.fileno())]
        process = subprocess.Popen(
            command, env=env, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        its.close()
        _servers[home] = mine, process
    one, other = socket.socketpair()
    socket.send_fds(_servers[home][0], [b"."], [other.fileno()])
    other.close()
    return one


def received(connection, length):
    content = b""
    while len(content) < length:
        more = connection.recv(length - len(content))
        if not more:
            raise ConnectionError("the process with the imports has ended")
        content += more
    return content


def imported():
    """Import what commands need; what is not installed is left out."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):  # of an extra that is not installed
                    importlib.import_module(module.name)
    for name in ALSO:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def serve(requests):
    """Fork for every request, until the tests end."""
    imported()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        byte, found, _, _ = socket.recv_fds(requests, 1, 1)
        if not byte:
            return
        if os.fork() == 0:
            requests.close()
            wait_for_one(socket.socket(fileno=found[0]))
        os.close(found[0])


def wait_for_one(connection):
    """Fork the command, tell its number, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, outputs, _, _ = socket.recv_fds(connection, 4, 2)
    wanted = json.loads(received(connection, int.from_bytes(length, "big")))
    pid = os.fork()
    if pid == 0:
        connection.close()
        become(wanted, outputs)
    os.setpgid(0, 0)  # signals to the tests' group are none of its business
    connection.sendall(pid.to_bytes(4, "big"))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(2, "big", signed=True))
    os._exit(0)


def become(wanted, outputs):
    """Turn this process into the command."""
    if wanted["session"]:
        os.setsid()
    os.dup2(outputs[0], 1)
    os.dup2(outputs[1], 2)
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])
    first, *words = wanted["words"]
    paths = wanted["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path not in sys.path]
    code = 1
    try:
        if first == "-c":
            sys.argv = ["-c", *words[1:]]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(words[0], "<string>", "exec"), vars(main))
        else:
            sys.argv = [first, *words]
            sys.path.insert(0, os.path.dirname(first))
            runpy.run_path(first, run_name="__main__")
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
