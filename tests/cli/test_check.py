"""`byreturn check`, and the checks of every command: all errors at once, in words, without a trace."""

import json

import pytest
from tests.cli.running import CONFIG, is_golden

WRONG = """\
hostname = "mail.here.example"
hostnam = "typo.example"
[[listener]]
bind = ["127.0.0.1:99999"]
[retry]
intervals = ["30 min"]
"""

WRONG_ALIASES = """\
hostname = "mail.here.example"
[[listener]]
bind = ["127.0.0.1:2525"]
[[domain]]
name = "here.example"
mailboxes = ["ann"]
aliases = { a = ["b"], b = ["a"], office = ["anne"] }
[[domain]]
name = "example.net"
mailboxes = ["x"]
[[domain]]
name = "other.example"
mailboxes = []
aliases = { sales = ["x@here.example"] }
"""


def test_a_good_one_is_shown_as_it_is_in_effect(byreturn):
    result = byreturn("check")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("# The configuration in effect;")
    assert 'bind = ["127.0.0.1:2525"]                     # line 4\n' in result.out


def test_a_good_one_in_json(byreturn):
    answer = json.loads(byreturn("check", "--json").out)
    assert (answer["version"], answer["ok"], answer["errors"]) == (1, True, [])
    settings = {
        (section["section"], setting["key"]): setting
        for section in answer["effective"]
        for setting in section["settings"]
    }
    bind = {"key": "bind", "value": ["127.0.0.1:2525"], "line": 4, "origin": "file"}
    assert settings["listener", "bind"] == bind
    assert settings["", "node"] == {"key": "node", "value": 0, "line": None, "origin": "default"}


def test_languages_are_named_and_what_is_wrong_in_a_translation_stops_nothing(byreturn, tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "fr.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "{host} closing"\nmsgstr "{hote} s\'en va"\n'
    )
    byreturn.config.write_text(byreturn.config.read_text() + f'[report]\ncatalogues = "{folder}"\n')
    result = byreturn("check")
    assert (result.status, result.err) == (0, "")
    assert "# Languages there are: de, en, fr.\n" in result.out
    assert (
        f'# {folder}/fr.po:4: "{{host}} closing": not the places of the English sentence: '
        "{host}, {hote}. "
        "This sentence is said in English. Keep each {place}, with its name as it is.\n"
    ) in result.out
    answer = json.loads(byreturn("check", "--json").out)
    assert (answer["ok"], answer["languages"]) == (True, ["de", "en", "fr"])
    assert [remark["line"] for remark in answer["remarks"]] == [4]


@pytest.mark.parametrize(("text", "name"), [(WRONG, "wrong"), (WRONG_ALIASES, "wrong-aliases")])
def test_all_errors_at_once(byreturn, text, name):
    byreturn.config.write_text(text)
    result = byreturn.bare("check")
    assert (result.status, result.out) == (78, "")
    assert is_golden(result.err, f"check-{name}.txt")
    in_json = byreturn.bare("check", "--json")
    assert (in_json.status, in_json.err) == (78, "")
    assert is_golden(in_json.out, f"check-{name}.json")


@pytest.mark.parametrize("text", [WRONG, WRONG_ALIASES])
def test_the_server_makes_the_same_checks(byreturn, text):
    byreturn.config.write_text(text)
    result = byreturn.bare("serve")
    assert (result.status, result.err) == (78, byreturn.bare("check").err)
    assert not byreturn.data.exists()


@pytest.mark.parametrize("command", [["queue"], ["show", "0SAKR0P000000"], ["trace", "x@y.example"]])
def test_every_command_says_what_is_wrong_with_the_configuration(byreturn, command):
    byreturn.config.write_text(WRONG)
    result = byreturn(*command)
    assert (result.status, result.out) == (78, "")
    assert "the configuration has 3 errors.\n" in result.err


def test_which_configuration(byreturn, monkeypatch, tmp_path):
    """Before the command, after it, from the environment, or the one in this folder."""
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.replace("mail.here", "other.here"))
    assert '"mail.here.example"' in byreturn.bare("check").out
    assert '"other.here.example"' in byreturn.bare("--config", "other.toml", "check").out
    assert '"other.here.example"' in byreturn.bare("check", "--config", "other.toml").out
    monkeypatch.setenv("BYRETURN_CONFIG", str(other))
    assert '"other.here.example"' in byreturn.bare("check").out
    assert '"mail.here.example"' in byreturn.bare("check", "--config", "byreturn.toml").out


def test_no_configuration(byreturn):
    byreturn.config.unlink()
    result = byreturn.bare("queue")
    assert result.status == 78
    assert "byreturn.toml: no such file." in result.err
    assert "write one with: byreturn init" in result.err


def test_the_machine_is_asked_for_its_name_only_where_the_file_gives_none(byreturn, monkeypatch):
    """The answer can take the DNS's time."""
    asked = []
    monkeypatch.setattr("socket.getfqdn", lambda: asked.append(1) or "machine.example")
    assert byreturn("check").status == 0
    assert asked == []
    byreturn.config.write_text(CONFIG.replace('hostname = "mail.here.example"\n', ""))
    assert 'hostname = "machine.example"' in byreturn("check").out
    assert asked == [1]
    assert byreturn("queue").status == 78
    assert asked == [1]
