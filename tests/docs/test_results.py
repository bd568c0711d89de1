"""What README and docs say of results is what the report of the kept records says."""

import re

import pytest

from mmseg_jml.benchmark.findings import gather
from mmseg_jml.benchmark.markdown import report_text
from mmseg_jml.benchmark.plan import read_plan
from tests.processes import ROOT

PLAN = ROOT / 'benchmarks' / 'plans' / 'camvid_small.yml'
RECORDS = ROOT / 'benchmarks' / 'results' / 'camvid_small'
NUMBER = re.compile(r'[-+]?\d+\.\d+')


def table_rows(text):
    """The rows of the tables of a page but their heads, without signs of print."""
    lines = text.replace('\N{MINUS SIGN}', '-').splitlines()
    after_head = [line.startswith('| ') and '---' not in line for line in lines]
    return [line for line, row in zip(lines, after_head, strict=True) if row]


@pytest.fixture(scope='module')
def report():
    """The rows of the report by the title of their cell."""
    rows = {}
    for row in table_rows(report_text(gather(read_plan(PLAN), RECORDS), [])):
        rows.setdefault(row.split(' | ')[0], []).append(row)
    return rows


def section(page, title):
    """A section of a page, without those below it."""
    text = (ROOT / page).read_text(encoding='utf-8')
    return re.split(r'^#+ ', text.split(f'# {title}\n')[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ('page', 'title'),
    [('README.md', 'What it does'), ('docs/results.md', 'Results on CamVid')],
)
def test_figures_in_tables_are_the_reports(report, page, title):
    named = [
        row
        for row in table_rows(section(page, title))
        if row.split(' | ')[0] in report and NUMBER.search(row)
    ]
    assert len(named) >= 5
    for row in named:
        found = ' '.join(report[row.split(' | ')[0]])
        assert set(NUMBER.findall(row)) <= set(NUMBER.findall(found)), row
