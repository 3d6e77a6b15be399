"""Files of vendors, uploaded to a running desk: each is read as its format says, or refused with a way out."""

import json
from pathlib import Path

import pytest

from scripts.server import running
from tests.cases.check import Api, Upload, judge

FOLDER = Path(__file__).parent / "cases"
CASES = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with running(tmp_path_factory.mktemp("home")) as address:
        yield Api(address)


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_the_file_is_read_as_its_format_says(api, case):
    upload = Upload(api, case, FOLDER)
    problems = []
    for outcome in case["acceptable"]:
        problem = judge(outcome, upload)
        if problem is None:
            return
        problems.append(problem)
    pytest.fail(f"{case['right']} Instead: {'; '.join(problems)}")
