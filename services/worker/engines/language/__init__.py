"""Language models behind the protocol of OpenAI: which endpoint is asked, what its answer is worth, what it cost."""

from services.worker.engines.language.engine import LanguageEngine
from services.worker.engines.language.question import Question, Reply
from services.worker.engines.language.states import EndpointState, State

__all__ = ["EndpointState", "LanguageEngine", "Question", "Reply", "State"]
