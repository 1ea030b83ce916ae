"""A real IPython shell in this process, with the magics loaded and a scripted DeepSeek."""

from tests.magics.conftest import run, shell

__all__ = ["run", "shell"]
