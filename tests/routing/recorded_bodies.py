"""What each body beside the repository says, read by eye; the bodies themselves stay where they are."""

from __future__ import annotations

from dataclasses import dataclass

from routing.alert import Category, Level, Status

_ACME = "https://sentry.io/organizations/acme"
_MOCK_LINK = "https://sentry.io/organizations/lxyz/issues/123/events/def456/"
_PERSONAL = "https://sentry.io/organizations/hypro999-personal-organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a body says; a default is what most say of it."""

    resource: str = "event_alert"
    action: str = "triggered"
    status: Status = Status.FIRING
    category: Category = Category.ERROR
    level: Level = Level.ERROR
    title: str = ""
    """Not compared where Sentry gives none and the parser makes one up."""
    organization: str | None = "acme"
    project: str | None = "checkout"
    environment: str | None = None
    issue_id: str | None = None
    link: str | None = None
    exception: tuple[str, str] | None = None
    """Type and value of the raised one."""


def _of_the_mocks(resource: str, action: str, status: Status, level: Level = Level.ERROR) -> Said:
    """An issue or a comment of the mocks, which name one issue of one project."""
    exception = ("Another Error #1", "This is a test error!") if resource == "issue" else None
    title = "Error #1: This is a test error!" if resource == "issue" else ""
    category = Category.ERROR if resource == "issue" else Category.OTHER
    return Said(
        resource=resource,
        action=action,
        status=status,
        category=category,
        level=level,
        title=title,
        organization="example",
        project="ipe",
        issue_id="123",
        exception=exception,
    )


def _metric_of_the_mocks(action: str, status: Status, level: Level) -> Said:
    return Said(
        resource="metric_alert",
        action=action,
        status=status,
        category=Category.METRIC,
        level=level,
        title="metric alert",
        organization="example",
        project=None,
    )


def _derived_issue(action: str, status: Status) -> Said:
    return Said(
        resource="issue",
        action=action,
        status=status,
        title="OperationalError: connection refused",
        issue_id="5300000123",
        link=f"{_ACME}/issues/5300000123/",
        exception=("OperationalError", "connection refused"),
    )


def _installation(action: str, organization: str) -> Said:
    return Said(
        resource="installation",
        action=action,
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization=organization,
        project=None,
    )


def _seer(action: str) -> Said:
    return Said(
        resource="seer",
        action=action,
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization=None,
        project=None,
        issue_id="1170820242",
    )


_MOCK_EVENT = Said(
    title="Error #1: This is a test error!",
    organization="lxyz",
    project=None,
    environment="production",
    issue_id="123",
    link=_MOCK_LINK,
    exception=("Another Error #1", "This is a test error!"),
)
_JAVASCRIPT = Said(
    title="TypeError: Object [object Object] has no method 'updateFrom'",
    environment="prod",
    issue_id="5300000040",
    link=f"{_ACME}/issues/5300000040/events/e678a4b09428b6d8b7a53840968ba8a7/",
    exception=("TypeError", "Object [object Object] has no method 'updateFrom'"),
)
_ALERT_77 = f"{_ACME}/alerts/rules/details/77/?alert=315&referrer=metric_alert&notification_uuid=2f6b5d1e-31a3-44d5-bb2d-6a1b0a7f2c11"

SAID = {
    "derived/comment_updated.json": Said(
        resource="comment",
        action="updated",
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization=None,
        issue_id="5300000123",
    ),
    "derived/error_created_python.json": Said(
        resource="error",
        action="created",
        title="<unlabeled event>",
        environment="prod",
        issue_id="5300000010",
        link=f"{_ACME}/issues/5300000010/events/a597d153cc39413335dc383f532b8d45/",
    ),
    "derived/event_alert_cron_monitor.json": Said(
        category=Category.CRON,
        title="Monitor failure: Nightly invoices",
        environment="production",
        issue_id="5300000080",
        link=f"{_ACME}/issues/5300000080/events/9d3bb895f22bf0afa958d68c2a58ded7/",
    ),
    "derived/event_alert_csp.json": Said(
        title="Blocked 'script' from 'example.org'",
        issue_id="5300000015",
        link=f"{_ACME}/issues/5300000015/events/6958569d50eb0864bede01307b55948c/",
    ),
    "derived/event_alert_java.json": Said(
        title="ApiException: Authentication failed, token expired!",
        environment="production",
        issue_id="5300000000",
        link=f"{_ACME}/issues/5300000000/events/1733a1735ba85317a4c237621ab33c67/",
        exception=("ApiException", "Authentication failed, token expired!"),
    ),
    "derived/event_alert_js_with_settings.json": _JAVASCRIPT,
    "derived/event_alert_perf_n-plus-one-in-django-index-view.json": Said(
        category=Category.PERFORMANCE,
        level=Level.INFO,
        title="/books/",
        environment="production",
        issue_id="5300000060",
        link=f"{_ACME}/issues/5300000060/events/b65546b69bfab5f89899f1d96ee26bf4/",
    ),
    "derived/event_alert_react-native.json": Said(
        title="EXC_BREAKPOINT: fatal error | TEST - Sentry Client Crash",
        environment="production",
        issue_id="5300000005",
        link=f"{_ACME}/issues/5300000005/events/f8a19cea139c356d4e8b83a5b63f5049/",
        exception=("EXC_BREAKPOINT", "fatal error | TEST - Sentry Client Crash"),
    ),
    "derived/event_alert_test_notification.json": _JAVASCRIPT,
    "derived/installation_deleted.json": _installation("deleted", "acme"),
    "derived/issue_archived_alias.json": _derived_issue("archived", Status.ARCHIVED),
    "derived/issue_resolved_in_release.json": _derived_issue("resolved", Status.RESOLVED),
    "derived/issue_unresolved_regressed.json": _derived_issue("unresolved", Status.FIRING),
    "derived/legacy_plugin_python.json": Said(
        resource="legacy",
        title="<unlabeled event>",
        environment="prod",
        issue_id="5300000010",
        link=f"{_ACME}/issues/5300000010/?referrer=webhooks_plugin",
    ),
    "derived/metric_alert_critical_error_count.json": Said(
        resource="metric_alert",
        action="critical",
        category=Category.METRIC,
        level=Level.FATAL,
        title="Critical: Too many errors",
        environment="production",
        link=_ALERT_77,
    ),
    "derived/metric_alert_warning_p95.json": Said(
        resource="metric_alert",
        action="warning",
        category=Category.METRIC,
        level=Level.WARNING,
        title="Warning: Checkout p95",
        environment="production",
        link=_ALERT_77,
    ),
    "glitchtip/test_handle_alert.json": Said(
        resource="glitchtip",
        title="issue title",
        organization="app-sre",
        project="test-project",
        issue_id="12345",
        link="https://glitchtip.devshift.net/app-sre/issues/12345",
    ),
    "integration-platform-example/mock_comment_created_webhook.json": _of_the_mocks("comment", "created", Status.UNCHANGED, Level.INFO),
    "integration-platform-example/mock_comment_deleted_webhook.json": _of_the_mocks("comment", "deleted", Status.UNCHANGED, Level.INFO),
    "integration-platform-example/mock_comment_updated_webhook.json": _of_the_mocks("comment", "updated", Status.UNCHANGED, Level.INFO),
    "integration-platform-example/mock_event_alert_triggered_webhook.json": _MOCK_EVENT,
    "integration-platform-example/mock_event_alert_triggered_webhook_with_alert_rule_action.json": _MOCK_EVENT,
    "integration-platform-example/mock_installation_created_webhook.json": _installation("created", "example"),
    "integration-platform-example/mock_installation_deleted_webhook.json": _installation("deleted", "example"),
    "integration-platform-example/mock_issue_assigned_webhook.json": _of_the_mocks("issue", "assigned", Status.UNCHANGED),
    "integration-platform-example/mock_issue_created_webhook.json": _of_the_mocks("issue", "created", Status.FIRING),
    "integration-platform-example/mock_issue_ignored_webhook.json": _of_the_mocks("issue", "ignored", Status.ARCHIVED),
    "integration-platform-example/mock_issue_resolved_webhook.json": _of_the_mocks("issue", "resolved", Status.RESOLVED),
    "integration-platform-example/mock_metric_alert_critical_webhook.json": _metric_of_the_mocks("critical", Status.FIRING, Level.FATAL),
    "integration-platform-example/mock_metric_alert_critical_webhook_with_alert_rule_action.json": _metric_of_the_mocks(
        "critical", Status.FIRING, Level.FATAL
    ),
    "integration-platform-example/mock_metric_alert_resolved_webhook.json": _metric_of_the_mocks("resolved", Status.RESOLVED, Level.INFO),
    "integration-platform-example/mock_metric_alert_warning_webhook.json": _metric_of_the_mocks("warning", Status.FIRING, Level.WARNING),
    "integration-platform-example/mock_metric_alert_warning_webhook_with_alert_rule_action.json": _metric_of_the_mocks(
        "warning", Status.FIRING, Level.WARNING
    ),
    "pagertree/event_alert.json": Said(
        title="DataError: value too long for type character varying(15)",
        organization="acmecorp",
        project="acmecorp-app-django",
        environment="production",
        issue_id="5210290442",
        link="https://sentry.io/organizations/acmecorp/issues/5210290442/events/b5f204b0076b46f99644468c359e4304/",
        exception=("DataError", "value too long for type character varying(15)\n"),
    ),
    "sentry-docs-2026/activity_alert_triggered.json": Said(
        resource="activity_alert",
        status=Status.UNCHANGED,
        level=Level.WARNING,
        title="TypeError: you aren't my type",
        project="error-gen",
        issue_id="43",
        link=f"{_ACME}/issues/43/",
    ),
    "sentry-docs-2026/issues_created_2025-11.json": Said(
        resource="issue",
        action="created",
        level=Level.FATAL,
        title="Error generated with event_id: 495d375a-1df6-45c0-9890-34dae8e1b6a4(Priority: HIGH)",
        organization="example-org",
        project="python",
        issue_id="1234567890",
        link="https://example-org.sentry.io/issues/1234567890/",
    ),
    "sentry-docs-2026/preprod_artifact_build_distribution_completed.json": Said(
        resource="preprod_artifact",
        action="build_distribution_completed",
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization="my-org",
        project="my-project",
    ),
    "sentry-docs-2026/preprod_artifact_size_analysis_completed.json": Said(
        resource="preprod_artifact",
        action="size_analysis_completed",
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization="my-org",
        project="my-project",
    ),
    "sentry-docs/comments_created.json": Said(
        resource="comment",
        action="created",
        status=Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        organization=None,
        project="sentry",
        issue_id="100",
    ),
    "sentry-docs/errors_created.json": Said(
        resource="error",
        action="created",
        title="ReferenceError: blooopy is not defined",
        organization="test-org",
        project="front-end",
        issue_id="1170820242",
        link="https://sentry.io/organizations/test-org/issues/1170820242/events/bb78c1407cea4519aa397afc059c793d/",
        exception=("ReferenceError", "blooopy is not defined"),
    ),
    "sentry-docs/installation_created.json": _installation("created", "test-org"),
    "sentry-docs/issue-alerts_triggered.json": Said(
        title="ReferenceError: heck is not defined",
        organization="test-org",
        project="front-end",
        issue_id="1117540176",
        link="https://sentry.io/organizations/test-org/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/",
        exception=("ReferenceError", "heck is not defined"),
    ),
    "sentry-docs/issues_created.json": Said(
        resource="issue",
        action="created",
        title="ReferenceError: blooopy is not defined",
        organization=None,
        project="front-end",
        issue_id="1170820242",
        exception=("ReferenceError", "blooopy is not defined"),
    ),
    "sentry-docs/metric-alerts_resolved.json": Said(
        resource="metric_alert",
        action="resolved",
        status=Status.RESOLVED,
        category=Category.METRIC,
        level=Level.INFO,
        title="Resolved: Too many errors",
        organization="baz",
        project="bar",
        link="https://sentry.io/organizations/baz/alerts/1/",
    ),
    "sentry-docs/seer_coding_completed.json": _seer("coding_completed"),
    "sentry-docs/seer_coding_started.json": _seer("coding_started"),
    "sentry-docs/seer_pr_created.json": _seer("pr_created"),
    "sentry-docs/seer_root_cause_completed.json": _seer("root_cause_completed"),
    "sentry-docs/seer_root_cause_started.json": _seer("root_cause_started"),
    "sentry-docs/seer_solution_completed.json": _seer("solution_completed"),
    "sentry-docs/seer_solution_started.json": _seer("solution_started"),
    "zulip/event_for_exception_python.json": Said(
        title="Exception: Custom exception!",
        organization="hypro999-personal-organization",
        project="zulip-integration-testing",
        issue_id="1635244907",
        link=f"{_PERSONAL}/issues/1635244907/events/599349254a1447a99774b5310711c1a8/",
        exception=("Exception", "Custom exception!"),
    ),
    "zulip/event_for_exception_rails.json": Said(
        title="ZeroDivisionError: divided by 0",
        organization="nitk-46",
        project="new-project",
        environment="development",
        issue_id="4213933362",
        link="https://sentry.io/organizations/nitk-46/issues/4213933362/events/49b528e13e45497ab9adc3173fd2ed34/",
        exception=("ZeroDivisionError", "divided by 0"),
    ),
    "zulip/event_for_message_golang.json": Said(
        level=Level.INFO,
        title="A test message event from golang.",
        organization="hypro999-personal-organization",
        project="zulip-integration-testing",
        issue_id="1638844654",
        link=f"{_PERSONAL}/issues/1638844654/events/01ecb45633bc4f5ca940ada671124c8f/",
    ),
    "zulip/issue_assigned_to_team.json": Said(
        resource="issue",
        action="assigned",
        status=Status.UNCHANGED,
        title="Exception: program has entered an invalid state.",
        organization=None,
        project="zulip-integration-testing",
        issue_id="1638821441",
        exception=("Exception", "program has entered an invalid state."),
    ),
    "zulip/issue_resolved.json": Said(
        resource="issue",
        action="resolved",
        status=Status.RESOLVED,
        title="Exception: program has entered an invalid state.",
        organization=None,
        project="zulip-integration-testing",
        issue_id="1638821441",
        exception=("Exception", "program has entered an invalid state."),
    ),
    "zulip/sample_event_through_plugin.json": Said(
        resource="legacy",
        title="This is an example Python exception",
        organization="nitk-46",
        project="python",
        environment="prod",
        issue_id="4218258981",
        link="https://nitk-46.sentry.io/issues/4218258981/?referrer=webhooks_plugin",
    ),
}
