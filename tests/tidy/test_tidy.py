"""The house style, as far as a linter does not know it."""

import ast
import re

import pytest
from tests.tidy.sources import (
    ROOT,
    SOURCE,
    Module,
    banned_words,
    holds,
    modules,
    repository,
    text_of,
)

MODULES = modules()
MODULE_LINES = 600
FUNCTION_LINES = 70
ENTRY_POINTS = {"byreturn.__main__", "byreturn.cli.main"}
SAY_NOTHING = ("utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc")


def place(module):
    return module.place


every_module = pytest.mark.parametrize("module", MODULES, ids=place)


# --- Sizes and names ----------------------------------------------------------------------------------


@every_module
def test_a_module_is_not_longer_than_a_person_reads(module: Module):
    assert module.text.count("\n") <= MODULE_LINES


@every_module
def test_a_function_fits_on_a_screen(module: Module):
    assert [name for name, lines in module.functions() if lines > FUNCTION_LINES] == []


@every_module
def test_a_module_opens_with_what_it_is(module: Module):
    docstring = ast.get_docstring(module.tree)
    assert docstring, "no docstring"
    assert len(docstring.split()) > 2, f"this says nothing: {docstring}"


def test_no_module_is_called_after_nothing():
    names = {path.stem for path in SOURCE.rglob("*.py")} | {path.name for path in SOURCE.rglob("*/")}
    assert sorted(names & set(SAY_NOTHING)) == []


def test_the_glossary_bans_words():
    words = banned_words()
    assert len(words) > 20
    assert "bounce" in words


@every_module
def test_what_the_glossary_bans_names_nothing(module: Module):
    words = banned_words()
    assert sorted({name for name in module.names() for word in words if holds(name, word)}) == []


def test_whole_words_are_compared():
    assert holds("_on_bounce", "bounce")
    assert holds("BounceReport", "bounce")
    assert holds("read_mail_from", "mail_from")
    assert holds("TX", "tx")
    assert not holds("xtext", "tx")
    assert not holds("from_mail", "mail_from")


# --- Shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [one for one in MODULES if one.path.name == "__init__.py"], ids=place)
def test_a_room_opens_with_its_directory_and_nothing_else(module: Module):
    for node in module.tree.body[1:]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        assert isinstance(node, ast.Assign), ast.unparse(node)
        # The version stands where hatchling reads it.
        allowed = {"__all__"} if module.name != "byreturn" else {"__all__", "__version__"}
        assert {ast.unparse(target) for target in node.targets} <= allowed


def test_nothing_lies_about_that_nobody_imports():
    imported = {name for module in MODULES for name in module.imports()}
    idle = {module.name for module in MODULES if module.path.stem != "__init__"} - imported - ENTRY_POINTS
    assert sorted(idle) == []
    assert {module.name for module in MODULES} >= ENTRY_POINTS


def test_every_other_file_is_named_by_a_module():
    texts = {text for module in MODULES for text in module.texts()}
    others = [path for path in repository() if SOURCE in path.parents and path.suffix != ".py"]
    assert others
    assert [path.name for path in others if path.name not in texts] == []


@every_module
def test_no_other_program_is_started(module: Module):
    assert "subprocess" not in {name.partition(".")[0] for name in module.imports()}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            called = ast.unparse(node)
            assert not re.match(r"os\.(system|popen|exec|spawn|posix_spawn|fork)", called), called
            assert "create_subprocess" not in called, called
        elif isinstance(node, ast.keyword):
            assert node.arg != "shell"


def test_what_is_to_be_done_is_written_elsewhere():
    mark = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X)\b")
    code = [
        path for path in repository() if path.suffix in {".py", ".sql", ".toml"} or path.name == "Makefile"
    ]
    assert [str(path.relative_to(ROOT)) for path in code if mark.search(text_of(path))] == []


# --- SQL ----------------------------------------------------------------------------------------------

# A PRAGMA takes no parameters; what these put into one are numbers and names of their own.
PRAGMAS = {"spool/opening.py", "spool/reader.py", "spool/sqlite.py"}
# Texts that are no named statement: those of the schema and of its migrations, run one by one.
OTHER_SQL = {("spool/opening.py", "statement")}
NAMED = {"SQL", "READER_SQL"}


def sql_arguments(module: Module):
    """Yield what is given to execute, and to functions of the module that pass a parameter `sql` on to it."""
    passers = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
            if "sql" in names:
                passers[node.name] = names.index("sql")
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if called in {"execute", "executemany", "executescript"}:
            yield node.args[0], "sql" if passers else ""
        elif called in passers:
            yield node.args[passers[called]], ""


def is_from_the_files(node, module: Module):
    """Whether an expression is a statement out of the .sql files, or a name that a module gave to one."""
    if isinstance(node, ast.Name):
        given = {
            target.id: assigned.value
            for assigned in module.tree.body
            if isinstance(assigned, ast.Assign)
            for target in assigned.targets
            if isinstance(target, ast.Name)
        }
        node = given.get(node.id)
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in NAMED


@every_module
def test_no_text_of_a_stranger_can_become_sql(module: Module):
    for node, passed_on in sql_arguments(module):
        written = ast.unparse(node)
        if isinstance(node, ast.JoinedStr):
            assert written[2:].startswith("PRAGMA "), written
            assert module.place in PRAGMAS, written
        elif not (isinstance(node, ast.Constant) or is_from_the_files(node, module)):
            assert written == passed_on or (module.place, written) in OTHER_SQL, written


def test_statements_are_executed_at_all():
    assert sum(1 for module in MODULES for _ in sql_arguments(module)) > 50


# Words of ours, which the schema checks or the history keeps; the empty one is the null path.
OWN_WORDS = {"failed", "delayed", "cleared", "copied", "interrupted", ""}


@pytest.mark.parametrize("file", ["queries.sql", "reader.sql"])
def test_a_statement_has_parameters_and_no_quoted_words_but_its_own(file):
    text = re.sub(r"--[^\n]*", "", text_of(SOURCE / "spool" / file))
    assert set(re.findall(r"'([^']*)'", text)) <= OWN_WORDS
