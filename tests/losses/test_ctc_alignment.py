"""Greedy decoding and forced alignment against every path of short sequences."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

import losslib
from alignments import best_paths, collapse, log_softmax
from losslib import DomainError, DTypeError, ParameterError, ShapeError

RNG = np.random.default_rng(30)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("frames", [1, 2, 4, 6])
def test_the_aligned_path_is_the_best_of_all(frames: int, classes: int) -> None:
    log_probs = log_softmax(2 * np.random.default_rng([frames, classes]).standard_normal((frames, classes)))
    for blank in range(classes):
        for target, best in best_paths(log_probs, blank).items():
            path, scores = losslib.ctc_forced_align(log_probs, list(target), blank=blank)
            assert collapse(tuple(path), blank) == target
            np.testing.assert_array_equal(scores, log_probs[np.arange(frames), path])
            assert scores.sum() == pytest.approx(best, rel=1e-12)


def test_a_batch_is_aligned_as_its_samples_are() -> None:
    log_probs = log_softmax(RNG.standard_normal((12, 3, 5))).astype(np.float32)
    targets, frames, lengths = RNG.integers(1, 5, (3, 3)), [12, 9, 7], [3, 2, 0]
    paths, scores = losslib.ctc_forced_align(log_probs, targets, frames, lengths)
    assert paths.shape == scores.shape == (3, 12)
    assert scores.dtype == np.float32
    for n in range(3):
        path, score = losslib.ctc_forced_align(log_probs[: frames[n], n], targets[n, : lengths[n]])
        np.testing.assert_array_equal(paths[n, : frames[n]], path)
        np.testing.assert_array_equal(scores[n, : frames[n]], score)
        assert (paths[n, frames[n] :] == -1).all()
        assert (scores[n, frames[n] :] == 0).all()
    row = np.concatenate([targets[n, : lengths[n]] for n in range(3)])
    np.testing.assert_array_equal(losslib.ctc_forced_align(log_probs, row, frames, lengths)[0], paths)


def test_a_path_that_stays_is_preferred_and_ends_in_the_label() -> None:
    path, _ = losslib.ctc_forced_align(np.log(np.full((6, 3), 1 / 3)), [1, 2])
    assert collapse(tuple(path), 0) == (1, 2)
    assert path[-1] == 2


@pytest.mark.parametrize("spoil", [lambda x: x[:2], lambda x: np.where(np.arange(3) == 1, -np.inf, x)])
def test_a_target_that_no_path_gives_is_an_error(spoil: Any) -> None:
    log_probs = spoil(log_softmax(RNG.standard_normal((6, 3))))
    with pytest.raises(DomainError, match="no path gives the target of sample 0: it has 2 labels"):
        losslib.ctc_forced_align(log_probs, [1, 1])


def test_greedy_decoding_takes_the_best_class_of_each_frame() -> None:
    scores = RNG.standard_normal((30, 4, 5))
    for blank in (0, 2, 4):
        labels, path_scores = losslib.ctc_greedy_decode(scores, [30, 11, 1, 0], blank=blank)
        for n, frames in enumerate([30, 11, 1, 0]):
            best = scores[:frames, n].argmax(axis=-1)
            assert tuple(labels[n]) == collapse(tuple(best), blank)
            assert path_scores[n] == pytest.approx(scores[:frames, n].max(axis=-1).sum() if frames else 0.0)
    single, score = losslib.ctc_greedy_decode(scores[:, 1].astype(np.float16)[::-1])
    assert tuple(single) == collapse(tuple(scores[::-1, 1].astype(np.float16).argmax(axis=-1)), 0)
    assert isinstance(score, float)


def test_decoding_a_batch_of_nothing_gives_nothing() -> None:
    labels, scores = losslib.ctc_greedy_decode(np.zeros((4, 0, 3)))
    assert labels == []
    assert scores.shape == (0,)
    paths, scores = losslib.ctc_forced_align(np.zeros((4, 0, 3)), np.zeros((0, 2), int), [], [])
    assert paths.shape == scores.shape == (0, 4)


def test_bad_arguments_are_named() -> None:
    scores = np.zeros((4, 2, 3))
    with pytest.raises(DomainError, match=r"input_lengths\[1\] is 5, expected 0 to 4"):
        losslib.ctc_greedy_decode(scores, [4, 5])
    with pytest.raises(ShapeError, match=r"input_lengths has shape \(3,\), expected \(2,\)"):
        losslib.ctc_greedy_decode(scores, [4, 4, 4])
    with pytest.raises(ParameterError, match="blank=3 is no class"):
        losslib.ctc_greedy_decode(scores, blank=3)
    with pytest.raises(ParameterError, match="expected -3 to 2"):
        losslib.ctc_forced_align(scores, [[1], [1]], blank=-4)
    with pytest.raises(DTypeError, match="targets has dtype float64"):
        losslib.ctc_forced_align(scores, [[1.0], [1.0]])
    with pytest.raises(DomainError, match=r"targets\[1, 0\] is 3, outside the classes"):
        losslib.ctc_forced_align(scores, [[1], [3]])
    with pytest.raises(ShapeError, match=r"log_probs has shape \(4,\)"):
        losslib.ctc_forced_align(np.zeros(4), [1])


@pytest.mark.parametrize("function", [losslib.ctc_greedy_decode, losslib.ctc_forced_align])
def test_the_examples_run(function: Any) -> None:
    names = {"np": np, "losslib": losslib}
    tests = doctest.DocTestFinder(recurse=False).find(function, globs=names)
    assert sum(len(test.examples) for test in tests) >= 3
    for test in tests:
        assert doctest.DocTestRunner().run(test).failed == 0
