"""Rules files in few words: those with one thing wrong, by what is wrong with them, and those with nothing wrong."""

from __future__ import annotations

from routing.lint import Defect

HEAD = """\
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  mail: {kind: email, to: [team@example.com]}
  pager: {kind: sms, to: "+15551234567"}
"""
_USES = "  - {name: all-receivers, when: 'is:linked', notify: [chat, mail, pager]}\n"


def _when(condition: str, more: str = "") -> str:
    return f"rules:\n  - {{name: subject, when: '{condition}', notify: [chat]{more}}}\n{_USES}"


def _rules(*rules: str) -> str:
    lines = "".join(f"  - {{name: rule{number}, notify: [chat], {rule}}}\n" for number, rule in enumerate(rules))
    return f"rules:\n{lines}{_USES}"


def _part(part: str, rules: str | None = None) -> str:
    return f"{part}\n{rules or _when('level:error')}"


_NEVER = (
    *("level:error level:fatal", "level:critical", "level:[critical, urgent]", "!level:[fatal, error, warning, info, debug]"),
    *("transaction.duration:>5s transaction.duration:<1s", "transaction.duration:<0ms", "has:release !has:release"),
    *("release:1.0 !has:release", "is:resolved", "is:archived", "is:ignored", "is:new !is:new", "is:new is:escalating"),
    *("is:assigned is:unassigned", "is:regressed is:escalating", "!is:unresolved", "resource:event", "resource:installation"),
    *("environment:production environment:staging", "environment:prod* environment:stag*", "environment:prod* !environment:p*"),
    *("tags.team:shop tags.team:blog", "team:shop tags[team]:blog", "error.handled:true error.unhandled:true"),
    *("error.type:PaymentError !error.type:*Error", "payment !message:pay", "title:*timeout* !message:timeout"),
    *("http.status_code:404 http.status_code:>=500", "http.status_code:>500 http.status_code:<500", "failure_rate():>5"),
    *("count():>100 count():<50", "age:-24h age:+48h", "firstSeen:>2026-02-01 firstSeen:<2026-01-01", "timesSeen:[9 TO 3]"),
    *("timesSeen:>100 timesSeen:<=10", "release.version:>2.0 release.version:<1.0", "level:error (level:fatal OR level:warning)"),
    *("platform:python !platform:[python, javascript]", "user.email:*@a.example user.email:*@b.example", 'environment:""  has:environment'),
)

_DEAD = ("level:error OR level:critical", "is:resolved OR is:regressed", "environment:a (is:new OR environment:b environment:c)")

BAD: tuple[tuple[Defect, str], ...] = (
    *((Defect.NEVER_MET, _when(condition)) for condition in _NEVER),
    (Defect.NEVER_MET, _part("ignore: [{name: one, when: 'level:error level:info'}]")),
    (Defect.NEVER_MET, _part("fingerprints: [{when: 'level:error level:info', key: one}]")),
    (Defect.NEVER_MET, _part("inhibit: [{name: one, source: 'is:resolved', target: 'level:error'}]")),
    *((Defect.DEAD_ALTERNATIVE, _when(condition)) for condition in _DEAD),
    (Defect.SHADOWED, _rules("when: 'level:error', stop: true", "when: 'level:error environment:production'")),
    (Defect.SHADOWED, _rules("when: '', stop: true", "when: 'level:error'")),
    (Defect.SHADOWED, _rules("when: 'environment:prod*', stop: true", "when: 'environment:production'")),
    (Defect.SHADOWED, _rules("when: 'payment', stop: true", "when: 'error.type:PaymentError'")),
    (Defect.SHADOWED, _rules("when: 'level:error', stop: true", "when: 'level:info', stop: true", "when: 'level:[info, error]'")),
    (Defect.SHADOWED, _rules("when: 'transaction.duration:>1s', stop: true", "when: 'transaction.duration:>5s'")),
    (Defect.SHADOWED, _rules("when: 'has:release', stop: true", "when: 'release:1.2.3'")),
    (Defect.SHADOWED, _part("ignore: [{name: one, when: 'level:[info, debug]'}]", _when("level:debug"))),
    (
        Defect.SHADOWED,
        _part("ignore: [{name: one, when: 'level:error'}, {name: two, when: 'level:error project:shop'}]", _when("level:info")),
    ),
    (Defect.SHADOWED, _part("fingerprints: [{when: '', key: one}, {when: 'level:error', key: two}]")),
    (Defect.SHADOWED, _part("fingerprints: [{when: 'a', key: '{path}'}, {when: 'a level:error', key: '{path}.{error.type}'}]")),
    (Defect.ELSE_NEVER_ASKED, _rules("when: '', else: [{name: other, when: 'level:error', notify: [chat]}]")),
    (Defect.ELSE_NEVER_ASKED, _rules("when: 'level:error', else: [{name: other, when: 'level:error is:new', notify: [chat]}]")),
    (Defect.ELSE_NEVER_ASKED, _rules("when: 'level:error OR !level:error', else: [{name: other, when: x, notify: [chat]}]")),
    (Defect.SHORT_COOLDOWN, _when("count():>100", ", window: 1h")),
    (Defect.SHORT_COOLDOWN, _when("count():>100", ", window: 10m, cooldown: 5m")),
    (Defect.SHORT_COOLDOWN, _when("count():>100", ", window: 1m, cooldown: 0s")),
    (Defect.WINDOW_NEVER_OPENS, _part("windows: {w: {days_of_month: [31], months: [feb]}}", _when("level:error", ", mute: [w]"))),
    (Defect.WINDOW_NEVER_OPENS, _part("windows: {w: {days_of_month: [31], months: [jun, sep]}}", _when("level:error", ", mute: [w]"))),
    (
        Defect.WINDOW_NEVER_OPENS,
        _part("windows: {w: {spans: [{weekdays: [sat]}, {days_of_month: [30], months: [feb]}]}}", _when("level:error", ", mute: [w]")),
    ),
    (Defect.RULE_NEVER_SPEAKS, _part("windows: {w: {times: [00:00-24:00]}}", _when("level:error", ", mute: [w]"))),
    (
        Defect.RULE_NEVER_SPEAKS,
        _part("windows: {a: {weekdays: [mon..fri]}, b: {weekdays: [sat..sun]}}", _when("level:error", ", active: [a], mute: [a]")).replace(
            "mute: [a]", "mute: [a, b]"
        ),
    ),
    (
        Defect.RULE_NEVER_SPEAKS,
        _part("windows: {a: {times: [09:00-17:00]}, b: {times: [08:00-18:00]}}", _when("level:error", ", active: [a], mute: [b]")),
    ),
    (Defect.UNUSED, "rules:\n  - {name: subject, when: 'level:error', notify: [chat, mail]}\n"),
    (Defect.UNUSED, "rules:\n  - {name: subject, when: 'level:error', notify: [pager, mail]}\n"),
    (Defect.UNUSED, _part("windows: {w: {weekdays: [mon]}}")),
    (Defect.NOBODY_WAKES, _when("level:error", ", severity: critical")),
    (Defect.NOBODY_WAKES, _when("level:fatal")),
    (Defect.NOBODY_WAKES, _when("tags.critical:true", ", severity: critical, escalate: [{after: 15m, notify: [mail]}]")),
    (
        Defect.NOBODY_WAKES,
        _rules("when: 'level:error', severity: critical", "when: 'level:error project:shop', notify: [pager]").replace(
            "notify: [chat], when: 'level:error project:shop', notify: [pager]", "when: 'level:error project:shop', notify: [pager]"
        ),
    ),
    (Defect.PER_WITHOUT_NEW, _when("level:error", ", per: release")),
    (Defect.PER_WITHOUT_NEW, _when("is:regressed", ", per: environment")),
    (Defect.WINDOW_WITHOUT_FIGURE, _when("level:error", ", window: 5m")),
    (Defect.WINDOW_WITHOUT_FIGURE, _when("timesSeen:>3", ", over: project")),
    (
        Defect.THROTTLE_NEVER_BITES,
        _part(
            "throttles: [{name: one, when: 'level:info', limit: 5, per: 1h}]",
            _rules("when: 'level:error'").replace("is:linked", "level:fatal"),
        ),
    ),
    (
        Defect.THROTTLE_NEVER_BITES,
        _part(
            "throttles: [{name: one, when: '', limit: 5, per: 1h}, {name: two, when: 'project:shop', by: [project], limit: 9, per: 10m}]"
        ),
    ),
    (Defect.THROTTLE_NEVER_BITES, _part("throttles: [{name: one, when: '', limit: 5, per: 1h}, {name: two, when: '', limit: 5, per: 1h}]")),
    (Defect.INHIBITS_ITSELF, _part("inhibit: [{name: one, source: 'level:error', target: 'level:error', equal: [project]}]")),
    (Defect.INHIBITS_ITSELF, _part("inhibit: [{name: one, source: 'a OR b', target: 'b OR a'}]")),
    (Defect.NEW_AND_OFTEN, _when("is:new timesSeen:>=30")),
    (Defect.NEW_AND_OFTEN, _when("level:error is:new times_seen:>100")),
)

GOOD: tuple[str, ...] = (
    *map(
        _when,
        (
            *("", "level:error", "level:[error, fatal]", "!level:info", "is:new", "is:regressed OR is:escalating", "is:new is:unassigned"),
            *("environment:prod* !environment:production-eu", "error.type:A error.type:B", "payment !refund", "title:*timeout*"),
            *("http.status_code:>=500 !http.status_code:503", "transaction.duration:>5s transaction.duration:<60s", "is:unresolved"),
            *("failure_rate():>0.05", "has:release release:shop*", "stack.filename:*a* !stack.filename:*b*", "age:-24h timesSeen:>=30"),
            *("tags.team:[a, b] !tags.team:b", "message:payment !message:refund", "release.version:>=1.2 release.version:<2.0"),
            *("(level:error OR level:fatal) environment:production", "assigned:#payments", "percent_change(count(), 1d):>50"),
            *("is:new timesSeen:<5", "user.email:*@example.com", "firstSeen:>2026-01-01 level:error", 'environment:""'),
        ),
    ),
    _rules("when: 'level:error environment:production', stop: true", "when: 'level:error'"),
    _rules("when: 'level:error', stop: true", "when: 'level:[error, fatal]'"),
    _rules("when: 'level:error'", "when: 'level:error environment:production'"),
    _rules("when: 'level:error', else: [{name: other, when: 'level:fatal', notify: [chat, pager]}]"),
    _rules("when: 'a', else: [{name: b, when: 'level:error', notify: [chat], stop: true}]", "when: 'level:error project:shop'"),
    _when("count():>100", ", window: 5m"),
    _when("count():>100", ", window: 1h, cooldown: 1h, over: project"),
    _when("is:new", ", per: release"),
    _when("level:fatal", ", severity: warning"),
    _when("level:fatal").replace("notify: [chat]}", "notify: [chat, pager]}"),
    _when("level:fatal", ", escalate: [{after: 15m, notify: [pager]}]"),
    _part("windows: {w: {days_of_month: [29], months: [feb]}}", _when("level:error", ", mute: [w]")),
    _part("windows: {w: {times: [22:00-07:00], allow: critical}}", _when("level:error", ", mute: [w]")),
    _part("windows: {a: {weekdays: [mon..fri]}, b: {times: [12:00-13:00]}}", _when("level:error", ", active: [a], mute: [b]")),
    _part("windows: {w: {times: [00:00-24:00], allow: warning}}", _when("level:error", ", mute: [w]")),
    _part("throttles: [{name: one, when: 'level:error', by: [project], limit: 5, per: 1h}]"),
    _part("throttles: [{name: one, when: '', limit: 50, per: 1h}, {name: two, when: 'level:error', limit: 5, per: 10m}]"),
    _part("inhibit: [{name: one, source: 'tags.component:database', target: 'tags.component:api', equal: [environment]}]"),
    _part("inhibit: [{name: one, source: 'level:fatal', target: 'level:[fatal, error]', equal: [project]}]"),
    _part("ignore: [{name: one, when: 'level:debug'}, {name: two, when: 'http.status_code:404'}]"),
    _part("fingerprints: [{when: 'a', key: '{path}.{method}'}, {when: 'a level:error', key: '{path}'}]"),
)
