"""Each receiver, by a call to its vendor that does nothing there; all at once."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from threading import Semaphore, Thread

from sqlalchemy.exc import SQLAlchemyError

from notifiers import harmless
from notifiers.configuration import earlier_rules
from notifiers.errors import PermanentError
from notifiers.notifier import Called
from routing.rules import Receiver
from storage import rules_versions
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="receivers")
AT_ONCE = 64
WITHIN_SECONDS = 8.0


def look(patient: Patient) -> Iterator[Finding]:
    """Those of the file; where that cannot be read, those in force."""
    receivers = _receivers(patient)
    if receivers is None:
        yield SAYS.unchecked("all", "there are no rules that can be read, so nobody knows whom to call", "mend the rules first")
        return
    if patient.rules is None:
        yield SAYS.ok("all", "those of the rules in force, for the file cannot be read")
    yield from _called(patient, receivers)


def _receivers(patient: Patient) -> Sequence[Receiver] | None:
    if patient.rule_set is not None:
        return tuple(patient.rule_set.receivers.values())
    if patient.engine is None:
        return None
    try:
        version = rules_versions.latest(patient.engine)
        texts = rules_versions.texts_of(patient.engine, version) if version else None
        return tuple(earlier_rules(texts, patient.settings, version or "").receivers.values()) if texts else None
    except (SQLAlchemyError, PermanentError):
        return None


def _called(patient: Patient, receivers: Sequence[Receiver]) -> Iterator[Finding]:
    """Each as soon as it is known."""
    done: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    room = Semaphore(AT_ONCE)

    def call(receiver: Receiver) -> None:
        with room:
            said = harmless.call(receiver, patient.settings, patient.clock, within_seconds=WITHIN_SECONDS, network=patient.network)
        done.put(of_call(receiver, said, is_production=patient.is_production))

    for receiver in receivers:
        Thread(target=call, args=(receiver,), name=f"doctor: {receiver.name}", daemon=True).start()
    yield from (done.get() for _ in receivers)


def of_call(receiver: Receiver, called: Called, *, is_production: bool) -> Finding:
    """What a call means."""
    name, seen = f"{receiver.name}", f"{receiver.kind}: {called.said}" + (f" (proven: {called.proves})" if called.proves else "")
    if called.is_fine and not called.warning:
        return SAYS.ok(name, seen)
    if called.is_fine:
        return SAYS.warning(name, f"{receiver.kind}: {called.warning}", called.way_out or "see the receiver's page in docs/notifiers")
    way_out = called.way_out or "see the receiver's page in docs/notifiers"
    if called.is_limited or not (called.is_set or is_production):
        return SAYS.warning(name, seen, way_out)
    return SAYS.fault(name, seen, way_out)
