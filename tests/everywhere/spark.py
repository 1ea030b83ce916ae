"""A Spark frame, whose library needs Java: it comes back with answers, and no plan of it asks."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.support.counting import CountingServer

from .venvs import ROOT, run, venv, versions

_CODE = """
import json
from pyspark.sql import SparkSession
import deepseek_jupyter as ds
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
rows = [("a", 1), ("b", 2), (None, 3), ("a", 4)]
frame = spark.createDataFrame(rows, ["text", "n"])
def told(answered):
    return sorted(([row.text, row.n, row.answer] for row in answered.collect()), key=str)
answered = ds.map(frame, "Repeat: {{ text }}", rows="all", budget="none", show=False)
assert type(answered) is type(frame)
ask = ds.row_function("Repeat it: {{ text }}", budget="none", concurrency=2)
by_function = frame.mapInPandas(ask, "text string, n long, answer string")
print(json.dumps([told(answered), told(answered), told(by_function)]))
"""


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")
def test_a_spark_frame_and_a_row_function(tmp_path):
    python = venv("spark", "pyspark>=4", "pandas<3", "pyarrow")
    with CountingServer() as server:
        environment = {
            "DEEPSEEK_BASE_URL": server.url,
            "DEEPSEEK_API_KEY": "none",
            "DEEPSEEK_JUPYTER_HOME": str(tmp_path),
            "PYSPARK_PYTHON": str(python),
        }
        lines = run(python, "-W", "ignore", "-c", _CODE, env=environment, cwd=ROOT).splitlines()
        expected = sorted([["a", 1, "a"], ["b", 2, "b"], [None, 3, None], ["a", 4, "a"]], key=str)
        assert json.loads(lines[-1].rpartition("\r")[2].strip()) == [expected] * 3
        assert server.accepted == 4  # two by the kernel, once; two by the worker
    print("\n" + versions(python, "pyspark", "pandas"))
