"""systemd/: what the unit promises, checked by systemd's own tools where they can tell."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "jidget.service"
SYSUSERS = SYSTEMD / "jidget.sysusers"
HIGHEST_EXPOSURE = 20
"""In tenths, as `systemd-analyze security --threshold` takes it: 15 now; PrivateDevices= is not for a GPIO daemon."""

Settings = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Return the unit's settings, section by section; a key may be given more than once."""
    found: Settings = {}
    section: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
            continue
        key, equals, value = line.partition("=")
        assert equals, f"not a setting: {line}"
        section.setdefault(key, []).append(value)
    return found


@pytest.fixture
def startable(tmp_path: Path) -> Path:
    """Return a copy of the unit whose program exists: `verify` refuses one that does not."""
    program = tmp_path / "jidget"
    program.symlink_to(shutil.which("true") or "/bin/true")
    copy = tmp_path / "jidget.service"
    text, replaced = re.subn(r"(?m)^ExecStart=\S+", f"ExecStart={program}", UNIT.read_text())
    assert replaced == 1
    copy.write_text(text)
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing: `examples/setup.sh tests` installs it"
    environment = os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def words(settings: Settings, section: str, key: str) -> list[str]:
    return " ".join(settings[section].get(key, [])).split()


def members() -> set[str]:
    """Return the groups that sysusers puts the account in."""
    return set(re.findall(r"(?m)^m\s+jidget\s+(\S+)", SYSUSERS.read_text()))


def test_verify_finds_no_fault(startable: Path) -> None:
    result = analyze("verify", "--man=no", "--recursive-errors=no", startable)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_verify_would_find_a_fault(startable: Path) -> None:
    startable.write_text(startable.read_text().replace("Type=notify", "Type=notfy"))
    assert "notfy" in analyze("verify", "--man=no", "--recursive-errors=no", startable).stderr


def test_exposure_stays_low(startable: Path) -> None:
    result = analyze("security", "--offline=true", "--no-pager", f"--threshold={HIGHEST_EXPOSURE}", startable)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Service", "Type", "notify"),
        ("Service", "NotifyAccess", "main"),
        ("Service", "User", "jidget"),
        ("Service", "LoadCredential", "xmpp-password:/etc/jidget/password"),
        ("Service", "StateDirectory", "jidget"),
        ("Service", "Restart", "always"),
        ("Service", "RestartSec", "5"),
        ("Service", "RestartPreventExitStatus", "77 78"),
        ("Service", "NoNewPrivileges", "yes"),
        ("Service", "ProtectSystem", "strict"),
        ("Service", "CapabilityBoundingSet", ""),
        ("Service", "DevicePolicy", "closed"),
        ("Unit", "StartLimitIntervalSec", "0"),
        ("Install", "WantedBy", "multi-user.target"),
    ],
)
def test_says(settings: Settings, section: str, key: str, value: str) -> None:
    assert settings[section][key] == [value]


def test_starts_the_installed_program_with_the_system_configuration(settings: Settings) -> None:
    (command,) = settings["Service"]["ExecStart"]
    assert command.split() == ["/opt/jidget/bin/jidget", "run", "--config", "/etc/jidget/jidget.toml"]


def test_a_watchdog_watches(settings: Settings) -> None:
    (seconds,) = settings["Service"]["WatchdogSec"]
    assert 10 <= int(seconds) <= 60


def test_comes_up_without_a_network(settings: Settings) -> None:
    """Sensors and safe outputs must not wait for a network that may be away for days."""
    asked = [name for key in ("After", "Requires", "Wants", "BindsTo") for name in words(settings, "Unit", key)]
    assert "network.target" in asked
    assert "network-online.target" not in asked


def test_no_setting_takes_the_hardware_away(settings: Settings) -> None:
    """Each of these, set, hides device nodes, their groups, or what the `system` driver reads in /proc."""
    service = settings["Service"]
    assert not {"PrivateDevices", "PrivateUsers", "PrivateNetwork", "ProcSubset", "DynamicUser"} & service.keys()
    nodes = {value.split()[0] for value in service["DeviceAllow"]}
    assert {"char-gpiochip", "char-i2c", "char-spi", "char-ttyUSB", "char-ttyACM"} <= nodes


def test_works_in_a_directory_it_may_write(settings: Settings) -> None:
    """Importing lgpio fails where it cannot make its FIFO in the working directory."""
    service = settings["Service"]
    assert service["WorkingDirectory"] == [f"%t/{service['RuntimeDirectory'][0]}"]


def test_every_group_is_made_by_sysusers(settings: Settings) -> None:
    """An unknown supplementary group keeps the service from starting (exit status 216/GROUP)."""
    wanted = set(words(settings, "Service", "SupplementaryGroups"))
    assert wanted == {"gpio", "i2c", "spi", "dialout"}
    made = set(re.findall(r"(?m)^g\s+(\S+)", SYSUSERS.read_text()))
    assert made == wanted
    assert members() == wanted


def test_sysusers_makes_the_account(tmp_path: Path) -> None:
    """systemd-sysusers itself, on an empty root with a gpio group that has a number already."""
    program = shutil.which("systemd-sysusers")
    assert program, "systemd-sysusers is missing: `examples/setup.sh tests` installs it"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("gpio:x:986:pi\n")
    (tmp_path / "etc/gshadow").write_text("gpio:!::pi\n")
    (tmp_path / "etc/sysusers.d").mkdir()
    shutil.copy(SYSUSERS, tmp_path / "etc/sysusers.d/jidget.conf")

    subprocess.run([program, f"--root={tmp_path}"], capture_output=True, timeout=60, check=True)

    accounts = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert accounts["jidget"][5:] == ["/var/lib/jidget", "/usr/sbin/nologin"]
    assert accounts["jidget"][3] == groups["jidget"][2]
    assert groups["gpio"][2] == "986"
    assert {name for name, group in groups.items() if "jidget" in group[3].split(",")} == members()
    assert "pi" in groups["gpio"][3].split(",")


def test_the_readme_uses_the_paths_of_the_unit(settings: Settings) -> None:
    text = (SYSTEMD / "README.md").read_text()
    (command,) = settings["Service"]["ExecStart"]
    password = settings["Service"]["LoadCredential"][0].partition(":")[2]
    installed = re.findall(r"(?s)```sh\n(.*?)```", text)[0]
    (folder, *names) = re.findall(r"-t (/\S+) (\S+) (\S+)$", installed, re.MULTILINE)[0]
    assert [f"{folder}/{name}" for name in names] == [command.split()[-1], password]
    assert f"venv {command.removesuffix('/bin/jidget run --config /etc/jidget/jidget.toml')} " in installed
    assert len(installed.splitlines()) == 5
