"""`local`: an embedded AWS for the rest of a command line: `pip install 'tasks-aws[local]'`."""

from ..process.importing import own_imports

with own_imports():
    from .task import local as local

__all__ = ["local"]
