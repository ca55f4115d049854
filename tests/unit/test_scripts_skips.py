"""The pytest plugin that lets nothing be skipped in CI, tried on small test modules."""

import pytest

pytest_plugins = ["pytester"]

STRICT = ("-p", "tests.support.strict_skips")
# Warnings are for the outer run to tell. Here they would count as outcomes: that STRICT cannot be rewritten, as another
# test module has imported it, and garbage of earlier tests that happens to be collected now.
ALONE = ("-p", "no:asyncio", "-p", "no:warnings", "-p", "no:unraisableexception")
SKIPS = {
    "mark": "@pytest.mark.skip(reason='no prosody')\ndef test_it(): pass\n",
    "call": "def test_it(): pytest.skip('no prosody')\n",
    "fixture": "@pytest.fixture\ndef server(): pytest.skip('no prosody')\ndef test_it(server): pass\n",
    "module": "pytest.skip('no prosody', allow_module_level=True)\n",
}


def run(pytester: pytest.Pytester, source: str, *options: str) -> tuple[dict[str, int], str]:
    """Run `source` as a test module; return how many tests ended how, and what pytest printed."""
    pytester.makepyfile("import pytest\n" + source)
    result = pytester.runpytest_inprocess("-rA", *ALONE, *options)
    return result.parseoutcomes(), result.stdout.str()


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS.keys())
def test_a_skip_fails(pytester: pytest.Pytester, source: str) -> None:
    outcomes, printed = run(pytester, source, *STRICT)
    assert sum(outcomes.get(bad, 0) for bad in ("failed", "errors")) == 1
    assert "skipped" not in outcomes
    assert "skipped in CI, where nothing may be: no prosody" in printed


def test_a_skip_without_the_plugin_is_one(pytester: pytest.Pytester) -> None:
    assert run(pytester, SKIPS["call"])[0] == {"skipped": 1}


def test_what_is_in_no_checkout_may_be_skipped(pytester: pytest.Pytester) -> None:
    source = "from tests.support.strict_skips import ABSENT\ndef test_it(): pytest.skip(ABSENT + 'a data set')\n"
    assert run(pytester, source, *STRICT)[0] == {"skipped": 1}


def test_an_expected_failure_stays_one(pytester: pytest.Pytester) -> None:
    source = "@pytest.mark.xfail\ndef test_it(): assert False\ndef test_other(): pass\n"
    assert run(pytester, source, *STRICT)[0] == {"passed": 1, "xfailed": 1}
