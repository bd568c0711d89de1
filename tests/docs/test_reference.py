"""The API reference has every public name, and docstrings become Markdown."""

import importlib
import runpy

import pytest

from tests.processes import ROOT

REFERENCE = runpy.run_path(str(ROOT / 'docs' / 'reference.py'))
to_markdown = REFERENCE['to_markdown']


@pytest.mark.parametrize('package', REFERENCE['PACKAGES'])
def test_a_page_of_the_reference_has_every_public_name(package):
    module = importlib.import_module(f'mmseg_jml.{package}')
    found = REFERENCE['public_names'](package)
    assert sorted(name for names in found.values() for name in names) == sorted(
        module.__all__
    )
    page = REFERENCE['api_page'](package)
    assert [name for name in module.__all__ if f'- {name}\n' not in page] == []


def test_an_example_is_fenced():
    assert to_markdown('Add.\n\n>>> 1 + 1\n2') == 'Add.\n\n```pycon\n>>> 1 + 1\n2\n```'


def test_arguments_that_are_described_together_get_a_line_each():
    found = to_markdown('Args:\n    a_b,\n        c: as in `X`.\n    **d: more.')
    assert found == 'Args:\n    a_b: as in `X`.\n    c: as in `X`.\n    **d: more.'


def test_formulas_are_no_markup():
    found = to_markdown('(N,C,*) >= 0 is `a*b` of (N,*).\n\n    <x,y> * 2')
    assert found == '(N,C,&#42;) &gt;= 0 is `a*b` of (N,&#42;).\n\n    <x,y> * 2'
