"""The text encoder: prompts to class embeddings, with a cache."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.background import run_in_background
from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.model import ClipModel

Template = Callable[[str], str]

TEMPLATES: dict[str, tuple[Template, ...]] = {
    "full": tuple(open_clip.OPENAI_IMAGENET_TEMPLATES),
    "short": tuple(open_clip.SIMPLE_IMAGENET_TEMPLATES),
    "plain": (lambda phrase: f"a photo of a {phrase}.",),
}
"""Sets of prompt templates: CLIP's 80 of ImageNet, the 7 that do nearly as well, and one."""

CLIP_CONTEXT = 77
"""Tokens that the text towers of CLIP and its large followers read."""

BATCH = 64
"""Prompts in one pass of the text tower; small enough to leave a CPU to the frames in between."""


def cache_directory() -> Path:
    """Where embeddings of phrases are kept: ``$OVSEG_CACHE``, else the user's cache folder."""
    if "OVSEG_CACHE" in os.environ:
        return Path(os.environ["OVSEG_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ovseg"


class TextEncoder:
    """Phrases to embeddings: each template's embedding normalised, averaged, normalised again.

    Every phrase is kept in memory and on disk under the model's and the templates' fingerprint, so that it
    goes through the text tower once. A cache that cannot be written or read is passed over. Thread-safe.

    Args:
        model: the CLIP.
        templates: full, short, plain, or auto: full on CUDA, short on a CPU, and plain for a model whose
            context is shorter than CLIP's, since it was trained on short captions.

    Raises:
        ModelError: unknown templates.
    """

    def __init__(self, model: ClipModel, templates: str = "auto") -> None:
        if templates == "auto" and model.context_length < CLIP_CONTEXT:
            templates = "plain"
        elif templates == "auto":
            templates = "full" if model.device.type == "cuda" else "short"
        if templates not in TEMPLATES:
            raise ModelError(f"templates {templates!r} are not known; expected auto, {', '.join(TEMPLATES)}")
        self._model = model
        self._templates = TEMPLATES[templates]
        texts = "\n".join(template("") for template in self._templates)
        fingerprint = hashlib.sha256((texts + model.text_fingerprint).encode()).hexdigest()
        self._folder = cache_directory() / "text" / fingerprint[:32]
        self._memory: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def cached(self, phrases: Sequence[str]) -> bool:
        """Whether all phrases can be encoded without the text tower."""
        return all(self._find(phrase) is not None for phrase in phrases)

    def encode(self, phrases: Sequence[str], *, in_background: bool = False) -> Float[np.ndarray, "n e"]:
        """Embeddings of length 1, float32, one row for each phrase.

        `in_background`: frames are segmented meanwhile, and must hardly wait (`run_in_background`).
        """
        with self._lock:
            for phrase in dict.fromkeys(phrases):
                if self._find(phrase) is None:
                    compute = partial(self._compute, phrase)
                    if in_background:
                        compute = partial(run_in_background, compute, self._model.device)
                    self._keep(phrase, compute())
            return np.stack([self._memory[phrase] for phrase in phrases])

    def _compute(self, phrase: str) -> np.ndarray:
        prompts = [template(phrase) for template in self._templates]
        with torch.inference_mode():
            parts = [self._embed(prompts[start : start + BATCH]) for start in range(0, len(prompts), BATCH)]
            return F.normalize(torch.cat(parts).mean(dim=0), dim=-1).cpu().numpy()

    def _embed(self, prompts: list[str]) -> Float[Tensor, "p e"]:
        tokens = self._model.tokenize(prompts).to(self._model.device)
        return F.normalize(self._model.clip.encode_text(tokens).float(), dim=-1)

    def _find(self, phrase: str) -> np.ndarray | None:
        if phrase not in self._memory:
            try:
                kept = np.load(self._file(phrase), allow_pickle=False)
            except (OSError, ValueError, EOFError):
                return None
            expected = (self._model.embedding,)
            if kept.dtype != np.float32 or kept.shape != expected or not np.isfinite(kept).all():
                return None
            self._memory[phrase] = kept
        return self._memory[phrase]

    def _keep(self, phrase: str, embedding: np.ndarray) -> None:
        self._memory[phrase] = embedding
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Written under another name and moved: another process never sees half a file.
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".tmp", delete=False) as file:
                np.save(file, embedding, allow_pickle=False)
            os.replace(file.name, self._file(phrase))
        except OSError:
            return

    def _file(self, phrase: str) -> Path:
        return self._folder / f"{hashlib.sha256(phrase.encode()).hexdigest()}.npy"
