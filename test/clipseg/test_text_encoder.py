import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ovseg_ros.clipseg import ClipModel, ModelConfig, ModelError, load_model
from ovseg_ros.clipseg.text_encoder import TEMPLATES, TextEncoder


@pytest.fixture(scope="module")
def model(tiny_model_dir: Path) -> ClipModel:
    return load_model(ModelConfig(str(tiny_model_dir), device="cpu"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def count_passes(model: ClipModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of prompts of each pass of the text tower from now on."""
    passes = []
    original = model.clip.encode_text

    def counted(tokens: torch.Tensor) -> torch.Tensor:
        passes.append(len(tokens))
        return original(tokens)

    monkeypatch.setattr(model.clip, "encode_text", counted)
    return passes


def test_sets_of_templates() -> None:
    assert [len(TEMPLATES[name]) for name in ("full", "short", "plain")] == [80, 7, 1]


@pytest.mark.parametrize("templates", ["short", "full"])
def test_embedding_is_the_normalised_mean_of_normalised_prompts(model: ClipModel, templates: str) -> None:
    mine = TextEncoder(model, templates).encode(["traffic cone"])[0]
    total = torch.zeros(32, dtype=torch.float64)
    for template in TEMPLATES[templates]:
        embedding = model.clip.encode_text(model.tokenize([template("traffic cone")]))[0].double()
        total += embedding / embedding.norm()
    np.testing.assert_allclose(mine, (total / total.norm()).numpy(), atol=1e-6)


def test_rows_follow_the_phrases_even_when_repeated(model: ClipModel) -> None:
    encoder = TextEncoder(model, "plain")
    rows = encoder.encode(["car", "dog", "car"])
    assert np.array_equal(rows[0], rows[2])
    assert not np.allclose(rows[0], rows[1])
    assert rows.dtype == np.float32


def test_a_phrase_passes_the_tower_once_for_all_processes(
    model: ClipModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = count_passes(model, monkeypatch)
    encoder = TextEncoder(model, "short")
    assert not encoder.cached(["car"])
    first = encoder.encode(["car"])
    assert encoder.cached(["car"])
    assert sum(passes) == 7
    again = TextEncoder(model, "short")  # as another process would
    assert again.cached(["car"])
    assert np.array_equal(again.encode(["car"]), first)
    assert sum(passes) == 7


def test_templates_and_models_do_not_share_embeddings(
    model: ClipModel, make_model: Callable[..., Path]
) -> None:
    TextEncoder(model, "short").encode(["car"])
    assert not TextEncoder(model, "plain").cached(["car"])
    other = load_model(ModelConfig(str(make_model(seed=1)), device="cpu"))
    assert not TextEncoder(other, "short").cached(["car"])


@pytest.mark.parametrize("spoilt", [b"", b"not numpy", b"\x93NUMPY\x01\x00"])
def test_a_spoilt_cache_is_computed_again(model: ClipModel, cache: Path, spoilt: bytes) -> None:
    first = TextEncoder(model, "plain").encode(["car"])
    for file in cache.rglob("*.npy"):
        file.write_bytes(spoilt)
    assert np.array_equal(TextEncoder(model, "plain").encode(["car"]), first)


def test_a_cache_with_wrong_numbers_is_computed_again(model: ClipModel, cache: Path) -> None:
    first = TextEncoder(model, "plain").encode(["car"])
    (file,) = cache.rglob("*.npy")
    np.save(file, np.full(32, np.nan, np.float32))
    assert np.array_equal(TextEncoder(model, "plain").encode(["car"]), first)
    np.save(file, np.zeros(5, np.float32))
    assert np.array_equal(TextEncoder(model, "plain").encode(["car"]), first)


def test_no_writable_cache_is_no_obstacle(
    model: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("a file where the folder should be")
    monkeypatch.setenv("OVSEG_CACHE", str(blocker))
    assert TextEncoder(model, "plain").encode(["car"]).shape == (1, 32)


def test_odd_phrases_have_safe_file_names(model: ClipModel, cache: Path) -> None:
    encoder = TextEncoder(model, "plain")
    encoder.encode(["../../etc/passwd", "Straße/日本", "a" * 200])
    assert len(list(cache.rglob("*.npy"))) == 3
    assert {file.parent for file in cache.rglob("*.npy")} == {next(cache.rglob("*.npy")).parent}


def test_threads_may_encode_at_once(model: ClipModel) -> None:
    encoder = TextEncoder(model, "plain")
    results: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: results.append(encoder.encode(["car", "dog"]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(np.array_equal(result, results[0]) for result in results)


def test_unknown_templates_are_refused(model: ClipModel) -> None:
    with pytest.raises(ModelError, match="full"):
        TextEncoder(model, "many")


def test_short_context_takes_the_plain_template(model: ClipModel, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = count_passes(model, monkeypatch)
    TextEncoder(model, "auto").encode(["car"])
    assert passes == [1]
