"""A strict array library: that of numpy under another name, whose arrays no function of numpy itself accepts.

It stands for a library such as CuPy, whose arrays live in other memory: what mixes them with numpy's fails here as it
would there.
"""

import sys
from types import ModuleType

import numpy as np


class ForeignArray(np.ndarray):
    """An array of the library."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        plain = [_plain(item) for item in inputs]
        targets = {"out": tuple(_plain(item) for item in out)} if out else {}
        result = getattr(ufunc, method)(*plain, **targets, **options)
        return out[0] if out else _foreign(result)

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} was called with an array of another library")


ForeignArray.__module__ = "foreign_library"


def _plain(item):
    """The content of an array of the library; numbers stay, arrays of numpy are refused."""
    if isinstance(item, ForeignArray):
        return item.view(np.ndarray)
    if isinstance(item, np.ndarray) and item.ndim:
        raise TypeError("an array of numpy was mixed with those of another library")
    return [_plain(part) for part in item] if isinstance(item, list) else item


def _foreign(result):
    return result.view(ForeignArray) if isinstance(result, np.ndarray) else result


class ForeignLibrary(ModuleType):
    """The module: functions of numpy on its own arrays."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(np, name)
        if name == "asarray":
            return lambda array, dtype=None: np.array(array, dtype=dtype, subok=False).view(ForeignArray)

        def called(*arguments, **options):
            found = function(*map(_plain, arguments), **{key: _plain(value) for key, value in options.items()})
            return options["out"] if options.get("out") is not None else _foreign(found)

        return called


library = ForeignLibrary("foreign_library")
sys.modules["foreign_library"] = library
