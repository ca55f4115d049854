"""Every configuration that we show people loads, fits its drivers and raises no doubt: the examples and the README."""

import re
from pathlib import Path

import pytest

from jidget.cli.main import VERBS
from jidget.config.loader import read
from jidget.things.loader import check_things

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
DOCUMENTS = [
    path
    for pattern in ("*.md", "agent/*.md", "drivers/*.md", "examples/**/*.md", "systemd/*.md", "tests/*.md")
    for path in sorted(ROOT.glob(pattern))
]
README = (ROOT / "README.md").read_text()


@pytest.fixture(autouse=True)
def no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gpio drivers do without the library that only reaches real pins."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language, those in lists without their indent."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", README)
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} >= {"jidget.toml", "greenhouse.toml", "gpio.toml"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_right(path: Path) -> None:
    loaded = read(path, {}, password=False)
    assert loaded.warnings == ()
    assert check_things(loaded.config) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_is_for(path: Path) -> None:
    assert path.read_text().startswith("# ")


def test_every_kind_of_account_has_an_example() -> None:
    kinds = {read(path, {}, password=False).config.xmpp.account for path in EXAMPLES}
    assert kinds == {"own", "agents", "person"}


def test_the_configuration_of_the_readme_is_short_and_right(tmp_path: Path) -> None:
    first = blocks("toml")[0]
    assert len(first.splitlines()) <= 10
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "jidget.toml").write_text(first)
    loaded = read(tmp_path / "jidget.toml", {})
    assert loaded.warnings == ()
    assert check_things(loaded.config) == []


def test_the_other_configurations_of_the_readme_are_right(tmp_path: Path) -> None:
    """Each is meant to be added to the first one."""
    first, *others = blocks("toml")
    assert others
    for other in others:
        (tmp_path / "jidget.toml").write_text(f"{first}\n{other}")
        loaded = read(tmp_path / "jidget.toml", {}, password=False)
        assert check_things(loaded.config) == []


def test_the_readme_names_verbs_that_exist() -> None:
    typed = re.findall(r"(?m)^jidget ([a-z]+)", "\n".join(blocks("sh")))
    named = set(typed + re.findall("`jidget ([a-z]+)", README))
    assert {"run", "check", "watch", "call", "read", "drivers"} <= named
    assert named <= VERBS.keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []
