"""SQL of quota windows and their leases, in sets: made, locked, read and written.

Lock order, for all that change windows: `make` what may be missing, then `lock` once, everything that is needed; leases
are changed only under the lock of their window. Both work in the order of the key, so nobody deadlocks.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import TextClause, text

from tollway.data.schema.quota_window import WINDOW_KEY
from tollway.data.session import AnySession, WriteSession
from tollway.ledger.exchange import LeaseState, WindowState
from tollway.ledger.quota import WindowRef


class Window(msgspec.Struct, frozen=True):
    """A row of ``quota_window``.

    Attributes:
        ref: its key.
        end_us: epoch microseconds at which it ends.
        state: what is granted and settled.
        threshold: the highest percentage that was announced.
    """

    ref: WindowRef
    end_us: int
    state: WindowState
    threshold: int


_LAST_US = 2**63 - 1
"""No window begins later: the greatest `bigint`."""
_KEY = ", ".join(WINDOW_KEY)
_COLUMNS = "w.quota_id::text, w.generation, w.subject, w.start_us, w.end_us, w.granted, w.settled, w.threshold"
_LEASE_COLUMNS = "l.quota_id::text, l.generation, l.subject, l.start_us, l.granted, l.spent, l.held, l.sequence"


def _unnested(prefix: str = "", **columns: str) -> str:
    """Parameters that are arrays, as the rows of ``given``: the key, then `columns` (name → type)."""
    types = {"quota_id": "uuid", "generation": "int", "subject": "text", "start_us": "bigint"} | columns
    arrays = ", ".join(f"CAST(:{prefix}{name} AS {kind}[])" for name, kind in types.items())
    return f"unnest({arrays}) AS given ({', '.join(types)})"


# Made of the names of our own columns:
_MAKE = text(f"""
    INSERT INTO quota_window ({_KEY}, end_us) SELECT {_KEY}, end_us FROM {_unnested(end_us="bigint")}
    ORDER BY {_KEY} ON CONFLICT DO NOTHING
""")  # noqa: S608
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM quota_window AS w JOIN {_unnested(last_us="bigint")} ON
        (w.quota_id, w.generation, w.subject) = (given.quota_id, given.generation, given.subject)
        AND w.start_us BETWEEN given.start_us AND given.last_us
    ORDER BY w.quota_id, w.generation, w.subject, w.start_us FOR UPDATE OF w
""")  # noqa: S608
_LOCK_OF_WORKER = text(f"""
    SELECT {_COLUMNS} FROM quota_window AS w
    WHERE ({_KEY}) IN (SELECT {_KEY} FROM quota_lease WHERE worker_id = :worker_id)
    ORDER BY {_KEY} FOR UPDATE
""")  # noqa: S608
_SAVE_SQL = f"""
    UPDATE quota_window AS w SET granted = given.granted, settled = given.settled, threshold = given.threshold
    FROM {_unnested(granted="numeric", settled="numeric", threshold="smallint")}
    WHERE {" AND ".join(f"w.{name} = given.{name}" for name in WINDOW_KEY)}
"""  # noqa: S608
_SAVE = text(_SAVE_SQL)
_LEASES = text(f"""
    SELECT {_LEASE_COLUMNS} FROM quota_lease AS l JOIN {_unnested()} USING ({_KEY}) WHERE l.worker_id = :worker_id
""")  # noqa: S608


def _save_leases(prefix: str = "") -> str:
    return f"""
    INSERT INTO quota_lease (worker_id, {_KEY}, granted, spent, held, sequence)
    SELECT :worker_id, {_KEY}, granted, spent, held, sequence
    FROM {_unnested(prefix, granted="numeric", spent="numeric", held="numeric", sequence="bigint")}
    ON CONFLICT (worker_id, {_KEY}) DO UPDATE SET granted = excluded.granted, spent = excluded.spent,
        held = excluded.held, sequence = excluded.sequence
"""  # noqa: S608


_SAVE_LEASES = text(_save_leases())
_SAVE_ALL = text(f"WITH saved AS ({_SAVE_SQL}) {_save_leases('lease_')}")
_TAKE_LEASES = text(f"""
    DELETE FROM quota_lease AS l USING {_unnested()}
    WHERE l.worker_id = :worker_id AND {" AND ".join(f"l.{name} = given.{name}" for name in WINDOW_KEY)}
    RETURNING {_LEASE_COLUMNS}
""")  # noqa: S608


def _keys(refs: Iterable[WindowRef]) -> dict[str, Any]:
    columns = list(zip(*(msgspec.structs.astuple(ref) for ref in refs), strict=True)) or [()] * len(WINDOW_KEY)
    return {name: list(column) for name, column in zip(WINDOW_KEY, columns, strict=True)}


def _window_values(windows: Sequence[Window]) -> dict[str, Any]:
    values = _keys(window.ref for window in windows)
    values["granted"] = [window.state.granted for window in windows]
    values["settled"] = [window.state.settled for window in windows]
    values["threshold"] = [window.threshold for window in windows]
    return values


def _lease_values(leases: Mapping[WindowRef, LeaseState]) -> dict[str, Any]:
    values = _keys(leases)
    for name in LeaseState.__struct_fields__:
        values[name] = [getattr(state, name) for state in leases.values()]
    return values


async def make(session: WriteSession, ends: Mapping[WindowRef, int]) -> None:
    """Make the windows that are not there yet.

    Args:
        session: within a transaction that has locked no window yet.
        ends: window → epoch microseconds at which it ends.
    """
    if ends:
        await session.execute(_MAKE, {**_keys(ends), "end_us": list(ends.values())})


async def lock(session: WriteSession, since_us: Mapping[WindowRef, int]) -> dict[WindowRef, Window]:
    """Lock windows until the transaction ends; those that do not exist are missing.

    Args:
        session: within a transaction that has locked no window yet.
        since_us: window → its own ``start_us``; or for a slot of a rolling quota that of the earliest slot that counts:
            then all slots from there on are locked, also those after it.
    """
    if not since_us:
        return {}
    values = _keys(msgspec.structs.replace(ref, start_us=first_us) for ref, first_us in since_us.items())
    last_us = [first_us if first_us == ref.start_us else _LAST_US for ref, first_us in since_us.items()]
    return await _windows(session, _LOCK, {**values, "last_us": last_us})


async def lock_of_worker(session: WriteSession, worker_id: str) -> dict[WindowRef, Window]:
    """Lock all windows of which the worker has a lease."""
    return await _windows(session, _LOCK_OF_WORKER, {"worker_id": worker_id})


async def save(session: WriteSession, windows: Sequence[Window]) -> None:
    """Store the states and thresholds of windows that are locked."""
    if windows:
        await session.execute(_SAVE, _window_values(windows))


async def save_all(
    session: WriteSession, windows: Sequence[Window], worker_id: str, leases: Mapping[WindowRef, LeaseState]
) -> None:
    """As `save` and `save_leases`, in one round trip."""
    if windows and leases:
        values = _window_values(windows) | {f"lease_{name}": value for name, value in _lease_values(leases).items()}
        await session.execute(_SAVE_ALL, {**values, "worker_id": worker_id})
    else:
        await save(session, windows)
        await save_leases(session, worker_id, leases)


async def leases_of(session: AnySession, worker_id: str, refs: Collection[WindowRef]) -> dict[WindowRef, LeaseState]:
    """What the worker has of these windows; a lease that was never made is missing."""
    if not refs:
        return {}
    return _lease_states(await session.execute(_LEASES, {**_keys(refs), "worker_id": worker_id}))


async def save_leases(session: WriteSession, worker_id: str, leases: Mapping[WindowRef, LeaseState]) -> None:
    """Store leases, new or known, of windows that are locked."""
    if leases:
        await session.execute(_SAVE_LEASES, {**_lease_values(leases), "worker_id": worker_id})


async def take_leases(
    session: WriteSession, worker_id: str, refs: Collection[WindowRef]
) -> dict[WindowRef, LeaseState]:
    """Remove the worker's leases of these windows, which are locked; returns what they were."""
    return _lease_states(await session.execute(_TAKE_LEASES, {**_keys(refs), "worker_id": worker_id}))


async def _windows(session: AnySession, statement: TextClause, values: Mapping[str, Any]) -> dict[WindowRef, Window]:
    found: dict[WindowRef, Window] = {}
    for *key, end_us, granted, settled, threshold in await session.execute(statement, values):
        ref = WindowRef(*key)
        found[ref] = Window(ref, end_us, WindowState(int(granted), int(settled)), threshold)
    return found


def _lease_states(rows: Iterable[Sequence[Any]]) -> dict[WindowRef, LeaseState]:
    return {WindowRef(*row[:4]): LeaseState(*(int(value) for value in row[4:])) for row in rows}
