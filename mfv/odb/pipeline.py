"""Work on two cores: hashing and compressing beside each other, and writing beside both.

Everything here is native code that releases the GIL for most of its time; memory is bounded by
how far anything may run ahead. An error in any thread is raised in the caller's, and no thread
outlives what it was started for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mfv.ids import BlobId
from mfv.storage.base import Backend, Buffer

if TYPE_CHECKING:
    from concurrent.futures import Future

A = TypeVar("A")
B = TypeVar("B")

THREADS = 2
_AHEAD = 6  # batches under way at a time
_BACKLOG = 8  # handings that wait to be written


class Lanes:
    """Threads that work on batches, and give them back in order. Close it when all is done."""

    def __init__(self) -> None:
        # Not at the top: only large blobs are worth threads, and most processes see none.
        from concurrent.futures import ThreadPoolExecutor

        # Two pools, whose threads start when they are used. What is awaited in order is looked at
        # by the caller before there is more to submit: behind all that was submitted it would come
        # when that is done, and then all threads would wait for the caller.
        self._in_order = ThreadPoolExecutor(THREADS, thread_name_prefix="mfv-odb-order")
        self._submitted = ThreadPoolExecutor(THREADS, thread_name_prefix="mfv-odb")

    def in_order(self, work: Callable[[A], B], batches: Iterable[A]) -> Iterator[B]:
        """`work` of every batch, in the order of the batches, a few of them at a time.

        `batches` is read in the caller's thread. What `work` raises is raised here.
        """
        under_way: deque[Future[B]] = deque()
        try:
            for batch in batches:
                under_way.append(self._in_order.submit(work, batch))
                if len(under_way) >= _AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def submit(self, work: Callable[[A], B], batch: A) -> Future[B]:
        """`work` of one batch, to be waited for when it is wanted."""
        return self._submitted.submit(work, batch)

    def close(self) -> None:
        """Ends the threads; returns when they are gone."""
        self._in_order.shutdown(wait=True, cancel_futures=True)
        self._submitted.shutdown(wait=True, cancel_futures=True)


class Hashing:
    """The id of bytes that come in turn, worked out beside whatever else is done with them.

    A context: leaving it ends its thread.
    """

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mfv-hash")
        self._hasher = BlobId.hasher()
        self._under_way: deque[Future[object]] = deque()
        self.size = 0  # bytes taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, data: memoryview) -> None:
        """Goes on with `data`, to be kept unchanged; waits while it is far behind."""
        self.size += len(data)
        self._under_way.append(self._pool.submit(self._hasher.update, data))
        if len(self._under_way) > 1:
            self._under_way.popleft().result()

    def id(self) -> BlobId:
        """The id of all that was taken."""
        while self._under_way:
            self._under_way.popleft().result()
        return BlobId(self._hasher.digest())


class _AbandonedError(Exception):
    """Raised inside the writing thread, so that the backend drops what it has."""


class PutStream:
    """One `put` whose parts are handed over while it writes."""

    def __init__(self, backend: Backend, key: str) -> None:
        import threading
        from queue import Queue

        self._queue: Queue[Sequence[Buffer] | type[_AbandonedError] | None] = Queue(_BACKLOG)
        self._error: BaseException | None = None
        self._thread: Any = threading.Thread(
            target=self._put, args=(backend, key), daemon=True, name="mfv-odb-put"
        )
        self._thread.start()

    def hand(self, parts: Sequence[Buffer]) -> None:
        """Gives parts to be written, to be kept unchanged until `close`; waits while it is behind.

        Raises what the `put` raised, and then all is over.
        """
        if self._error is not None:
            self.close()
        self._queue.put(parts)

    def end(self) -> None:
        """Says that all was handed over; `close` waits for it."""
        self._queue.put(None)

    def close(self) -> None:
        """Returns when everything handed over is durable; raises what the `put` raised."""
        self._end()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Drops everything; the key is not made."""
        if self._thread.is_alive():
            self._queue.put(_AbandonedError)
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self.end()
        self._thread.join()

    def _put(self, backend: Backend, key: str) -> None:
        try:
            backend.put(key, self._parts())
        except BaseException as error:
            self._error = error
            # Whoever hands over must never wait for a writer that is gone.
            while self._queue.get() is not None:
                pass

    def _parts(self) -> Iterator[Buffer]:
        while (parts := self._queue.get()) is not None:
            if parts is _AbandonedError:
                raise _AbandonedError
            yield from parts  # type: ignore[misc]
