"""The command `jidget`: verbs, arguments, exit codes, what a person sees when something is wrong."""

import argparse
import importlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from jidget import __version__, log
from jidget.cli import main as cli
from jidget.cli.main import VERBS, main
from jidget.errors import ConfigError, Exit, LinkError, LoginRefused

Run = Callable[[argparse.Namespace], int]


@pytest.fixture(autouse=True)
def _quiet_logging() -> Iterator[None]:
    """Leave logging as it was found: `main` configures it."""
    loggers = [logging.getLogger(name) for name in (None, *log.OURS)]
    before = [logger.level for logger in loggers]
    handlers = list(logging.getLogger().handlers)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Return a way to add the verb `try` that does what it is given."""

    def add(run: Run) -> None:
        module = ModuleType("jidget.cli.try")
        vars(module).update(HELP="try it", configure=lambda parser: parser.add_argument("--count", type=int), run=run)
        monkeypatch.setitem(sys.modules, "jidget.cli.try", module)
        monkeypatch.setitem(VERBS, "try", cli.Verb(help="try it"))

    return add


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_its_module_and_the_list_says_what_it_says(name: str) -> None:
    module = importlib.import_module(f"jidget.cli.{name}")
    assert VERBS[name].help == module.HELP
    assert module.HELP[0].islower()
    assert not module.HELP.endswith(".")


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: jidget {name}")
    assert ("--config" in said) is VERBS[name].config
    assert "--verbose" in said


def test_help_lists_the_verbs_and_imports_none_of_them() -> None:
    code = (
        "import sys; from jidget.cli.main import main; code = main(['--help']); "
        "heavy = {'slixmpp', 'pydantic', 'asyncio', 'jidget.cli.run', 'jidget.config'} & sys.modules.keys(); "
        "print('imported:', heavy); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "imported: set()" in done.stdout
    for name, verb in VERBS.items():
        assert f"  {name:<7}  {verb.help}\n" in done.stdout
    for word in ("examples:", "exit codes:", "77", "78", "--version"):
        assert word in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"jidget {__version__}\n"


def test_help_of_a_verb_by_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "check"]) == 0
    assert capsys.readouterr().out.startswith("usage: jidget check")
    assert main(["help"]) == 0
    assert "verbs:" in capsys.readouterr().out


def test_nothing_to_do_is_a_usage_error_that_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "verbs:" in captured.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["chek"], 'jidget: unknown verb "chek". Did you mean "check"? There are: run, check,'),
        (["xyzzy"], 'jidget: unknown verb "xyzzy". There are: run, check,'),
        (["help", "rnu"], 'jidget: unknown verb "rnu". Did you mean "run"?'),
        (["init"], 'jidget: "init" is not yet supported in this version. There are: run,'),
        (["--verison"], "jidget: unrecognized arguments: --verison"),
        (["check", "--offlin"], 'jidget check: unknown argument: --offlin. Did you mean "--offline"?'),
        (["check", "--confg=x"], 'jidget check: unknown argument: --confg=x. Did you mean "--config"?'),
        (["check", "now"], "jidget check: unknown argument: now"),
        (["check", "--config"], "jidget check: argument --config: expected one argument"),
        (["demo", "--config", "x"], "jidget demo: unknown argument: --config"),
    ],
)
def test_wrong_arguments(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: jidget")
    assert said in captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "level", "libraries"),
    [
        (["try"], logging.WARNING, logging.WARNING),
        (["-v", "try"], logging.DEBUG, logging.WARNING),
        (["try", "-v"], logging.DEBUG, logging.WARNING),
        (["-v", "try", "-v"], logging.DEBUG, logging.DEBUG),
        (["try", "-vv"], logging.DEBUG, logging.DEBUG),
    ],
)
def test_verbosity(verb: Callable[[Run], None], argv: list[str], level: int, libraries: int) -> None:
    verb(lambda _: 0)
    assert main(argv) == 0
    assert logging.getLogger("jidget").level == level
    assert logging.getLogger("slixmpp").getEffectiveLevel() == libraries


def test_run_logs_what_happens() -> None:
    assert VERBS["run"].level == logging.INFO


def test_arguments_and_exit_code_pass_through(verb: Callable[[Run], None]) -> None:
    seen: list[argparse.Namespace] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(args)
        return 5

    verb(run)
    assert main(["try", "--count", "3", "--config", "x.toml"]) == 5
    assert (seen[0].count, str(seen[0].config)) == (3, "x.toml")


def fails_with(error: BaseException) -> Run:
    def run(_: argparse.Namespace) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("a: wrong\nb: wrong too"), 78, "jidget: a: wrong\njidget: b: wrong too\n"),
        (LoginRefused("the password is wrong"), 77, "jidget: the password is wrong\n"),
        (LinkError("no route"), 1, "jidget: no route\n"),
        (
            BaseExceptionGroup(
                "tasks", [ExceptionGroup("x", [LoginRefused("no")]), LinkError("lost"), LinkError("lost")]
            ),
            77,
            "jidget: no\njidget: lost\n",
        ),
    ],
)
def test_errors_of_ours_are_said_without_a_traceback(
    verb: Callable[[Run], None],
    error: BaseException,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb(fails_with(error))
    assert main(["try"]) == code
    captured = capsys.readouterr()
    assert captured.err == said
    assert captured.out == ""


def test_errors_of_nobody_are_not_hidden(verb: Callable[[Run], None]) -> None:
    verb(fails_with(ExceptionGroup("tasks", [LinkError("lost"), ZeroDivisionError("a bug")])))
    with pytest.raises(ExceptionGroup, match="tasks"):
        main(["try"])
    verb(fails_with(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main(["try"])
    verb(fails_with(BrokenPipeError("of some socket, not of our output")))
    with pytest.raises(BrokenPipeError):
        main(["try"])


def test_ctrl_c(verb: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(fails_with(KeyboardInterrupt()))
    assert main(["try"]) == 130
    assert capsys.readouterr().err == ""


def test_ctrl_c_for_real() -> None:
    code = (
        "import sys, types, time; from jidget.cli import main as cli; m = types.ModuleType('jidget.cli.try'); "
        "m.HELP = 'x'; m.configure = lambda p: None; m.run = lambda a: (print('ready', flush=True), time.sleep(60)); "
        "sys.modules['jidget.cli.try'] = m; cli.VERBS['try'] = cli.Verb(help='x'); sys.exit(cli.main(['try']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == ""


def test_a_reader_that_goes_away_is_no_reason_to_complain() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "jidget", "check", "--schema"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == ""
    assert done.returncode == 141


def test_a_terminal_without_our_characters_gets_others() -> None:
    environ = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "jidget", "drivers", "gpio-output"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environ,
    )
    assert "10 k?" in done.stdout
    assert done.stderr == ""


def test_under_journald_errors_are_errors(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        status = os.fstat(journal.fileno())
        done = subprocess.run(
            [sys.executable, "-m", "jidget", "read", "--config", "/nowhere/jidget.toml"],
            stderr=journal,
            env=os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            check=False,
            timeout=60,
        )
        journal.seek(0)
        said = journal.read()
    assert done.returncode == 78
    assert said == (
        "<3>jidget: /nowhere/jidget.toml: there is no such file. Name the right one with --config or $JIDGET_CONFIG\n"
    )
