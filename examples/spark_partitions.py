"""A loss by group over a Spark table: an accumulator a partition, merged in a tree.

    spark-submit examples/spark_partitions.py table.parquet

The table has columns ``prediction``, ``target`` and ``region``. The result has the same bits however the table is cut
into partitions. Needs PySpark, and losslib on the workers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from pyspark.sql import DataFrame, Row, SparkSession

import losslib


def accumulate(rows: Iterable[Row]) -> Iterator[losslib.Accumulator]:
    """Yield the accumulated loss of one partition."""
    total = losslib.Accumulator("mse")
    columns = list(zip(*rows, strict=True))
    if columns:  # a partition may be empty
        prediction, target, region = columns
        with losslib.threads(1):  # one, as Spark counts this task
            total.update(prediction, target, by=region)
    yield total


def by_region(table: DataFrame) -> losslib.Accumulator:
    """Accumulate the loss of each region of a table."""
    columns = table.select("prediction", "target", "region")
    return columns.rdd.mapPartitions(accumulate).treeReduce(losslib.Accumulator.merge)


if __name__ == "__main__":
    session = SparkSession.builder.appName("losses by region").getOrCreate()
    print(by_region(session.read.parquet(sys.argv[1])).result())
    session.stop()
