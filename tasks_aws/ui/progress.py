"""Progress at the bottom of the terminal: a line for each event that is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..process.importing import own_imports
from ..process.locking import thread_lock
from ..text.printable import printable
from ..text.terminal import is_watched

if TYPE_CHECKING:
    from rich.progress import Progress

_BAR_WIDTH = 40
_TICK = 0.1  # seconds


class ProgressLine:
    """An event that is under way: `result` is what its line says when it ends."""

    def __init__(self, show: Callable[[str], object] = lambda details: None) -> None:
        self.result = ""
        self.total = 0  # bytes, if it has a bar
        self._done = 0
        self._show = show

    def advance(self, count: int) -> None:
        """Advance the bar by `count` bytes."""
        self._done += count
        self._show(_bar(self._done, self.total))

    def note(self, details: str) -> None:
        """Show details of what is under way, in place of those before."""
        self._show(printable(details))


class Display:
    """The lines of all threads. Without a terminal there are none, and rich is not imported.

    `writing` is held by whoever prints: rich decides in one step how far to move the cursor, and
    moves it in another.
    """

    def __init__(self) -> None:
        self.writing = thread_lock()
        self._lock = thread_lock()
        self._progress: Progress | None = None
        self._running = 0

    @contextmanager
    def show(self, text: str) -> Iterator[ProgressLine]:
        """Show a line while the block runs."""
        if self._progress is None and not is_watched():
            yield ProgressLine()
            return
        with self._lock, self.writing:
            progress = self._progress or self._start()
            self._running += 1
            progress.start()
            text = printable(text)
            task = progress.add_task(text, total=None)
        try:
            yield ProgressLine(
                lambda details: progress.update(task, description=f"{text}  {details}".rstrip())
            )
        finally:
            with self._lock, self.writing:
                progress.remove_task(task)
                self._running -= 1
                if not self._running:
                    progress.stop()
                    self._progress = None

    @contextmanager
    def hide(self) -> Iterator[None]:
        """Hide the lines while the block runs, as for a prompt."""
        with self._lock:
            progress = self._progress
            with self.writing:
                if progress:
                    progress.stop()
            try:
                yield
            finally:
                with self.writing:
                    if progress and self._running:
                        progress.start()

    def _start(self) -> Progress:
        progress = self._progress = _progress()
        threading.Thread(target=self._refresh, args=[progress], daemon=True).start()
        return progress

    def _refresh(self, progress: Progress) -> None:
        """Show how time goes by, until all lines are gone."""
        while self._progress is progress:
            time.sleep(_TICK)
            with self.writing:
                if progress.live.is_started:
                    progress.refresh()


DISPLAY = Display()


def _progress() -> Progress:
    with own_imports():
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

    description = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    # Soft, so that rich breaks no lines of others that are printed meanwhile.
    console = Console(stderr=True, soft_wrap=True)
    return Progress(
        description,
        TimeElapsedColumn(),
        SpinnerColumn(),
        console=console,
        transient=True,
        auto_refresh=False,
    )


def _bar(done: int, total: int) -> str:
    """Return a progress bar made of characters.

    >>> _bar(30, 40)
    '━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━           75 %'
    """
    filled = _BAR_WIDTH * done // total
    return f"{'━' * filled}{' ' * (_BAR_WIDTH - filled)} {100 * done // total} %"
