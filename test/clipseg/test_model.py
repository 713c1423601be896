import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import open_clip
import pytest
import torch

from ovseg_ros.clipseg import (
    METHODS,
    Coherence,
    MethodConfig,
    ModelConfig,
    ModelError,
    Segmenter,
    cached_weights,
    load_model,
    model,
    runtime,
)
from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.errors import DeviceLost, OutOfMemory
from ovseg_ros.clipseg.runtime import (
    can_multiply_bfloat16,
    has_bfloat16_instructions,
    resolve_device,
    resolve_precision,
)


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return shutil.copytree(tiny_model_dir, tmp_path / "model")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache and no network."""

    def refuse(*args: object, **settings: object) -> None:
        raise ConnectionError("no network in tests")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_folder_loads_frozen_with_its_own_facts(tiny_model_dir: Path, prefix: str) -> None:
    loaded = load_model(ModelConfig(f"{prefix}{tiny_model_dir}", device="cpu", precision="float32"))
    assert loaded.name == "tiny"
    assert loaded.backbone.patch == (16, 16)
    assert loaded.context_length == 32
    assert loaded.mean == pytest.approx((0.48, 0.46, 0.41))
    assert loaded.std == pytest.approx((0.27, 0.26, 0.28))
    assert loaded.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert loaded.dtype == torch.float32
    assert not any(p.requires_grad for p in loaded.clip.parameters())
    assert not loaded.clip.training


def test_weights_are_those_of_the_file(tiny_model_dir: Path) -> None:
    from safetensors.torch import load_file

    loaded = load_model(ModelConfig(str(tiny_model_dir), device="cpu"), packed=False)
    kept = load_file(tiny_model_dir / "open_clip_model.safetensors")
    for name, value in loaded.clip.state_dict().items():
        assert torch.equal(value, kept[name].float()), name


def test_shipped_model_is_found_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "SHIPPED", folder.parent)
    assert model.shipped_models() == {"model": folder}
    assert load_model(ModelConfig("model", device="cpu")).name == "model"


def test_architecture_takes_a_file_of_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = open_clip.create_model("ViT-S-32-alt")
    file = tmp_path / "weights.safetensors"
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in whole.state_dict().items()}, file)
    loaded = load_model(ModelConfig("ViT-S-32-alt", str(file), device="cpu", allow_download=False))
    assert loaded.name == "ViT-S-32-alt/weights.safetensors"
    assert torch.equal(loaded.clip.visual.conv1.weight, whole.visual.conv1.weight)


@pytest.mark.usefixtures("no_hub")
def test_openai_weights_bring_their_activation_and_normalisation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tag `openai` was trained with QuickGELU, which the architecture's configuration does not say."""
    seen = {}

    def create(name: str, **settings: object) -> None:
        seen.update(settings)
        raise RuntimeError("far enough")

    monkeypatch.setattr(model, "download_pretrained", lambda config: str(tmp_path / "vit.safetensors"))
    monkeypatch.setattr("open_clip.create_model", create)
    with pytest.raises(ModelError, match="far enough"):
        load_model(ModelConfig("ViT-B-16", "openai", device="cpu"))
    assert seen["force_quick_gelu"] is True
    assert seen["weights_only"] is True
    assert seen["force_preprocess_cfg"]["mean"] == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("/nowhere/at/all", "openai", "does not exist"),
        ("local-dir:nowhere", "openai", "does not exist"),
        ("", "openai", "neither a folder"),
        ("ViT-X-99", "openai", "ViT-B-16"),
        ("ViT-B-16", "no-such-tag", "laion2b"),
        ("ViT-B-16", "/nowhere/weights.pt", "neither a file"),
    ],
)
def test_what_is_not_there_is_named(name: str, weights: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_model(ModelConfig(name, weights, device="cpu"))


@pytest.mark.usefixtures("no_hub")
def test_download_only_where_it_is_allowed() -> None:
    assert cached_weights("ViT-B-16", "openai") is None
    with pytest.raises(ModelError, match="downloading is not allowed"):
        load_model(ModelConfig("ViT-B-16", "openai", device="cpu", allow_download=False))
    with pytest.raises(ModelError, match="could not be downloaded"):
        load_model(ModelConfig("ViT-B-16", "openai", device="cpu", allow_download=True))


def test_folder_without_configuration(folder: Path) -> None:
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(ModelError, match=r"open_clip_config\.json"):
        load_model(ModelConfig(str(folder), device="cpu"))


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_folder_with_a_broken_configuration(folder: Path, content: str) -> None:
    (folder / "open_clip_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"open_clip_config\.json"):
        load_model(ModelConfig(str(folder), device="cpu"))


def test_folder_without_weights(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        load_model(ModelConfig(str(folder), device="cpu"))


def test_truncated_weights(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="could not be loaded"):
        load_model(ModelConfig(str(folder), device="cpu"))


def test_weights_of_another_architecture(folder: Path) -> None:
    config = folder / "open_clip_config.json"
    content = json.loads(config.read_text())
    content["model_cfg"]["vision_cfg"]["width"] = 96
    config.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="could not be loaded"):
        load_model(ModelConfig(str(folder), device="cpu"))


def test_pickled_code_is_not_run(folder: Path) -> None:
    """A checkpoint that would run code on loading is refused."""
    marker = folder / "ran"

    class Attack:
        def __reduce__(self) -> tuple:
            return (Path.touch, (marker,))

    (folder / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Attack()}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelError, match="could not be loaded"):
        load_model(ModelConfig(str(folder), device="cpu"))
    assert not marker.exists()


def test_other_vision_towers_are_refused_by_name(make_model: Callable[..., Path]) -> None:
    folder = make_model(image_size=64, width=16, layers=[1, 1, 1, 1])
    with pytest.raises(ModelError, match="ModifiedResNet"):
        load_model(ModelConfig(str(folder), device="cpu"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "", "cuda:99"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="device"):
        resolve_device(name)


def test_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(runtime, "can_multiply_bfloat16", lambda: True)
    monkeypatch.setattr(runtime, "has_bfloat16_instructions", lambda: False)
    assert resolve_precision("auto", cpu) == torch.float32
    assert resolve_precision("bfloat16", cpu) == torch.bfloat16
    monkeypatch.setattr(runtime, "has_bfloat16_instructions", lambda: True)
    assert resolve_precision("auto", cpu) == torch.bfloat16
    assert resolve_precision("auto", torch.device("cuda")) == torch.float16
    with pytest.raises(ModelError, match="float32"):
        resolve_precision("float16", cpu)
    with pytest.raises(ModelError, match="float8"):
        resolve_precision("float8", cpu)


def test_bfloat16_is_refused_where_the_processor_cannot_multiply_it(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "can_multiply_bfloat16", lambda: False)
    with pytest.raises(ModelError, match=r"bfloat16 needs a CPU with AVX-512 .* use float32"):
        load_model(ModelConfig(str(tiny_model_dir), device="cpu", precision="bfloat16"))
    assert resolve_precision("bfloat16", torch.device("cuda")) == torch.bfloat16


@pytest.mark.parametrize(
    ("answers", "multiplies", "has_instructions"),
    [
        ({"_is_mkldnn_bf16_supported": True, "_is_avx512_bf16_supported": True}, True, True),
        ({"_is_mkldnn_bf16_supported": True, "_is_amx_tile_supported": True}, True, True),
        ({"_is_mkldnn_bf16_supported": True, "_is_avx512_bf16_supported": False}, True, False),
        ({"_is_mkldnn_bf16_supported": False, "_is_avx512_bf16_supported": True}, False, False),
        ({}, False, False),  # a build of torch that cannot tell
    ],
)
def test_the_processor_is_asked_what_it_multiplies(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, bool], multiplies: bool, has_instructions: bool
) -> None:
    asked = SimpleNamespace(**{name: lambda answer=answer: answer for name, answer in answers.items()})
    monkeypatch.setattr(torch.ops, "mkldnn", asked)
    monkeypatch.setattr(torch, "cpu", asked)
    monkeypatch.setattr(runtime, "can_multiply_bfloat16", can_multiply_bfloat16.__wrapped__)
    assert can_multiply_bfloat16.__wrapped__() is multiplies
    assert has_bfloat16_instructions.__wrapped__() is has_instructions


def test_packing_takes_the_blocks_over(tiny_model_dir: Path) -> None:
    packed = load_model(ModelConfig(str(tiny_model_dir), device="cpu"))
    plain = load_model(ModelConfig(str(tiny_model_dir), device="cpu"), packed=False)
    assert len(packed.clip.visual.transformer.resblocks) == 0
    assert len(plain.clip.visual.transformer.resblocks) == packed.backbone.depth == 12
    assert packed.parameters == plain.parameters
    assert plain.dtype == packed.backbone.dtype == torch.float32


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate"), OutOfMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory),
        (RuntimeError("CUDA error: unspecified launch failure"), DeviceLost),
        (RuntimeError("shapes do not match"), RuntimeError),
        (KeyError("x"), KeyError),
    ],
)
def test_failures_of_the_device_have_names(raised: Exception, expected: type) -> None:
    with pytest.raises(expected) as caught, device_errors():
        raise raised
    assert type(caught.value) is expected


def test_a_folder_may_bring_numbers_of_the_method(folder: Path) -> None:
    config = folder / "open_clip_config.json"
    content = json.loads(config.read_text())
    plain = load_model(ModelConfig(str(folder), device="cpu"))
    assert Segmenter(plain).method == METHODS["clipseg"]
    config.write_text(json.dumps({**content, "clipseg": {"gamma": 20, "lam": 0.75}}))
    tuned = load_model(ModelConfig(str(folder), device="cpu"))
    assert Segmenter(tuned).method.coherence == Coherence(gamma=20.0, lam=0.75)
    assert Segmenter(tuned, method=METHODS["clipseg"]).method == METHODS["clipseg"]
    assert Segmenter(tuned, MethodConfig(name="maskclip")).method == METHODS["maskclip"]


@pytest.mark.parametrize("wrong", [{"gama": 3}, {"gamma": "3"}, [3]])
def test_numbers_that_the_method_does_not_have_are_refused(folder: Path, wrong: object) -> None:
    config = folder / "open_clip_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "clipseg": wrong}))
    with pytest.raises(ModelError, match="expected numbers for some of gamma, beta, lam, alpha"):
        load_model(ModelConfig(str(folder), device="cpu"))
