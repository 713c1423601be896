"""What a vocabulary is: classes, synonyms, background, ids, colours, files, checks. Plain Python."""

from ovseg_ros.vocabulary.files import shipped_vocabularies as shipped_vocabularies
from ovseg_ros.vocabulary.phrases import BACKGROUND_ID as BACKGROUND_ID
from ovseg_ros.vocabulary.phrases import MAX_BACKGROUND as MAX_BACKGROUND
from ovseg_ros.vocabulary.phrases import MAX_CLASSES as MAX_CLASSES
from ovseg_ros.vocabulary.phrases import MAX_COST as MAX_COST
from ovseg_ros.vocabulary.phrases import MAX_PROMPT_LENGTH as MAX_PROMPT_LENGTH
from ovseg_ros.vocabulary.phrases import UNKNOWN_COST as UNKNOWN_COST
from ovseg_ros.vocabulary.phrases import UNLABELLED_ID as UNLABELLED_ID
from ovseg_ros.vocabulary.phrases import VocabularyError as VocabularyError
from ovseg_ros.vocabulary.vocabulary import BACKGROUND_COLOR as BACKGROUND_COLOR
from ovseg_ros.vocabulary.vocabulary import UNLABELLED_COLOR as UNLABELLED_COLOR
from ovseg_ros.vocabulary.vocabulary import Vocabulary as Vocabulary
from ovseg_ros.vocabulary.vocabulary import VocabularyBuilder as VocabularyBuilder
from ovseg_ros.vocabulary.vocabulary import VocabularyClass as VocabularyClass
from ovseg_ros.vocabulary.vocabulary import build_vocabulary as build_vocabulary
