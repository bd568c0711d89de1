"""The floors of the house."""

from importlinter.cli import lint_imports

from tests.processes import ROOT


def test_imports_run_downward(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename='pyproject.toml', no_cache=True)
    assert status == 0, capsys.readouterr().out
