"""The session and the notebook of tests/session."""

from tests.session.conftest import notebook, session

__all__ = ["notebook", "session"]
