"""Pytest plugin of `tests/run.sh` in CI: a test that was skipped has failed.

A skip on a developer's machine says "install prosody"; in CI it would say nothing, while the code goes untested.
Only what no installation can bring may still be missing: a reason that begins with `ABSENT` is accepted.
"""

from collections.abc import Generator

import pytest

ABSENT = "not in this checkout: "


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skipped test into one of a failed test."""
    report = yield
    if not hasattr(report, "wasxfail"):  # an expected failure is reported as skipped too
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skipped itself into a failed one."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return
    path, line, text = report.longrepr
    reason = text.removeprefix("Skipped: ")
    if not reason.startswith(ABSENT):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: skipped in CI, where nothing may be: {reason}"
