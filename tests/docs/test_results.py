"""What README and docs say of results is what the report of the kept records says."""

import functools
import re

import pytest

from mmseg_jml.experiments.plan.plan import read_plan
from mmseg_jml.experiments.report.findings import gather
from mmseg_jml.experiments.report.markdown import report_text
from tests.processes import ROOT

PLANS, RECORDS = (ROOT / 'benchmarks' / name for name in ('plans', 'results'))
NUMBER = re.compile(r'[-+]?\d+\.\d+')


def table_rows(text):
    """The rows of the tables of a page but their heads, without signs of print."""
    lines = text.replace('\N{MINUS SIGN}', '-').splitlines()
    after_head = [line.startswith('| ') and '---' not in line for line in lines]
    return [line for line, row in zip(lines, after_head, strict=True) if row]


@functools.cache
def report(plan):
    """The rows of the report by the title of their cell."""
    rows = {}
    findings = gather(read_plan(PLANS / f'{plan}.yml'), RECORDS / plan)
    for row in table_rows(report_text(findings, [])):
        rows.setdefault(row.split(' | ')[0], []).append(row)
    return rows


def section(page, title):
    """A section of a page, without those below it."""
    text = (ROOT / page).read_text(encoding='utf-8')
    return re.split(r'^#+ ', text.split(f'# {title}\n')[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ('page', 'title', 'plan'),
    [
        ('README.md', 'Results', 'camvid_small'),
        ('docs/results.md', 'Results on CamVid', 'camvid_small'),
        ('docs/semi.md', 'What it gives', 'camvid_semi'),
    ],
)
def test_figures_in_tables_are_the_reports(page, title, plan):
    named = [
        row
        for row in table_rows(section(page, title))
        if row.split(' | ')[0] in report(plan) and NUMBER.search(row)
    ]
    assert len(named) >= 5
    for row in named:
        found = ' '.join(report(plan)[row.split(' | ')[0]])
        assert set(NUMBER.findall(row)) <= set(NUMBER.findall(found)), row
