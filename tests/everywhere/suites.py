"""What a suite writes for other tools, read by these tools in environments of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deepseek_jupyter.jobs.attempt import Attempt
from deepseek_jupyter.jobs.scorers import scorer_of
from deepseek_jupyter.jobs.suite import Suite
from deepseek_jupyter.jobs.variant import Variant

from .venvs import FOLDER, run, venv

READ = """
import json, sys
from inspect_ai.log import read_eval_log
logs = [read_eval_log(path) for path in sys.argv[1:]]
print(json.dumps([[
    log.status, log.eval.model, log.results.scores[0].metrics["mean"].value,
    [[s.input, s.target, s.output.completion, s.epoch, s.error and s.error.message,
      {n: v.value for n, v in (s.scores or {}).items()}] for s in log.samples],
] for log in logs]))
"""
CHECK = """
const fs = require('fs');
import('promptfoo').then(m => {
  const found = m.UnifiedConfigSchema.safeParse(JSON.parse(fs.readFileSync(process.argv[2])));
  if (!found.success) { console.error(JSON.stringify(found.error.issues)); process.exit(1); }
});
"""
BODY = {
    "model": "deepseek-flash",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "{{ q }}"},
    ],
    "thinking": {"type": "disabled"},
    "url": "https://api.deepseek.com",
    "key": "DEEPSEEK_API_KEY",
}


def suite(score: str = "exact", **settings) -> Suite:
    scorer = replace(scorer_of("exact"), name=score, settings=settings)
    model = "deepseek:deepseek-flash"
    attempts = [
        Attempt(0, "a", 0, "2", "One and one.", 1.0, model=model, finish="stop", tokens_out=4),
        Attempt(1, "a", 1, error="The server failed.", model=model),
        Attempt(0, "b", 0, "3", score=0.0, finish="length", seconds=1.5),
        Attempt(1, "b", 0, "four", score=0.4),
    ]
    cases = [{"id": 1, "expected": "2"}, {"id": "two", "expected": ["4", "four"]}]
    variants = (Variant("a", "deepseek-flash"), Variant("b", "x"))
    return Suite(
        cases, ["1 + 1", "2 + 2"], "{{ q }}", variants, scorer, 2, attempts, bodies=[BODY, BODY]
    )


def test_inspect_reads_its_logs(tmp_path):
    python = venv("inspect", "inspect-ai")
    logs = suite().to_inspect(tmp_path)
    a, b = json.loads(run(python, "-c", READ, *logs).splitlines()[-1])
    assert a[:3] == ["success", "deepseek/deepseek-flash", 1.0]
    assert a[3] == [
        ["1 + 1", ["2"], "2", 1, None, {"exact": "C"}],
        ["2 + 2", ["4", "four"], "", 2, "The server failed.", {}],
    ]
    assert [sample[-1] for sample in b[3]] == [{"exact": "I"}, {"exact": 0.4}]


@pytest.mark.parametrize(
    ("score", "settings"),
    [
        ("exact", {}),
        ("regex", {"pattern": "^4$"}),
        ("json", {}),
        ("judge", {"rubric": "Kinder."}),
        ("python", {}),
    ],
)
def test_promptfoo_takes_its_configuration(tmp_path, score, settings):
    folder = FOLDER / "promptfoo"
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder)
        run("npm", "install", *options, "promptfoo")
    script = Path(folder / "check.cjs")
    script.write_text(CHECK)
    suite(score, **settings).to_promptfoo(tmp_path / "config.json")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["providers"][0]["config"]["passthrough"] == {"thinking": {"type": "disabled"}}
    assert "Be brief." in config["prompts"][0]["raw"]
    run("node", script, tmp_path / "config.json")
