"""The text of a rules.yaml in, rules in force out, or everything that is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from routing import document
from routing.destinations import Destination, check, examples, find
from routing.document import Content, Document, DocumentError, Path, Problem
from routing.document_merging import ONLY_FIRST, merge
from routing.figures import FigureError, figures_of
from routing.fingerprint import Fingerprint
from routing.placeholders import AllowList
from routing.rules import Grouping, Inhibition, Noise, Options, Receiver, Rule, RulesError, RuleSet, Step, Throttle
from routing.rules_forms import (
    MAX_DEPTH,
    ButtonsForm,
    DefaultsForm,
    FileForm,
    FingerprintForm,
    Form,
    InhibitionForm,
    NoiseForm,
    ReceiverForm,
    RuleForm,
    ThrottleForm,
    WatchForm,
    is_beside,
)
from routing.rules_reading import Reading, did_you_mean, quoted, unset_variables
from routing.templates import MessageTemplate, TemplateForm
from routing.watch import Watch
from routing.windows import Window, WindowForm

FormT = TypeVar("FormT", bound=Form)

_SECTIONS = frozenset(FileForm.model_fields) - ONLY_FIRST - {"version"}
"""What included files add to."""
_OF_RECEIVERS = tuple(ReceiverForm.model_fields)
"""What every kind of receiver has beside its own options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A rule of the file, and where it stands."""

    path: Path
    form: RuleForm
    otherwise: str | None
    """The rule under whose `else` it stands."""


def load(
    text: str, *, kinds: Mapping[str, type[Options]], environment: Mapping[str, str], included: Mapping[str, str] | None = None
) -> RuleSet:
    """Read the text of a rules.yaml.

    Args:
        text: the file's content.
        included: by their names the texts of the files that it includes (`included_by`), in their order.
        kinds: for each kind of receiver the model of its options.
        environment: what `${NAME}` stands for. A value that names an unset variable is empty, which in a secret option means that
            the credential is not set; rules and defaults must not name one.

    Raises:
        RulesError: with every problem, each with its line, column and what to write instead. No value of the environment shows.
    """
    source = read_source(text, included or {})
    reading = Reading(source=source, environment=environment, problems=list(source.problems), faulty=set(source.faults))
    file = reading.form(FileForm, ())
    defaults = reading.form(DefaultsForm, ("defaults",)) if source.value(("defaults",)) else DefaultsForm()
    templates = dict(_templates(reading))
    receivers = {receiver.name: receiver for receiver in _receivers(reading, kinds, templates)}
    windows = dict(_windows(reading))
    found = tuple(_rules(reading, ("rules",)))
    fingerprints = tuple(Fingerprint(when=form.when, key=form.key) for form in _forms(reading, "fingerprints", FingerprintForm))
    ignore = tuple(Noise(name=form.name, when=form.when) for form in _forms(reading, "ignore", NoiseForm))
    inhibit = tuple(map(_inhibition, _forms(reading, "inhibit", InhibitionForm)))
    throttles = tuple(map(_throttle, _forms(reading, "throttles", ThrottleForm)))
    buttons = reading.form(ButtonsForm, ("buttons",)) if source.value(("buttons",)) else None
    watch = reading.form(WatchForm, ("watch",)) if source.value(("watch",)) else WatchForm()
    _check_names(reading)
    _check_figures(reading, found)
    _check_variables(reading)
    if reading.problems or not defaults or not file or not watch:
        raise RulesError(tuple(reading.problems))
    return RuleSet(
        rules=tuple(_rule(one, defaults, windows, templates) for one in _enabled(found)),
        receivers=receivers,
        version=_version_of(text, included or {}),
        fingerprints=fingerprints,
        windows=windows,
        ignore=ignore,
        inhibit=inhibit,
        throttles=throttles,
        buttons=buttons.by_change if buttons else {},
        dead_letters=file.dead_letters,
        watch=_watch(watch, file.dead_letters),
    )


def included_by(text: str) -> tuple[str, ...]:
    """The patterns of the files that a text includes; what it may not include, or cannot be read, `load` will say."""
    try:
        value = document.read(text).value(("include",))
    except DocumentError:
        return ()
    return tuple(pattern for pattern in value if isinstance(pattern, str) and is_beside(pattern)) if isinstance(value, list) else ()


def read_source(text: str, included: Mapping[str, str]) -> Document:
    """All texts as one document.

    Raises:
        RulesError: one of them is no YAML.
    """
    problems: list[Problem] = []
    documents: dict[str, Document] = {}
    for file, content in {"": text, **included}.items():
        try:
            documents[file] = document.read(content)
        except DocumentError as error:
            problems += [replace(problem, file=file) for problem in error.problems]
    if problems:
        raise RulesError(tuple(problems))
    return merge(documents.pop(""), documents, sections=_SECTIONS)


def _version_of(text: str, included: Mapping[str, str]) -> str:
    """Changes with every text; that of a single file is the beginning of its SHA-256, as `sha256sum` shows it."""
    whole = text.encode() + b"".join(f"\0{file}\0{content}".encode() for file, content in included.items())
    return hashlib.sha256(whole).hexdigest()[:12]


def _forms(reading: Reading, section: str, form: type[FormT]) -> Iterator[FormT]:
    """The items of a list that are without fault."""
    for index in _items(reading.source.value((section,))):
        if item := reading.form(form, (section, index)):
            yield item


def _rules(reading: Reading, path: Path, *, otherwise: str | None = None, depth: int = 0) -> Iterator[_Found]:
    """The rules of a list in their order, those under `else` after theirs; the faulty ones are left out."""
    if depth > MAX_DEPTH:
        reading.add(path, f"rules are nested more than {MAX_DEPTH} deep; write them one below the other")
        return
    for index in _items(reading.source.value(path)):
        place = (*path, index)
        form = reading.form(RuleForm, place)
        if form:
            yield _Found(path=place, form=form, otherwise=otherwise)
        name = reading.value((*place, "name"))
        yield from _rules(reading, (*place, "else"), otherwise=name if isinstance(name, str) else None, depth=depth + 1)


def _enabled(found: Sequence[_Found]) -> Iterator[_Found]:
    """Those in force: what stands under a rule that is not, is not either."""
    out_of_force: set[str] = set()
    for one in found:
        if one.form.enabled and one.otherwise not in out_of_force:
            yield one
        else:
            out_of_force.add(one.form.name)


def _rule(found: _Found, defaults: DefaultsForm, windows: Mapping[str, Window], templates: Mapping[str, MessageTemplate]) -> Rule:
    form = found.form
    return Rule(
        name=form.name,
        when=form.when,
        severity=form.severity,
        notify=tuple(told.receiver for told in form.notify),
        severities={told.receiver: told.severity for told in form.notify if told.severity},
        cooldown=defaults.cooldown if form.cooldown is None else form.cooldown,
        window=form.window,
        over=form.over,
        per=form.per,
        otherwise=found.otherwise,
        stop=form.stop,
        active=tuple(windows[name] for name in form.active),
        mute=tuple(windows[name] for name in form.mute),
        grouping=_grouping(form, defaults),
        repeat=form.repeat,
        escalate=tuple(Step(after=step.after, unless=step.unless, notify=step.notify) for step in form.escalate),
        template=templates.get(form.template or ""),
        owner=form.owner,
        runbook=form.runbook,
    )


def _grouping(form: RuleForm, defaults: DefaultsForm) -> Grouping | None:
    if not form.group_by and form.group_wait is None and form.group_interval is None:
        return None
    return Grouping(
        by=form.group_by,
        wait=defaults.group_wait if form.group_wait is None else form.group_wait,
        interval=defaults.group_interval if form.group_interval is None else form.group_interval,
    )


def _inhibition(form: InhibitionForm) -> Inhibition:
    return Inhibition(name=form.name, source=form.source, target=form.target, equal=form.equal)


def _throttle(form: ThrottleForm) -> Throttle:
    return Throttle(name=form.name, when=form.when, by=form.by, limit=form.limit, per=form.per)


def _windows(reading: Reading) -> Iterator[tuple[str, Window]]:
    for name in _keys(reading.source.value(("windows",))):
        if form := reading.form(WindowForm, ("windows", name)):
            yield name, form.window(name)


def _templates(reading: Reading) -> Iterator[tuple[str, MessageTemplate]]:
    for name in _keys(reading.source.value(("templates",))):
        if form := reading.form(TemplateForm, ("templates", name)):
            yield name, form.template


def _receivers(reading: Reading, kinds: Mapping[str, type[Options]], templates: Mapping[str, MessageTemplate]) -> Iterator[Receiver]:
    source = reading.source
    for name in _keys(source.value(("receivers",))):
        path = ("receivers", name)
        form = reading.form(ReceiverForm, path)
        if form and form.kind not in kinds:
            written = quoted(source.value((*path, "kind")))
            known = f"kinds are {', '.join(sorted(kinds))}"
            reading.add((*path, "kind"), f"{written} is no kind of receiver; {did_you_mean(written, kinds) or known}")
        elif form and (found := _options(reading, path, kinds[form.kind], form)):
            options, destination = found
            yield Receiver(
                name=name,
                kind=form.kind,
                options=options,
                address=_address(source.value(path), options),
                destination=destination,
                fallback=form.fallback,
                fallback_after=form.fallback_after,
                template=templates.get(form.template or ""),
                max_per_minute=form.max_per_minute,
                max_delay=form.max_delay,
                position=source.position(path),
                file=source.file(path),
                unset=dict(_unset(source.value(path), reading.environment)),
            )


def _options(reading: Reading, path: Path, model: type[Options], form: ReceiverForm) -> tuple[Options, Destination | None] | None:
    """The options of a receiver; those that hang on the alert as an example could complete them."""
    content = reading.source.value(path)
    written = {key: value for key, value in content.items() if key not in _OF_RECEIVERS} if isinstance(content, dict) else {}
    computed = find(written, model)
    for fault in (*computed.faults, *check(computed, form.allow)):
        reading.add((*path, *fault.path), fault.message)
    options = reading.form(model, path, without=_OF_RECEIVERS, instead=examples(computed, model, form.allow))
    if options is None:
        return None
    if not computed.options:
        return options, None
    values = {key: reading.value((*path, key)) for key in written}
    return options, Destination(model=model, written=values, computed=computed.options, allow=form.allow or AllowList(()))


def _address(written: Content, options: Options) -> Mapping[str, object]:
    """Of the options those that say where, as the text has them."""
    return {key: written[key] for key in type(options).address if key in written} if isinstance(written, dict) else {}


def _unset(options: Content, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Options that name a variable which is not set, with its name."""
    for path, name in unset_variables(options, environment):
        if path:
            yield str(path[0]), name


def _watch(form: WatchForm, dead_letters: tuple[str, ...]) -> Watch:
    """Where nobody is named, it is told like what could not be told."""
    notify = dead_letters if form.notify is None else form.notify
    return Watch(canary=form.canary, canary_to=form.canary_to, quiet=form.quiet, notify=notify)


def _check_names(reading: Reading) -> None:
    """Names that are used twice, or used and never defined."""
    for section in ("ignore", "inhibit", "throttles"):
        _check_unique(reading, [(section, index) for index in _items(reading.source.value((section,)))])
    rules = list(_paths_of_rules(reading, ("rules",)))
    _check_unique(reading, rules)
    for rule in rules:
        for key, section in (("notify", "receivers"), ("active", "windows"), ("mute", "windows")):
            _check_defined(reading, (*rule, key), section)
        for index in _items(reading.source.value((*rule, "escalate"))):
            _check_defined(reading, (*rule, "escalate", index, "notify"), "receivers")
        _check_one_defined(reading, (*rule, "template"), "templates")
    _check_defined(reading, ("dead_letters",), "receivers")
    _check_defined(reading, ("watch", "notify"), "receivers")
    _check_one_defined(reading, ("watch", "canary_to"), "receivers")
    for name in _keys(reading.source.value(("receivers",))):
        _check_fallback(reading, name)
        _check_one_defined(reading, ("receivers", name, "template"), "templates")


def _paths_of_rules(reading: Reading, path: Path) -> Iterator[Path]:
    for index in _items(reading.source.value(path)):
        yield (*path, index)
        if len(path) <= 2 * MAX_DEPTH:
            yield from _paths_of_rules(reading, (*path, index, "else"))


def _check_unique(reading: Reading, paths: Iterable[Path]) -> None:
    lines: dict[str, str] = {}
    for path in paths:
        place = (*path, "name")
        name = reading.value(place)
        if isinstance(name, str) and name in lines:
            written, what = quoted(reading.source.value(place)), _SINGULAR[str(path[0])]
            reading.add(place, f"{written} names the {what} of {lines[name]} already; rename one of them")
        elif isinstance(name, str):
            file = reading.source.file(place)
            lines[name] = f"line {reading.source.position(place)[0]}{' of ' + file if file else ''}"


def _check_defined(reading: Reading, path: Path, section: str) -> None:
    """A list of names: each must be a key of the section."""
    known = _keys(reading.source.value((section,)))
    for position in _items(reading.source.value(path)):
        place = (*path, position)
        value = reading.value(place)
        name = next(iter(value), None) if isinstance(value, dict) else value
        if isinstance(name, str) and name not in known:
            written = quoted(name if isinstance(value, dict) else reading.source.value(place))
            reading.add(place, f"no {section[:-1]} {written}; {did_you_mean(written, known) or f'define it under {section}'}")


def _check_one_defined(reading: Reading, place: Path, section: str) -> None:
    """A name, where there is one, must be a key of the section."""
    known = _keys(reading.source.value((section,)))
    if isinstance(name := reading.value(place), str) and name not in known:
        written = quoted(reading.source.value(place))
        reading.add(place, f"no {section[:-1]} {written}; {did_you_mean(written, known) or f'define it under {section}'}")


def _check_fallback(reading: Reading, receiver: str) -> None:
    """It must be another receiver, and whoever follows the fallbacks must come to an end."""
    place: Path = ("receivers", receiver, "fallback")
    known = _keys(reading.source.value(("receivers",)))
    followed, name = [receiver], reading.value(place)
    while isinstance(name, str) and name in known and name not in followed:
        followed.append(name)
        name = reading.value(("receivers", name, "fallback"))
    if len(followed) == 1 and name != receiver:
        _check_one_defined(reading, place, "receivers")
    elif name == receiver:
        reading.add(place, f"comes back to itself: {' -> '.join((*followed, receiver))}; let the last one have none")


def _check_figures(reading: Reading, found: Iterable[_Found]) -> None:
    """What a condition asks over many alerts must be something that they can answer."""
    for one in found:
        try:
            figures_of(one.form.when, one.form.window, one.form.over)
        except FigureError as error:
            reading.add((*one.path, "when"), str(error))


def _check_variables(reading: Reading) -> None:
    """A condition that an unset variable leaves empty would be met by every alert, so no rule may name one."""
    for section in ("defaults", "windows", "fingerprints", "ignore", "inhibit", "throttles", "templates", "buttons", "rules"):
        for path, _ in unset_variables(reading.source.value((section,)), reading.environment):
            reading.add((section, *path), "write the value here, or set the variable")


def _keys(content: Content) -> tuple[str, ...]:
    return tuple(content) if isinstance(content, dict) else ()


def _items(content: Content) -> range:
    return range(len(content) if isinstance(content, list) else 0)


_SINGULAR = {"rules": "rule", "ignore": "entry", "inhibit": "inhibition", "throttles": "throttle"}
