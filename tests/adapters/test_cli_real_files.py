"""``losslib compute`` over files as people have them: separators, decimal commas, compression, parts, odd columns."""

from __future__ import annotations

import decimal
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

import losslib
from losslib.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: Any, *words: str) -> str:
    """Return what the command prints."""
    done = main(["compute", *words])
    captured = capsys.readouterr()
    assert (done, captured.err) == (0, "")
    return captured.out


def value(capsys: Any, *words: str) -> float:
    return float(run(capsys, *words).split()[-1])


def groups(capsys: Any, *words: str) -> dict[Any, float]:
    found = json.loads(run(capsys, *words, "--json"))[0]["groups"]
    return {tuple(row["key"]) if isinstance(row["key"], list) else row["key"]: row["value"] for row in found}


def refusal(capsys: Any, *words: str) -> str:
    """Return the one line of an error."""
    assert main(["compute", *words]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith("losslib: ")
    return str(captured.err)


MSE = ("mse", "--target", ":y", "--input")
ROWS = [(1.5, 2.0), (4.0, 2.0)]  # the mean squared error of these is 2.125


def text(delimiter: str = ",", point: str = ".") -> str:
    lines = [f"pred{delimiter}y", *(f"{p}{delimiter}{y}".replace(".", point) for p, y in ROWS)]
    return "\n".join(lines) + "\n"


# ---- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", text(";"), ["--delimiter", ";"]),
        ("a.csv", text(";", ","), ["--delimiter", ";", "--decimal", ","]),
        ("a.csv", text("|"), ["--delimiter", "|"]),
        ("a.csv", text("\t"), ["--delimiter", "tab"]),
        ("a.tsv", text("\t"), []),
        ("a.txt", text(), []),
        ("a.TXT", text("\t"), ["--delimiter", "\\t"]),
    ],
)
def test_delimiters_and_decimal_marks(name: str, content: str, options: list[str], capsys: Any) -> None:
    Path(name).write_text(content)
    assert value(capsys, *MSE, f"{name}:pred", *options) == 2.125
    with gzip.open(f"{name}.gz", "wt") as file:
        file.write(content)
    assert value(capsys, *MSE, f"{name}.gz:pred", *options) == 2.125


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (text(";"), [], "give --delimiter ';'"),
        (text(";", ","), [], "give --delimiter ';'"),
        (text("\t"), [], "give --delimiter tab"),
        (text(), ["--delimiter", ";"], "give --delimiter ,"),
        (text(";", ","), ["--delimiter", ";"], "column 'pred', row 1 below the header, holds '1,5'; if the comma"),
        ("pred,y\n1,2\nx,2\n", [], "column 'pred', row 2 below the header, holds 'x'; expected double"),
        ("pred,y\n1,2\n3\n", [], "Expected 2 columns, got 1"),
        ("pred,pred,y\n1,2,3\n", [], "2 columns called 'pred'; rename"),
        ("", [], "a.csv: Empty CSV file"),
    ],
)
def test_text_that_cannot_be_read_says_what_to_do(content: str, options: list[str], words: str, capsys: Any) -> None:
    Path("a.csv").write_text(content)
    assert words in refusal(capsys, *MSE, "a.csv:pred", *options)


def test_types_that_show_late(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslib.cli.csv_files.BLOCK", 1000, raising=False)
    lines = ["0,0,0,1,0", *["0,0,0,1,0"] * 999_999, "1,12.5,1.5,B2,x"]  # 9 MB: more than a block of any size
    Path("a.csv").write_text("\n".join(["pred,y,c,g,e", *lines]) + "\n")
    assert value(capsys, *MSE, "a.csv:pred") == pytest.approx(11.5**2 / 1_000_001, rel=1e-12)
    message = refusal(capsys, *MSE, "a.csv:pred", "--by", ":g")
    assert "a.csv: column 'g', row 1000001 below the header, holds 'B2'" in message
    assert "--types g=string" in message
    assert groups(capsys, *MSE, "a.csv:pred", "--by", ":g", "--types", "g=string") == {"1": 0.0, "B2": 132.25}
    message = refusal(capsys, "cross_entropy", "--input", "a.csv:pred,y", "--target", ":c")
    assert "column 'c', row 1000001 below the header, holds '1.5'" in message
    assert "expected int64" in refusal(capsys, *MSE, "a.csv:pred", "--types", "y=int,g=string")


def test_groups_that_are_empty_at_first(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslib.cli.csv_files.BLOCK", 1000, raising=False)
    Path("a.csv").write_text("pred,y,g\n" + "1,0,\n" * 1_000_000 + "3,0,late\n")
    message = refusal(capsys, *MSE, "a.csv:pred", "--by", ":g")
    assert "column 'g', row 1000001 below the header, holds 'late'" in message
    found = groups(capsys, *MSE, "a.csv:pred", "--by", ":g", "--types", "g=string")
    assert found == {None: 1.0, "late": 9.0}


def test_labels_and_headers_in_latin_1(capsys: Any) -> None:
    Path("a.csv").write_bytes("pred,y,g\n1,0,Köln\n2,0,Bonn\n".encode("latin-1"))
    assert groups(capsys, *MSE, "a.csv:pred", "--by", ":g") == {"Köln": 1.0, "Bonn": 4.0}
    Path("b.csv").write_bytes("größe,y\n1,0\n2,0\n".encode("latin-1"))
    assert "--encoding" in refusal(capsys, *MSE, "b.csv:größe")
    assert value(capsys, *MSE, "b.csv:größe", "--encoding", "latin-1") == 2.5


@pytest.mark.parametrize(
    "options", [["--delimiter", ";;"], ["--decimal", "x"], ["--types", "y"], ["--types", "y=date"]]
)
def test_a_wrong_form_of_text_is_a_wrong_command_line(options: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compute", *MSE, "a.csv:pred", *options])
    assert stop.value.code == 2
    assert options[0] in capsys.readouterr().err


# ---- streams -----------------------------------------------------------------------------------------------------


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def contents(kind: str) -> bytes:
    table = pa.table({"pred": [p for p, _ in ROWS], "y": [y for _, y in ROWS]})
    file = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, file)
    elif kind == "arrow":
        feather.write_feather(table, file, compression="uncompressed")
    elif kind == "npz":
        np.savez(file, pred=table["pred"].to_numpy(), y=table["y"].to_numpy())
    else:
        return gzip.compress(text().encode()) if kind == "gz" else text().encode()
    return file.getvalue()


@pytest.mark.parametrize("kind", ["csv", "gz", "parquet", "arrow", "npz"])
def test_standard_input_is_a_file_of_any_kind(kind: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in (":y", "-:y"):
        monkeypatch.setattr("sys.stdin", Stdin(contents(kind)))
        found = value(capsys, "mse", "--input", "-:pred", "--target", second, "--grad", "g.npy")
        assert found == 2.125
        np.testing.assert_allclose(np.load("g.npy"), [-0.5, 2.0])
    array = io.BytesIO()
    np.save(array, np.ones(2))
    np.save("y.npy", np.zeros(2))
    monkeypatch.setattr("sys.stdin", Stdin(array.getvalue()))
    assert value(capsys, "mse", "--input", "-", "--target", "y.npy") == 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_pipes_of_a_shell() -> None:
    Path("a.csv").write_text(text())
    program = f"'{sys.executable}' -m losslib compute mse --target :y --input"
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin", "TMPDIR": "."}
    for command in (f"cat a.csv | {program} -:pred", f"cat a.csv | {program} /dev/stdin:pred",
                    f"mkfifo pipe; cat a.csv > pipe & {program} pipe:pred"):  # fmt: skip
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, timeout=60)
        assert (done.stdout, done.stderr) == ("mse_loss  2.125\n", "")
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "pipe"]  # no copy is left


# ---- parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [[], ["--batch-rows", "1"], ["--batch-rows", "7"]])
@pytest.mark.parametrize("kind", ["parquet", "csv", "npy"])
def test_a_directory_or_pattern_of_parts_is_one_data_set(kind: str, batch: list[str], capsys: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(30)
    Path("parts/deeper").mkdir(parents=True)
    for number, part in ((1, x[:4]), (2, x[4:5]), (10, x[5:])):
        file = f"parts/part-{number}.{kind}"
        if kind == "parquet":
            parquet.write_table(pa.table({"p": part}), file, row_group_size=2)
        elif kind == "csv":
            Path(file).write_text("p\n" + "".join(f"{number!r}\n" for number in part.tolist()))
        else:
            np.save(file, part)
    Path("parts/_SUCCESS").write_text("")
    Path(f"parts/.part-1.{kind}.crc").write_text("")
    np.save("y.npy", np.zeros(30))
    column = "" if kind == "npy" else ":p"
    for path in ("parts", f"parts/*.{kind}"):
        found = value(capsys, "mse", "--input", path + column, "--target", "y.npy", "--grad", "g.npy", *batch)
        assert found == pytest.approx(np.mean(x**2), rel=1e-13)
        np.testing.assert_allclose(np.load("g.npy"), 2 * x / 30, rtol=1e-13)
    found = value(capsys, "cosine_similarity_loss", "--input", f"parts{column}", "--target", f"parts{column}")
    assert found == pytest.approx(losslib.cosine_similarity_loss(x, x), rel=1e-13)


def test_parts_that_do_not_fit_are_refused(capsys: Any) -> None:
    Path("empty").mkdir()
    assert "a directory without files of a known kind" in refusal(capsys, *MSE, "empty:p")
    assert "no file matches 'none/*.parquet'" in refusal(capsys, *MSE, "none/*.parquet:p")
    Path("mixed").mkdir()
    np.save("mixed/a.npy", np.zeros(3))
    Path("mixed/b.csv").write_text("p\n1\n")
    assert "several kinds (.csv, .npy)" in refusal(capsys, *MSE, "mixed:p")
    Path("mixed/b.csv").unlink()
    np.save("mixed/b.npy", np.zeros((3, 2)))
    assert "other axes" in refusal(capsys, "mse", "--input", "mixed", "--target", "mixed")


# ---- columns -----------------------------------------------------------------------------------------------------


def save(columns: dict[str, Any]) -> None:
    table = pa.table(columns)
    parquet.write_table(table, "d.parquet")
    feather.write_feather(table, "d.arrow", compression="uncompressed")


@pytest.mark.parametrize("file", ["d.parquet", "d.arrow"])
def test_decimals_and_lists_of_floats_are_numbers(file: str, capsys: Any) -> None:
    vectors = [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]
    save({
        "d": [decimal.Decimal("1.5"), decimal.Decimal("2.5"), decimal.Decimal("0.5")],
        "v": vectors,
        "w": pa.array(vectors[::-1], pa.large_list(pa.float32())),
        "f": pa.array(vectors, pa.list_(pa.float64(), 2)),
        "bad": [[1.0, 2.0], [1.0], [1.0, 2.0]],
        "y": [0.0, 0.0, 0.0],
    })  # fmt: skip
    assert value(capsys, *MSE, f"{file}:d") == losslib.mse_loss([1.5, 2.5, 0.5], np.zeros(3))
    for batch in ([], ["--batch-rows", "1"], ["--batch-rows", "2"]):
        found = value(capsys, "cosine_similarity_loss", "--input", f"{file}:v", "--target", ":w", *batch)
        assert found == pytest.approx(losslib.cosine_similarity_loss(vectors, vectors[::-1]), rel=1e-6)
        assert value(capsys, "mse", "--input", f"{file}:v", "--target", ":f", *batch) == 0.0
        message = refusal(capsys, "mse", "--input", f"{file}:v", "--target", ":bad", *batch)
        assert "lists of 2 and of 1 numbers" in message


def test_class_columns_stand_in_the_order_of_their_numbers(capsys: Any) -> None:
    scores = np.random.default_rng(0).standard_normal((20, 12))
    classes = np.arange(20) % 12
    save({**{f"p_{k}": scores[:, k] for k in sorted(range(12), key=str)}, "c": classes})
    expected = losslib.cross_entropy(scores, classes)
    assert value(capsys, "cross_entropy", "--input", "d.parquet:p_*", "--target", ":c") == pytest.approx(expected)


def test_words_stay_in_the_order_of_the_file(capsys: Any) -> None:
    save({"p_dog": [3.0], "p_cat": [1.0], "c": [0]})
    expected = losslib.cross_entropy([[3.0, 1.0]], [0])
    assert value(capsys, "cross_entropy", "--input", "d.parquet:p_*", "--target", ":c") == pytest.approx(expected)


def test_columns_called_like_patterns_are_found_by_their_names(capsys: Any) -> None:
    save({"p[0]": [1.0, 2.0], "p[1]": [3.0, 4.0], "p0": [9.0, 9.0], "c": [0, 1], "y": [0.0, 0.0]})
    assert value(capsys, *MSE, "d.parquet:p[0]") == 2.5
    expected = losslib.cross_entropy([[1.0, 3.0], [2.0, 4.0]], [0, 1])
    assert value(capsys, "cross_entropy", "--input", "d.parquet:p[0],p[1]", "--target", ":c") == pytest.approx(expected)


@pytest.mark.parametrize("column", ["bools", "ints", "floats", "yes", "words", "bytes"])
def test_masks_of_zeros_and_ones_and_of_words(column: str, capsys: Any) -> None:
    masks = {"bools": [True, False, True], "ints": [1, 0, 1], "floats": [1.0, 0.0, 1.0], "yes": ["yes", "No", "YES"],
             "words": ["t", "FALSE", "true"], "bytes": pa.array([1, 0, 1], pa.uint8())}  # fmt: skip
    save({"p": [1.0, 5.0, 3.0], "y": [0.0, 0.0, 0.0], **masks})
    assert value(capsys, *MSE, "d.parquet:p", "--where", f":{column}") == 5.0
    Path("d.csv").write_text("p,y,k\n1,0,1\n5,0,0\n3,0,1\n".replace(",1\n", f",{'yes' if column == 'yes' else 1}\n")
                             .replace("5,0,0", f"5,0,{'no' if column == 'yes' else 0}"))  # fmt: skip
    assert value(capsys, *MSE, "d.csv:p", "--where", ":k") == 5.0


def test_a_mask_of_other_words_says_what_masks_hold(capsys: Any) -> None:
    save({"p": [1.0, 5.0], "y": [0.0, 0.0], "two": [0, 2], "word": ["yes", "maybe"]})
    for column, word in (("two", "2"), ("word", "'maybe'")):
        message = refusal(capsys, *MSE, "d.parquet:p", "--where", f":{column}")
        assert f"--where d.parquet:{column} holds {word}; expected true and false, 1 and 0, or yes and no" in message
        assert "astype" not in message


# ---- groups ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selector", [":a,b", ":?"])
@pytest.mark.parametrize("batch", [[], ["--batch-rows", "1"]])
def test_groups_of_several_columns(selector: str, batch: list[str], capsys: Any) -> None:
    save({"pred": [1.0, 2.0, 3.0, 4.0], "yy": [0.0] * 4, "a": ["x", "y", "x", "x"], "b": [1, 1, None, 1]})
    words = ["mse", "--input", "d.parquet:pred", "--target", ":yy", "--by", selector, *batch]
    assert groups(capsys, *words) == {("x", 1): 8.5, ("x", None): 9.0, ("y", 1): 4.0}
    assert "x, None  9.0" in run(capsys, *words)


def test_integer_keys_with_a_null_stay_integers(capsys: Any) -> None:
    save({"p": [1.0, 2.0, 4.0], "y": [0.0] * 3, "k": [2**60 + 1, None, 2**60]})
    found = groups(capsys, *MSE, "d.parquet:p", "--by", ":k", "--batch-rows", "2")
    assert found == {2**60: 16.0, 2**60 + 1: 1.0, None: 4.0}


@pytest.mark.parametrize("file", ["d.parquet", "d.arrow"])
def test_lists_and_structs_are_no_groups(file: str, capsys: Any) -> None:
    save({"p": [1.0], "y": [0.0], "lists": [["a"]], "structs": [{"a": 1}]})
    for column in ("lists", "structs"):
        message = refusal(capsys, *MSE, f"{file}:p", "--by", f":{column}")
        assert f"column '{column}' of {file}" in message
        assert "expected numbers, strings or dates" in message


# ---- NumPy's files -----------------------------------------------------------------------------------------------


def test_bfloat16_is_read_and_written(capsys: Any) -> None:
    x = np.array([1.5, 2.0, -3.0], np.float32).astype(ml_dtypes.bfloat16)
    np.save("x.npy", x)
    np.save("y.npy", np.zeros(3, ml_dtypes.bfloat16))
    assert value(capsys, "mse", "--input", "x.npy", "--target", "y.npy", "--grad", "g.npy") == losslib.mse_loss(
        x, x * 0
    )
    found = np.load("g.npy").view(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(found, losslib.mse_loss.grad(x, x * 0))


def test_structured_arrays_are_read_by_field(capsys: Any) -> None:
    fields = [("p", "f4"), ("y", "f8"), ("k", "i8"), ("s_0", "f4"), ("s_1", "f4"), ("v", "f4", (2,))]
    array = np.zeros(4, fields)
    array["p"], array["k"], array["s_0"], array["v"] = [1, 2, 3, 4], [0, 1, 1, 0], 2.0, 1.0
    np.save("d.npy", array)
    for batch in ([], ["--batch-rows", "3"]):
        assert groups(capsys, *MSE, "d.npy:p", "--by", ":k", *batch) == {0: 8.5, 1: 6.5}
        expected = losslib.cross_entropy([[2.0, 0.0]] * 4, [0, 1, 1, 0])
        found = value(capsys, "cross_entropy", "--input", "d.npy:s_*", "--target", ":k", *batch)
        assert found == pytest.approx(expected)
        assert value(capsys, "mse", "--input", "d.npy:v", "--target", ":s_0,s_1", *batch) == 1.0
    assert "6 fields (p, y, k" in refusal(capsys, *MSE, "d.npy")
    assert "did you mean 'p'" in refusal(capsys, *MSE, "d.npy:pp")


# ---- damage ------------------------------------------------------------------------------------------------------


def damaged() -> dict[str, bytes]:
    """Files that are cut off, changed inside, or something else."""
    np.save("good.npy", np.arange(100.0))
    np.savez("good.npz", p=np.arange(100.0))
    np.savez_compressed("small.npz", p=np.random.default_rng(0).random(100))
    save({"p": np.arange(100.0), "y": np.arange(100.0)})
    found = {}
    for name in ("good.npy", "good.npz", "small.npz", "d.parquet", "d.arrow"):
        content = Path(name).read_bytes()
        ending = name.split(".")[1]
        for cut in (0, 4, 9, 60, len(content) // 2, len(content) - 9):
            found[f"{name.split('.')[0]}-cut-{cut}.{ending}"] = content[:cut]
        for place in (8, 12, 40, 70, 150, len(content) // 2, len(content) - 12):
            changed = bytearray(content)
            changed[place : place + 6] = b"\xff\x00\xfe\x01\xfd\x02"
            found[f"{name.split('.')[0]}-changed-{place}.{ending}"] = bytes(changed)
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"shape": (2**50,), "fortran_order": False, "descr": "<f8"})
    found["huge.npy"] = huge.getvalue()
    found["text.csv.gz"] = b"no gzip"
    found["text.csv"] = b"\x00\xff\xfe\x00\n\x00"
    return found


def test_no_damaged_file_ends_in_a_traceback(capsys: Any) -> None:
    refused = 0
    files = damaged()
    for name, content in files.items():
        Path(name).write_bytes(content)
        column = "" if name.endswith(".npy") else ":p"
        for more in ([], ["--by", f"{name}{column}"]):
            done = main(["compute", "mse", "--input", name + column, "--target", name + column, *more])
            captured = capsys.readouterr()
            assert done in (0, 1), name
            if done:
                assert captured.err.startswith("losslib: "), name
                assert captured.err.count("\n") == 1
                assert name in captured.err
                refused += 1
    assert refused > len(files)


def test_a_column_name_that_comes_twice_is_refused(capsys: Any) -> None:
    arrays = [pa.array([1.0, 2.0]), pa.array([5.0, 6.0]), pa.array([0.0, 0.0])]
    table = pa.table(arrays, names=["p", "p", "y"])
    parquet.write_table(table, "d.parquet")
    feather.write_feather(table, "d.arrow", compression="uncompressed")
    for file in ("d.parquet", "d.arrow"):
        assert "2 columns called 'p'; rename them" in refusal(capsys, *MSE, f"{file}:p")
        assert "2 columns called 'p'" in refusal(capsys, *MSE, f"{file}:y", "--by", ":p")


@pytest.mark.parametrize("file", ["d.parquet", "d.arrow", "d.csv"])
def test_a_table_without_rows_has_the_value_of_nothing(file: str, capsys: Any) -> None:
    save({"p": pa.array([], pa.float32()), "y": pa.array([], pa.float32()), "k": pa.array([], pa.string())})
    Path("d.csv").write_text("p,y,k\n")
    assert np.isnan(value(capsys, *MSE, f"{file}:p", "--grad", "g.npy"))
    assert np.load("g.npy").shape == (0,)
    assert groups(capsys, *MSE, f"{file}:p", "--by", ":k") == {}
