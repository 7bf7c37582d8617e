"""Language models behind a server, and vLLM in this process: the clients `openai` and `vllm` of andlib.llms.clients.

A server's address comes from OPENAI_BASE_URL, its key from OPENAI_API_KEY and from nowhere else. The key goes to that
address alone and stands in no message; where the server repeats it, it is masked. What a server says is data: bounded
in size and time, and never obeyed."""

import asyncio
import base64
import html
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from functools import lru_cache, partial
from urllib.parse import unquote, urlsplit

from andlib.errors import InputError, explained, first_line, optional
from andlib.llms.llm import INSTALL, Answer, Chat, Sampling, checked

RETRIES = 3  # after 408, 409, 429, 5xx, a time-out or a broken connection: 0.5 s, doubling, or Retry-After up to 2 min
BODY = 4_000_000  # bytes that are read of one answer: enough to say that 200 kB of text are too long
ALIKE = 8  # failures of one kind, and no answer, after which a server is not asked further
QUOTED = 200  # characters of a server's own words that an error repeats
CHUNK = 256  # chats vLLM is given at once, so that a kill loses no more
ADDED = r"((?:@.+|:latest|-\d{4}(?:-?\d\d-?\d\d)?)?)"  # to a model's name by a server: a revision, a tag, a date
SHORTEST = 8  # characters; a shorter key, like EMPTY, is a word and keeps nothing secret
GAP = "[\\s\u00ad\u200b-\u200d\u2060\ufeff]*"  # blanks, and characters that print nothing


class OpenAILLM:
    """A model behind any OpenAI-compatible server: vLLM, `transformers serve`, llama.cpp, Ollama, OpenAI's.
    base_url: by default OPENAI_BASE_URL, else OpenAI's. timeout: seconds an answer may take.
    Raises InputError for an address that is none, and where a server elsewhere needs the key that is not set."""

    def __init__(self, model: str, base_url: str = "", concurrency: int = 8, timeout: float = 600.0):
        with optional("openai", install=INSTALL):
            import httpx2  # noqa: F401 (openai 3's; earlier ones ask by another)
            import openai  # noqa: F401
        self.model, self.revision, self.concurrency, self.timeout = model, "", concurrency, timeout
        self.address = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        self.server, self._key, secrets = _server_and_secrets(self.address)
        self._masked = masking(secrets)

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """See LLM; with each answer `revision` is the suffix of the model's name and the fingerprint that the server
        gives. Raises InputError, behind the answers under way, where none can be had (nobody there, a refused key)."""
        seen: Counter[str] = Counter()
        stop = None
        with ThreadPoolExecutor(self.concurrency) as pool:
            tasks = {pool.submit(self._ask, chat, sampling): i for i, chat in enumerate(chats)}
            try:
                for task in as_completed(tasks):
                    try:
                        answer, self.revision = task.result()
                    except (CancelledError, InputError) as error:
                        stop = stop or error
                        for other in tasks:
                            other.cancel()
                        continue
                    yield tasks[task], answer
                    seen[answer.error] += 1
                    if answer.error and len(seen) == 1 and seen[answer.error] == ALIKE:
                        raise InputError(f"{self.server}: {answer.error}. So it was {ALIKE} times; no more is asked.")
                if stop:
                    raise stop
            finally:
                self.revision = ""
                pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, chat: Chat, sampling: Sampling) -> tuple[Answer, str]:
        import httpx2
        import openai

        async def ask() -> bytes:
            async with openai.AsyncOpenAI(
                base_url=self.address,
                api_key=self._key,
                timeout=openai.Timeout(self.timeout, connect=min(self.timeout, 5.0)),
                max_retries=RETRIES,
                default_headers={"Accept-Encoding": "identity"},
                http_client=_patient(self.timeout)(),
            ) as client:
                drawn = {"top_p": 1.0, "n": 1, **asdict(sampling)}
                create = client.chat.completions.with_raw_response.create
                return (await create(model=self.model, messages=list(chat), **drawn)).content

        try:
            return completion(asyncio.run(ask()), self.model, self._masked)
        except openai.APIStatusError as error:
            failure = self._refused(error.status_code, error.body)
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
                remedy = "Start it, or set OPENAI_BASE_URL to where one runs."
                raise InputError(f"No server answers at {self.server}. {remedy}") from None
            late = isinstance(error, openai.APITimeoutError)
            failure = f"no answer came within {self.timeout:g} s" if late else "the connection broke off"
        except openai.OpenAIError as error:  # of a response that is not bounded
            failure = str(error)
        return Answer("", error=failure), ""

    def _refused(self, status: int, body: object) -> str:
        if status in (401, 403):
            raise InputError(f"{self.server} refuses the key ({status}): set OPENAI_API_KEY to one that it takes.")
        if status == 404:
            remedy = "Check the model's name, and OPENAI_BASE_URL, which mostly ends in /v1."
            raise InputError(f"{self.server} has no model {self.model!r}, or answers no chats (404). {remedy}")
        if status < 400:
            return f"the server sends elsewhere ({status}), which is not followed: set OPENAI_BASE_URL to where it is"
        reason = body.get("message") or body.get("detail") if isinstance(body, Mapping) else body
        return f"the server answered {status}: {quoted(reason or 'no reason', self._masked)}"


def completion(body: bytes | str, model: str, masked: Callable[[str], str] = str) -> tuple[Answer, str]:
    """The answer in a chat completion of the OpenAI form, as JSON, and the revision of the model that it names.
    model: that was asked; an answer of another is none. masked: takes secrets out of a text."""
    try:
        reply = json.loads(body)
        choice, name = reply["choices"][0], str(reply.get("model") or model)
        finish, message = choice.get("finish_reason"), choice["message"]
        text, refusal, calls = (message.get(part) for part in ("content", "refusal", "tool_calls"))
        if isinstance(text, list):  # of parts
            text = "".join(part["text"] for part in text)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Answer("", error="the server's answer was no chat completion in JSON"), ""
    named = re.fullmatch(re.escape(model) + ADDED, name, re.DOTALL)
    # llama.cpp answers with the file that it was started with, whatever name it was asked by
    named = named or re.fullmatch(r"(?:.*[/\\])?([^/\\]+\.gguf)|/.*?([^/]+)", name)
    if not named:
        return Answer("", error=f"the server answered as another model, {quoted(name, masked)!r}"), ""
    if calls or refusal or finish == "content_filter":
        return Answer("", error=f"the model gave a {'tool call' if calls else 'refusal'} instead of text"), ""
    if not isinstance(text, str | None):
        return Answer("", error=f"the answer was no text but a {type(text).__name__}"), ""
    whole = (text or "").encode("utf-8", "replace").decode()  # JSON can hold halves of a character, no file can
    added = next(filter(None, named.groups()), "")
    revision = f"{added} {reply.get('system_fingerprint') or ''}".strip("@:- ")
    return checked(masked(whole), finish), quoted(revision, masked)


def quoted(words: object, masked: Callable[[str], str] = str) -> str:
    """What a server says, as far as a message repeats it."""
    text = masked(str(words))[:QUOTED]  # before it is cut, for half a key is none that would be found
    return "".join(c if c.isprintable() else " " for c in text)


def _server_and_secrets(address: str) -> tuple[str, str, tuple[str, ...]]:
    """The server as messages name it, without a password; the key it is sent; and all that it must not repeat."""
    wrong = "OPENAI_BASE_URL is no web address; expected one like http://localhost:8000/v1."
    with explained(lambda _: wrong, ValueError):
        parts = urlsplit(address)
        if not parts.hostname or parts.scheme not in ("http", "https") or parts.port == 0:
            raise ValueError
    server, key = parts.netloc.rpartition("@")[2], os.environ.get("OPENAI_API_KEY", "").strip()
    if not re.fullmatch("[!-~]*", key):
        raise InputError("OPENAI_API_KEY holds characters that no key has: set it anew.")
    if not key and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise InputError(
            f"The server {server} needs a key: set the environment variable OPENAI_API_KEY, or OPENAI_BASE_URL to a"
            " server on this machine, like http://localhost:8000/v1."
        )
    login = [part for part in (parts.username, parts.password) if part]
    secrets = {key, os.environ.get("HF_TOKEN", "").strip(), *login, *map(unquote, login)}
    return server, key or "no-key-is-needed-here", tuple(sorted(secrets))


@lru_cache
def _patient(seconds: float) -> Callable:
    """Makes clients whose every try ends after so many seconds, and whose responses are bounded as they are read."""
    import httpx2
    import openai

    class Patient(openai.DefaultAsyncHttpxClient):
        async def send(self, request, **options):
            try:
                async with asyncio.timeout(seconds):
                    return await super().send(request, **options)
            except TimeoutError:
                raise httpx2.ReadTimeout("", request=request) from None

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream):
            self.stream, self.aclose = stream, stream.aclose

        async def __aiter__(self):
            size = 0
            async for piece in self.stream:
                size += len(piece)
                if size > BODY:
                    raise openai.OpenAIError(f"the answer went on beyond {BODY} bytes")
                yield piece

    async def bounded(response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise openai.OpenAIError("the answer was compressed, which was not asked for")
        response.stream = Bounded(response.stream)

    return partial(Patient, follow_redirects=False, event_hooks={"response": [bounded]})


class VLLM:
    """A model (folder or hub id) in vLLM in this process. options: further arguments of vllm.LLM."""

    def __init__(self, model: str, **options: object):
        with optional("vllm", install="With a GPU: pip install -e '.[vllm]'; on a CPU: see tests/test_vllm.py."):
            import torch
            import vllm
        # by default a model folder's own sampling would fill in what is not named
        given = {"enable_prefix_caching": True, "seed": 0, "generation_config": "vllm"}
        if not torch.cuda.is_available():  # compiling takes minutes, and halved precision gives other answers
            given |= {"enforce_eager": True, "dtype": "float32"}
        with explained(lambda e: f"vLLM cannot load {model!r}: {first_line(e)}", OSError, ValueError, RuntimeError):
            self.engine = vllm.LLM(model=model, **given | options)
        weights = self.engine.llm_engine.model_config.hf_config
        self.model, self.revision = model, getattr(weights, "_commit_hash", None) or ""

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        for first in range(0, len(chats), CHUNK):
            yield from enumerate(self._chunk([list(chat) for chat in chats[first : first + CHUNK]], sampling), first)

    def _chunk(self, chats: list[list], sampling: Sampling) -> list[Answer]:
        import vllm

        drawn = vllm.SamplingParams(top_p=1.0, top_k=0, **asdict(sampling))
        refused = getattr(sys.modules.get("vllm.exceptions"), "VLLMClientError", ValueError)  # which earlier ones raise
        try:
            replies = self.engine.chat(chats, drawn, use_tqdm=False)
        except (ValueError, refused) as error:  # one chat is too long for the model: the others are asked without it
            if len(chats) == 1:
                return [Answer("", error=str(error)[:QUOTED])]
            return [answer for chat in chats for answer in self._chunk([chat], sampling)]
        return [checked(reply.outputs[0].text, reply.outputs[0].finish_reason) for reply in replies]


@lru_cache
def masking(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that writes *** for each secret of at least SHORTEST characters that a server's text may echo.
    Secrets are found in any case, backwards, with blanks in between, as hexadecimal digits, in base64 (also as a part
    of what was encoded) and with any of their characters escaped as in addresses, JSON or HTML."""
    hidden = sorted((secret for secret in set(secrets) if len(secret) >= SHORTEST), key=len, reverse=True)
    pattern = re.compile("|".join(form for secret in hidden for form in _forms(secret)) or "(?!)")
    return lambda text: pattern.sub("***", text)


def _forms(secret: str) -> list[str]:
    hexadecimal = r"(?:[\s:,-]|0x|\\x)*".join(f"{byte:02x}" for byte in secret.encode())
    spelt = (GAP.join(map(_escaped, letters)) for letters in (secret, secret[::-1]))
    in_base64 = (_base64(secret.encode(), before) for before in range(3))
    return [*(f"(?i:{form})" for form in (*spelt, hexadecimal)), *in_base64]


def _escaped(letter: str) -> str:
    """A pattern of a character: itself, or its number in an escape of an address, JSON, a string or HTML."""
    code, ways = ord(letter), {re.escape(letter), re.escape(html.escape(letter))}  # no two alike: backtracking doubles
    ways |= {rf"%(?:25)?{code:02x}", rf"\\{{1,4}}(?:u00|x){code:02x}", rf"&(?:amp;)?#(?:0*{code}|x0*{code:x});"}
    return f"(?:{'|'.join(sorted(ways))})"


def _base64(secret: bytes, before: int) -> str:
    """A pattern of a secret in base64 behind so many other bytes: what it alone decides, and up to four around that."""
    first, last = -(-8 * before // 6), 8 * (before + len(secret)) // 6
    text = base64.b64encode(bytes(before) + secret).decode()
    letters = ({"+": "(?:[+-]|%2[Bb])", "/": "(?:[/_]|%2[Ff])"}.get(letter, letter) for letter in text[first:last])
    return r"[\w+/-]{0,4}" + r"\s*".join(letters) + r"[\w+/-]{0,4}(?:=|%3[Dd]){0,2}"
