"""Models behind an OpenAI-compatible API: one client for judge, teacher and sampling. The only room that asks a server.

question.py  what is asked and what was answered, and the reading of a server's bytes
client.py    many questions at once, tried again where that helps
cache.py     answers on disk, so that none is paid for twice
served.py    what a server says it serves, and who it is
"""

from proofline.endpoint.client import Endpoint
from proofline.endpoint.question import EndpointError, Question, Reply

__all__ = ["Endpoint", "EndpointError", "Question", "Reply"]
