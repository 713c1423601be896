"""What a vocabulary is: classes, synonyms, background, ids, colours, files, checks. Plain Python."""

from ovseg_ros.vocabulary.files import shipped_vocabularies
from ovseg_ros.vocabulary.phrases import (
    BACKGROUND_ID,
    MAX_BACKGROUND,
    MAX_CLASSES,
    MAX_COST,
    MAX_PROMPT_LENGTH,
    UNKNOWN_COST,
    UNLABELLED_ID,
    VocabularyError,
)
from ovseg_ros.vocabulary.vocabulary import (
    BACKGROUND_COLOR,
    UNLABELLED_COLOR,
    Vocabulary,
    VocabularyBuilder,
    VocabularyClass,
    build_vocabulary,
    load_vocabulary,
)

__all__ = [
    "BACKGROUND_COLOR",
    "BACKGROUND_ID",
    "MAX_BACKGROUND",
    "MAX_CLASSES",
    "MAX_COST",
    "MAX_PROMPT_LENGTH",
    "UNKNOWN_COST",
    "UNLABELLED_COLOR",
    "UNLABELLED_ID",
    "Vocabulary",
    "VocabularyBuilder",
    "VocabularyClass",
    "VocabularyError",
    "build_vocabulary",
    "load_vocabulary",
    "shipped_vocabularies",
]
