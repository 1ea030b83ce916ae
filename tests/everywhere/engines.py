"""`ds.row_function` in Ray Data and in Spark, each in an environment of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.asking import KEY
from tests.support.counting import CountingServer

from .venvs import run, venv, versions

ASK = """
import pandas as pd
import deepseek_jupyter as ds
rows = pd.DataFrame({"text": [f"review w{at}" for at in range(200)]})
ask = ds.row_function("Repeat. {{ text }}", into="word", budget="none", concurrency=8)
def check(found):
    assert sorted(found["word"]) == sorted(f"w{at}" for at in range(200)), found
"""
RAY = """
import ray
ray.init(num_cpus=2, include_dashboard=False, logging_level="error")
check(ray.data.from_pandas(rows).map_batches(ask, batch_format="pandas", batch_size=50).to_pandas())
"""
SPARK = """
import sys
from pyspark.sql import SparkSession
made = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = made.config("spark.driver.host", "127.0.0.1").getOrCreate()
asked = spark.createDataFrame(rows).repartition(2).mapInPandas(ask, "text string, word string")
asked.write.parquet(sys.argv[1])
check(spark.read.parquet(sys.argv[1]).toPandas())
assert asked.count() == 200  # runs the plan again
spark.stop()
"""


def tried(folder: Path, python: Path, code: str, *packages: str) -> None:
    """Run a recipe: 200 rows are 200 requests, however often the engine runs its plan."""
    print(versions(python, *packages))
    with CountingServer(latency=0.05) as server:
        settings = {"DEEPSEEK_BASE_URL": server.url, "DEEPSEEK_API_KEY": KEY}
        settings |= {"DEEPSEEK_JUPYTER_HOME": str(folder / "home")}
        settings |= {"RAY_raylet_start_wait_time_s": "300", "PYSPARK_PYTHON": str(python)}
        run(python, "-c", ASK + code, folder / "rows", cwd=folder, env=settings)
        assert server.stats["distinct"] == server.accepted == 200


def test_ray_data(tmp_path):
    python = venv("ray", "ray[data]", "pandas", "pyarrow")
    tried(tmp_path, python, RAY, "ray", "pandas")


def test_spark(tmp_path):
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, which is not on this machine")
    python = venv("spark", "pyspark", "pandas<3", "pyarrow", "setuptools")
    tried(tmp_path, python, SPARK, "pyspark", "pandas")
